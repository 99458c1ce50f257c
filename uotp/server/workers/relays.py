"""
The connections that a worker carries to other workers, since their TLS or WebSocket ends here, and their
sessions are there.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall

from uotp.boundaries import Allowance
from uotp.transport import AcceptedTcpStream, Relay

RELAYED_SECONDS = 2.5
LAST_RELAYED_SECONDS = 0.5
"""
When this worker stops, what it carries to others may go on for so long, and no longer than so after its own
sessions have ended.  It takes a round trip where all workers stop; where they do not, clients have to dial
again.
"""

MANY_RELAYS = "so many are carried to other workers already that no descriptors are left for more"
"""Why a connection ends that there are no descriptors for."""


class Relays:
    """
    Has one relay for each.
    """

    def __init__(self, most: int, reactor: Any, gone: Callable[[int], object]) -> None:
        """
        @param most: how many connections this worker may carry to others, and how many others may carry
            to it.  Each takes two descriptors at either.
        @param reactor: C{IReactorFDSet}, C{IReactorTime}.
        @param gone: called with the number of a connection that is carried no more.
        """
        self._most = most
        self._reactor = reactor
        self._gone = gone
        self._relays: dict[int, Relay] = {}
        self._emptied: Deferred[None] | None = None
        self._deadline: IDelayedCall | None = None

    def __len__(self) -> int:
        """
        @return: how many connections are carried.
        """
        return len(self._relays)

    def requireRoom(self, carried: int) -> None:
        """
        @param carried: how many connections are carried, one way or the other, if this is to be another one.
        @raise OSError: when there may be no more.
        """
        if carried >= self._most:
            raise OSError(errno.EMFILE, MANY_RELAYS)

    def begin(self, connection: int, stream: AcceptedTcpStream, pipe: Any, allowance: Allowance) -> None:
        """
        Carry what comes, from now on.

        @param connection: our number for it.
        @param pipe: our end of what leads to the other worker.
        @param allowance: bounds what its owner may have wait.
        """
        self._relays[connection] = Relay(stream, pipe, allowance, self._reactor, partial(self._ended, connection))
        stream.resumeProducing()

    def end(self, connection: int) -> bool:
        """
        Carry nothing more of a connection than what waits.

        @return: whether it is one of these.
        """
        relay = self._relays.get(connection)
        if relay is not None:
            relay.close()
        return relay is not None

    def _ended(self, connection: int) -> None:
        del self._relays[connection]
        self._gone(connection)
        emptied = self._emptied
        if emptied is not None and not self._relays:
            self._emptied = None
            if self._deadline is not None and self._deadline.active():
                self._deadline.cancel()
            emptied.callback(None)

    def stop(self) -> Deferred[None]:
        """
        The worker stops.  If the others stop too, they end what is carried to them when all of it has
        arrived; otherwise it ends soon.

        @return: fires when nothing is carried any more.
        """
        if not self._relays:
            return succeed(None)
        self._emptied = Deferred()
        self._deadline = self._reactor.callLater(RELAYED_SECONDS, self._endAll)
        return self._emptied

    def hurry(self) -> None:
        """
        While it stops: the worker has no session of its own any more.
        """
        deadline = self._deadline
        if deadline is not None and deadline.active() and self._relays:
            deadline.reset(min(LAST_RELAYED_SECONDS, deadline.getTime() - self._reactor.seconds()))

    def _endAll(self) -> None:
        for relay in list(self._relays.values()):
            relay.close()
