"""
A connection to whatever is at the server's port, with TLS or without: it shakes hands, and then carries bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from uotp.doctor.seams import TcpLine
from uotp.path import PathStats
from uotp.tls.inspection import HandshakeTrouble, TlsTalk

FIRST_BYTES = 32
"""So much of what came first is kept, to know by it what another protocol is."""

SOFT_SECONDS = 1.0
"""What need not arrive may take so long to be sent."""


class ServerChannel:
    """
    Carries bytes over one connection.

    @ivar first: the first bytes that have come, before TLS has done anything with them.
    """

    def __init__(self, line: TcpLine, talk: TlsTalk | None, clock: Callable[[], float]) -> None:
        """
        @param line: the TCP connection.
        @param talk: speaks TLS; L{None} for plain TCP.
        @param clock: monotonic seconds.
        """
        self._line = line
        self._talk = talk
        self._clock = clock
        self.first = b""

    def shakeHands(self, seconds: float) -> None:
        """
        Do the handshake, if there is TLS.

        @param seconds: how long it may take.
        @raise HandshakeTrouble: when one end refuses the other.
        @raise OSError: when the connection is gone; C{TimeoutError} when it took too long.
        """
        if self._talk is None:
            return
        deadline = self._clock() + seconds
        try:
            while not self._talk.shakeHands():
                self._flush(seconds)
                came = self._arrived(deadline)
                if not came:
                    raise ConnectionResetError
                self._talk.take(came)
        finally:
            self._flushSoftly()

    def send(self, data: bytes, seconds: float) -> None:
        """
        Send all of some bytes.

        @raise HandshakeTrouble: when TLS has come to its end before.
        @raise OSError: when that cannot be done; C{TimeoutError} when it took too long.
        """
        if self._talk is None:
            self._line.send(data, seconds)
        else:
            self._talk.write(data)
            self._flush(seconds)

    def receive(self, seconds: float) -> bytes:
        """
        Wait for bytes.

        @return: some, or none when the other end has closed.
        @raise HandshakeTrouble: when the other end refuses us, or what comes is no TLS.
        @raise OSError: when the connection is gone; C{TimeoutError} when nothing came in time.
        """
        deadline = self._clock() + seconds
        if self._talk is None:
            return self._arrived(deadline)
        while True:
            came = self._talk.read()
            if came is None:
                return b""
            if came:
                self._flushSoftly()
                return came
            arrived = self._arrived(deadline)
            if not arrived:
                return b""
            self._talk.take(arrived)

    def pathStats(self) -> PathStats | None:
        """
        See L{uotp.boundaries.Stream.pathStats}.
        """
        return self._line.pathStats()

    def close(self) -> None:
        """
        Close at once.
        """
        self._line.close()

    def _arrived(self, deadline: float) -> bytes:
        left = deadline - self._clock()
        if left <= 0:
            raise TimeoutError
        came = self._line.receive(left)
        if len(self.first) < FIRST_BYTES:
            self.first += came[: FIRST_BYTES - len(self.first)]
        return came

    def _flush(self, seconds: float) -> None:
        assert self._talk is not None
        outgoing = self._talk.outgoing()
        if outgoing:
            self._line.send(outgoing, seconds)

    def _flushSoftly(self) -> None:
        """
        Send what TLS has to say still, as an alert, where that can be done.
        """
        with suppress(OSError, HandshakeTrouble):
            self._flush(SOFT_SECONDS)
