"""
Descriptors that come with messages.

The kernel brings them beside the bytes of the stream, in order, and never later than the bytes
that they were sent with.  But it drops those for which the process has no room, and tells
nobody in time.  So a message tells the identity of each descriptor that belongs to it: a
descriptor that was dropped costs its own message, and no message gets what belongs to another.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Sequence

from uotp.errors import PeerError, UotpError

MOST_UNCLAIMED = 64
"""
So many descriptors may have come ahead of the messages that they belong to.  One read brings one, and
a message has 8 at the most.
"""

IDENTITY_LIMIT = 1 << 64
DEVICE_BITS = 40


class DescriptorsLost(UotpError):
    """
    Is raised when descriptors of a message were dropped on their way, since this process has as
    many as it may have.
    """


def identityOf(descriptor: int) -> int:
    """
    @return: what tells an open file or socket from others, in each process that has it.
    @raise OSError: when the descriptor is not open.
    """
    status = os.fstat(descriptor)
    return (status.st_ino ^ status.st_dev << DEVICE_BITS) % IDENTITY_LIMIT


def closeAll(descriptors: Sequence[int]) -> None:
    """
    Close descriptors that are ours.
    """
    for descriptor in descriptors:
        os.close(descriptor)


class Descriptors:
    """
    Holds the descriptors that have come with one message, until somebody takes them.  Those that
    nobody has taken are closed when the message has been handled.
    """

    def __init__(self, arrived: Sequence[int] = (), lost: int = 0) -> None:
        """
        @param arrived: those that are there.
        @param lost: how many others were sent.
        """
        self._arrived = tuple(arrived)
        self._sent = len(self._arrived) + lost

    def __len__(self) -> int:
        """
        How many are there to be taken.
        """
        return len(self._arrived)

    def take(self, count: int) -> tuple[int, ...]:
        """
        Take all of them.  From now on they are the caller's, who closes them; until then
        nothing is.

        @param count: how many belong to such a message.
        @return: the descriptors, which are closed on exec.
        @raise PeerError: when another number of them was sent.
        @raise DescriptorsLost: when they were, and have not all arrived.
        """
        if self._sent != count:
            reason = f"a message came with {self._sent} descriptors in place of {count}"
            raise PeerError(reason)
        if len(self._arrived) < count:
            reason = f"{count - len(self._arrived)} of {count} descriptors were lost on their way"
            raise DescriptorsLost(reason)
        taken, self._arrived, self._sent = self._arrived, (), 0
        return taken

    def close(self) -> None:
        """
        Close those that nobody has taken.
        """
        closing, self._arrived = self._arrived, ()
        closeAll(closing)


class DescriptorQueue:
    """
    Keeps the descriptors that have come, until the messages have that they belong to.
    """

    def __init__(self) -> None:
        self._waiting: deque[tuple[int, int]] = deque()  # each with its identity

    def __len__(self) -> int:
        """
        How many wait.
        """
        return len(self._waiting)

    def put(self, descriptor: int) -> None:
        """
        One has come, and is ours.

        @raise PeerError: when too many came for which there is no message.
        """
        os.set_inheritable(descriptor, False)
        self._waiting.append((descriptor, identityOf(descriptor)))
        if len(self._waiting) > MOST_UNCLAIMED:
            reason = f"{len(self._waiting)} descriptors came without a message"
            raise PeerError(reason)

    def claim(self, identities: Sequence[int]) -> Descriptors:
        """
        @param identities: those of the descriptors that were sent with a message.
        @return: those of them that have come.
        """
        found = []
        for identity in identities:
            if any(identity == known for _, known in self._waiting):
                while self._waiting[0][1] != identity:  # these belong to nobody
                    os.close(self._waiting.popleft()[0])
                found.append(self._waiting.popleft()[0])
        return Descriptors(found, len(identities) - len(found))

    def close(self) -> None:
        """
        Close all that wait.
        """
        while self._waiting:
            os.close(self._waiting.popleft()[0])
