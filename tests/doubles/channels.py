"""
Channels in memory: real ones, each on a transport that hands what is written to the other.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import IUNIXTransport
from twisted.python.failure import Failure
from zope.interface import implementer

from tests.doubles.clocks import TurnClock
from uotp.workers.channel import Channel
from uotp.workers.descriptors import Descriptors
from uotp.workers.limits import ChannelLimits
from uotp.workers.messages import MessageTable
from uotp.workers.seams import MessageChannel

READ_BYTES = 1 << 16
"""What Twisted reads in one turn."""

KERNEL_BYTES = 1 << 18
"""What the kernel takes for somebody who does not read, about."""

SMALL = ChannelLimits(sends=1 << 20, receives=1 << 20, waiting=3 << 20)
"""Limits that a test reaches soon."""


class Note(NamedTuple):
    """
    Says something.
    """

    text: str


class Payload(NamedTuple):
    """
    Carries bytes.
    """

    content: bytes


class Stranger(NamedTuple):
    """
    Is no message of those who do not know it.
    """


KINDS = (Note, Payload)


class ChannelDiarist:
    """
    Writes down what comes of a channel.

    @ivar channel: the channel.
    @ivar notes: the texts that have come.
    @ivar payloads: the bytes that have come.
    @ivar taken: the descriptors that have come with messages, if they are taken.
    @ivar ends: why the channel was lost, each time.
    @ivar takes: whether descriptors are taken.
    @ivar expected: how many descriptors come with each message; any number when L{None}.
    @ivar act: called with each message, before anything else.
    """

    channel: Any

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.payloads: list[bytes] = []
        self.taken: list[tuple[int, ...]] = []
        self.ends: list[str] = []
        self.takes = True
        self.expected: int | None = None
        self.act: Callable[[object], None] = lambda _: None

    def messageReceived(self, message: object, descriptors: Descriptors) -> None:
        assert not self.ends
        self.act(message)
        if isinstance(message, Note):
            self.notes.append(message.text)
        elif isinstance(message, Payload):
            self.payloads.append(message.content)
        count = len(descriptors) if self.expected is None else self.expected
        if self.takes and count:
            self.taken.append(descriptors.take(count))

    def channelLost(self, reason: str) -> None:
        self.ends.append(reason)

    def closeTaken(self) -> None:
        """
        Close all descriptors that have come.
        """
        while self.taken:
            for descriptor in self.taken.pop():
                os.close(descriptor)


@implementer(IUNIXTransport)
class MemoryUnixTransport:
    """
    Is one end of a UNIX stream socket, as a transport of Twisted's.

    @ivar other: the other end.
    @ivar drops: the kernel drops descriptors that come from now on, for want of room.
    @ivar read: how many bytes were handed to the protocol in each turn.
    """

    other: MemoryUnixTransport

    def __init__(self, clock: TurnClock) -> None:
        self._clock = clock
        self.protocol: Any = None
        self._unsent = b""
        self._unsentDescriptors: deque[int] = deque()
        self._inbox: deque[tuple[bytes, int | None]] = deque()
        self._producer: Any = None
        self._isPaused = self._isClosing = self._isOver = self._isGone = False
        self.drops = False
        self.read: list[int] = []

    # What a protocol does with it.

    def write(self, data: bytes) -> None:
        if not self._isOver:
            self._unsent += data

    def writeSequence(self, data: Iterable[bytes]) -> None:
        self.write(b"".join(data))

    def sendFileDescriptor(self, descriptor: int) -> None:
        self._unsentDescriptors.append(descriptor)

    def registerProducer(self, producer: Any, streaming: bool) -> None:  # noqa: FBT001 - Twisted's signature
        assert not streaming
        assert self._producer is None
        self._producer = producer
        producer.resumeProducing()

    def unregisterProducer(self) -> None:
        self._producer = None

    def pauseProducing(self) -> None:
        self._isPaused = True

    def resumeProducing(self) -> None:
        self._isPaused = False

    def loseConnection(self) -> None:
        self._isClosing = True
        self._isPaused = True

    def abortConnection(self) -> None:
        if not self._isOver:
            self._isOver = True
            self._unsent = b""
            self._unsentDescriptors.clear()
            self._clock.callLater(0, self._end, ConnectionAborted())

    def getHost(self) -> Any:
        raise NotImplementedError

    def getPeer(self) -> Any:
        raise NotImplementedError

    # What the kernel and the reactor do with it.

    def turn(self) -> None:
        """
        Let it read and write once.
        """
        self._read()
        self._write()

    def _read(self) -> None:
        data = b""
        while self._inbox and not self._isPaused and not self._isOver and len(data) < READ_BYTES:
            part, descriptor = self._inbox.popleft()
            if len(data) + len(part) > READ_BYTES:
                cut = READ_BYTES - len(data)
                self._inbox.appendleft((part[cut:], descriptor))
                part, descriptor = part[:cut], None
            data += part
            if descriptor is not None:
                self.protocol.fileDescriptorReceived(descriptor)
                break  # what comes with descriptors ends a read
        if data:
            self.read.append(len(data))
            self.protocol.dataReceived(data)
        elif self.other._isGone and not self._inbox and not self._isPaused and not self._isOver:
            self._end(ConnectionDone())

    def _write(self) -> None:
        if self._isOver:
            return
        if self._unsent or self._unsentDescriptors:
            if self.other._isGone:
                self._end(ConnectionDone())
                return
            room = KERNEL_BYTES - sum(len(part) for part, _ in self.other._inbox)
            assert len(self._unsentDescriptors) <= len(self._unsent)
            while self._unsentDescriptors and room > 0:
                descriptor: int | None = os.dup(self._unsentDescriptors.popleft())
                assert descriptor is not None
                if self.other.drops:
                    os.close(descriptor)
                    descriptor = None
                self.other._inbox.append((self._unsent[:1], descriptor))
                self._unsent = self._unsent[1:]
                room -= 1
            if room > 0 and self._unsent:
                self.other._inbox.append((self._unsent[:room], None))
                self._unsent = self._unsent[room:]
            if self._unsent:
                return
            if self._producer is not None:
                self._producer.resumeProducing()
        elif self._isClosing:
            self._end(ConnectionDone())

    def _end(self, reason: Exception) -> None:
        if self._isGone:
            return
        self._isOver = self._isGone = True
        while self._inbox:
            _, descriptor = self._inbox.popleft()
            if descriptor is not None:
                os.close(descriptor)
        if self._producer is not None:
            self._producer.stopProducing()
        self.protocol.connectionLost(Failure(reason))


class MemoryChannels:
    """
    Are both ends of a channel in memory.

    @ivar clock: what their turns come from.
    @ivar transports: one under each end.
    """

    def __init__(self, clock: TurnClock) -> None:
        self.clock = clock
        one, two = MemoryUnixTransport(clock), MemoryUnixTransport(clock)
        one.other, two.other = two, one
        self.transports = one, two

    def connect(self, *channels: Channel) -> None:
        """
        @param channels: the two ends.
        """
        for transport, channel in zip(self.transports, channels, strict=True):
            transport.protocol = channel
            channel.makeConnection(transport)

    def turn(self) -> None:
        """
        Let one turn of the reactor pass at both ends.
        """
        self.clock.turn()
        for transport in self.transports:
            transport.turn()

    def settle(self) -> None:
        """
        Let turns pass until nothing happens any more.
        """
        for _ in range(200):
            self.turn()


def memoryPair(
    clock: TurnClock, owners: Sequence[Any], kinds: Sequence[type] = KINDS, limits: ChannelLimits = SMALL
) -> MemoryChannels:
    """
    Connect two owners by a channel; each gets its end as its C{channel}.

    @return: gives them their turns.
    """
    found = MemoryChannels(clock)
    table = MessageTable(*kinds)
    for owner, name in zip(owners, ("there", "here"), strict=True):
        owner.channel = Channel(name, owner, table, clock, limits)
    found.connect(*(owner.channel for owner in owners))
    return found


class RecordingChannel:
    """
    Is a channel that leads nowhere, for whoever only sends.

    @ivar sent: messages, each with the descriptors that it was sent with.
    @ivar hasRoom: what is told.
    @ivar ended: C{"close"} or C{"abort"}, when it was asked for that.
    """

    def __init__(self) -> None:
        self.sent: list[tuple[object, tuple[int, ...]]] = []
        self.hasRoom = True
        self.ended: list[str] = []

    def send(self, message: object, descriptors: Sequence[int] = ()) -> None:
        self.sent.append((message, tuple(descriptors)))

    def messages(self) -> list[object]:
        """
        @return: what was sent.
        """
        return [message for message, _ in self.sent]

    def close(self) -> None:
        self.ended.append("close")

    def abort(self) -> None:
        self.ended.append("abort")


# The twin fits its seam.
_recording: type[MessageChannel] = RecordingChannel
