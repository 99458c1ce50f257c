"""
Format 2 on an open tunnel, for an examination: pings that are waited for, queries, padding, and lone datagrams.
The server's own pings are answered.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from uotp.doctor.channel import ServerChannel
from uotp.errors import PeerError
from uotp.path import PathStats
from uotp.tls.inspection import HandshakeTrouble
from uotp.train import Numbering, Train, countOf
from uotp.wire import PING_BYTES, Format2Codec, Kind, ServerStatus, controlFrame, statusOf


class TunnelGone(Exception):
    """
    Is raised when the other end does not answer, or the connection is gone.  Its text says which, in words.
    """


class OpenTunnel:
    """
    Speaks format 2 on a tunnel that the server has welcomed.

    @ivar datagrams: how many the target has sent.
    """

    def __init__(self, channel: ServerChannel, clock: Callable[[], float]) -> None:
        """
        @param channel: the connection, after the hello.
        @param clock: monotonic seconds.
        """
        self._channel = channel
        self._clock = clock
        self._codec = Format2Codec(Numbering())
        self._count = 0
        self._awaited: bytes | None = None  # what the pong carries that answers our ping
        self._status: ServerStatus | None = None
        self.datagrams = 0

    def ping(self, seconds: float, behind: bytes = b"") -> float:
        """
        Ask the server's program for an answer.

        @param seconds: how long it may take.
        @param behind: frames that are sent before the ping, with the same write.
        @return: how long it took, in seconds.
        @raise TunnelGone: when none came.
        """
        self._count += 1
        payload = self._awaited = self._count.to_bytes(PING_BYTES, "big")
        began = self._clock()
        self._send(behind + controlFrame(Kind.PING, payload), seconds)
        deadline = began + seconds
        while self._awaited is not None:
            self._read(deadline)
        return self._clock() - began

    def status(self, seconds: float) -> ServerStatus | None:
        """
        Ask the server how it stands.

        @return: what it says; L{None} when it does not know the question.
        @raise TunnelGone: when it does not answer at all.
        """
        self._status = None
        self.ping(seconds, controlFrame(Kind.QUERY))
        # An older server skips the query, and answers the ping alone.
        return self._status

    def sendDatagram(self, payload: bytes, seconds: float) -> None:
        """
        Send one datagram to the target.

        @raise TunnelGone: when that cannot be done.
        """
        self._send(self._codec.encode([Train(len(payload), payload)]), seconds)

    def listen(self, seconds: float, enough: Callable[[], bool]) -> None:
        """
        Take what comes.

        @param seconds: for so long.
        @param enough: tells whether to stop before that.
        @raise TunnelGone: when the connection is gone.
        """
        deadline = self._clock() + seconds
        while not enough() and self._clock() < deadline:
            with suppress(TimeoutError):
                self._readOnce(deadline)

    def pad(self, size: int, seconds: float) -> None:
        """
        Send a frame that the server skips.

        @param size: of its payload, in bytes.
        @raise TunnelGone: when that cannot be done.
        """
        self._send(controlFrame(Kind.PADDING, bytes(size)), seconds)

    def bye(self) -> None:
        """
        Say that the session is over, and close.
        """
        with suppress(TunnelGone):
            self._send(controlFrame(Kind.BYE), 1.0)
        self._channel.close()

    def pathStats(self) -> PathStats | None:
        """
        See L{uotp.boundaries.Stream.pathStats}.
        """
        return self._channel.pathStats()

    def _send(self, frames: bytes, seconds: float) -> None:
        try:
            self._channel.send(frames, seconds)
        except TimeoutError as error:
            reason = f"what was sent is not acknowledged within {seconds:g} s"
            raise TunnelGone(reason) from error
        except (HandshakeTrouble, OSError) as error:
            raise TunnelGone(goneWords(error)) from error

    def _read(self, deadline: float) -> None:
        try:
            self._readOnce(deadline)
        except TimeoutError as error:
            reason = "no answer came in time"
            raise TunnelGone(reason) from error

    def _readOnce(self, deadline: float) -> None:
        try:
            came = self._channel.receive(max(deadline - self._clock(), 0.0))
        except TimeoutError:
            raise
        except (HandshakeTrouble, OSError) as error:
            raise TunnelGone(goneWords(error)) from error
        if not came:
            reason = "the server has closed the connection"
            raise TunnelGone(reason)
        self.take(came)

    def take(self, data: bytes) -> None:
        """
        Obey what has come.  Of several pings at one go the last one is answered: whoever sends thousands and reads
        slowly would keep us for hours.

        @raise TunnelGone: when no uotp sends that, or the server ends the tunnel.
        """
        try:
            decoded = self._codec.decode(data)
        except PeerError as error:
            raise TunnelGone(str(error)) from error
        self.datagrams += countOf([train for _, train in (*decoded.arrivals, *decoded.again)])
        ping: bytes | None = None
        for kind, payload in decoded.controls:
            if kind is Kind.PONG:
                self._awaited = None if payload == self._awaited else self._awaited
            elif kind is Kind.PING:
                ping = payload
            elif kind is Kind.STATUS:
                self._status = statusOf(payload)
            elif kind is Kind.DRAIN:
                reason = "the server ends the tunnel: it stops"
                raise TunnelGone(reason)
        if ping is not None:
            self._send(controlFrame(Kind.PONG, ping), 1.0)


def goneWords(error: HandshakeTrouble | OSError) -> str:
    """
    @return: that a connection is gone, and why.
    """
    if isinstance(error, HandshakeTrouble):
        return error.words or "the connection ended"
    return f"the connection is gone: {error.strerror or 'it was closed'}"
