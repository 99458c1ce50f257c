"""
What a source has to send before its session gets more than one tunnel.

Whoever can reach the UDP port can forge any number of sources, and a tunnel costs some 6 KB
on the wire, which is a hundred times what a forged datagram costs.  That the target answers
proves nothing: the answer goes to whoever really has the address.  So what counts is what
the source sends after an answer has reached it:

 - A datagram that comes at least L{MOMENT_SECONDS} after the first answer was handed to the
   source is its proof.  What was under way by then does not count, and a forged source
   cannot know when that is.  One that simply sends again, later, is proved by chance.  So
   this alone opens no tunnel, and keeps no place from those who have done more.
 - Each tunnel after the first costs L{TUNNEL_BYTES} that the source sends from then on.
   That is a sixth of what a tunnel costs, so that forging multiplies no bytes by more.  Who
   has sent what the second one costs has paid.
 - A source to which nothing is answered is proved by L{UNANSWERED_BYTES}: whoever sends so
   much has paid for all the tunnels of a pool of the default size.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from uotp.session import Outbound

MOMENT_SECONDS = 0.002
"""
What comes sooner after the first answer may have been sent before it.  That is longer than a
datagram waits in the socket of a client that is not overloaded, and a heavy flow hardly
notices it.
"""

TUNNEL_BYTES = 1024
"""
Payload for each tunnel after the first.  A program that sends full datagrams has sent it
with one of them, so that eight tunnels take ten datagrams.
"""

UNANSWERED_BYTES = 128 * 1024
"""Payload that proves a source without an answer: more than a pool of sixteen costs, which is 100 KB."""


class Proof:
    """
    Follows what one source sends, and tells how many tunnels it is worth.

    @ivar isProved: whether the source has shown that its address is not forged, as far as one
        datagram can.
    @ivar provedAt: when that was, by the clock that was handed in.
    """

    def __init__(self, outbound: Outbound, clock: Callable[[], float], most: int, widen: Callable[[int], None]) -> None:
        """
        @param outbound: counts what the source sends.
        @param clock: monotonic seconds.
        @param most: how many tunnels there may ever be.
        @param widen: called with the number of tunnels that the source is worth, each time it
            is more.  The first call tells that the source is proved.
        """
        self._outbound = outbound
        self._clock = clock
        self._most = most
        self._widen = widen
        self._countedFrom = 0  # of the bytes that the source has sent
        self._provableAt = 0.0
        self.isProved = False
        self.provedAt = math.inf
        outbound.noticeBytes(UNANSWERED_BYTES, self._sent)

    def answered(self) -> None:
        """
        The first answer is handed to the source.
        """
        if not self.isProved:
            self._provableAt = self._clock() + MOMENT_SECONDS
            self._countFromNow()

    @property
    def earned(self) -> int:
        """
        What a source that is proved has sent since it was answered, in bytes.
        """
        return self._outbound.bytes - self._countedFrom if self.isProved else 0

    @property
    def hasPaid(self) -> bool:
        """
        Whether the source has sent what a second tunnel costs, also where it gets none.
        """
        return self.earned >= TUNNEL_BYTES

    def _countFromNow(self) -> None:
        self._countedFrom = self._outbound.bytes
        self._outbound.noticeBytes(self._countedFrom + 1, self._sent)

    def _sent(self) -> None:
        """
        The source has sent as much as was waited for.
        """
        if not self.isProved:
            now = self._clock()
            if now < self._provableAt:
                self._countFromNow()
                return
            self.isProved, self.provedAt = True, now
        tunnels = 1 + (self._outbound.bytes - self._countedFrom) // TUNNEL_BYTES
        if tunnels < self._most:
            self._outbound.noticeBytes(self._countedFrom + tunnels * TUNNEL_BYTES, self._sent)
        self._widen(tunnels)
