"""
The streams that we have opened, whose sockets are marked and tuned before they connect.
"""

from __future__ import annotations

import os
import socket
from typing import Any

from twisted.internet import error, tcp
from twisted.python.failure import Failure

from uotp.net import TunnelSocketOptions, setMark, setSegmentSize, tuneTunnelSocket
from uotp.transport.phases import StreamEvent
from uotp.transport.preamble import AnyExchange, PreambleExchange
from uotp.transport.tcp import TcpStream
from uotp.transport.tls import TlsConnection, TlsStream


def attemptIsOver() -> None:
    """
    Do nothing, since there is no socket any more.
    """


class DialledTcpStream(TcpStream, tcp.Client):
    """
    Carries bytes over a TCP connection that we have opened.

    @cvar tuning: how its socket is set up.
    @cvar mark: its firewall mark, which is set before the first packet, or L{None}.
    """

    tuning = TunnelSocketOptions()
    mark: int | None = None

    def createInternetSocket(self) -> Any:
        """
        @return: the socket, marked and tuned.
        @raise OSError: without the privilege for the mark.
        """
        made = super().createInternetSocket()
        try:
            if self.mark is not None:
                setMark(made, self.mark)
        except OSError:
            made.close()
            raise
        tuneTunnelSocket(made, self.tuning)
        if self.connector.segmentSize is not None:
            setSegmentSize(made, self.connector.segmentSize)
        return made

    def doConnect(self) -> None:
        """
        Begin to connect, or go on, unless the attempt was given up before it had begun.
        """
        if hasattr(self, "connector"):
            super().doConnect()

    def failIfNotConnected(self, err: Any) -> None:
        """
        Give up an attempt that has not ended yet.  The reactor may call once more then, since it
        says in one turn that there is something to read and that there is room to write.

        Where the network has refused the connection, the reactor may know only that it is over.
        The socket knows why.

        @param err: why it is given up, as far as the caller knows.
        """
        if isinstance(err, error.ConnectError) and err.args and isinstance(err.args[0], Failure):
            err = err.args[0].value  # and not a text with all of it
        refusal = self._refusalBySocket()
        if not self.connected and not self.disconnected:
            self._exchange = None
            self._advance(StreamEvent.END)  # it may wait for a turn
        super().failIfNotConnected(refusal or err)
        if not self.connected and not self.disconnected:
            # Twisted has set them to a method of this stream.
            self.doRead = self.doWrite = attemptIsOver  # type: ignore[method-assign]

    def _refusalBySocket(self) -> Exception | None:
        """
        @return: what the network has answered to the attempt, which is told once, or L{None}.
        """
        if self.connected or self.disconnected or not hasattr(self, "socket"):
            return None
        try:
            number = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        except OSError:
            return None
        refusal: Exception | None = error.getConnectError((number, os.strerror(number))) if number else None
        return refusal

    def connectionLost(self, reason: Failure) -> None:
        """
        The connection is gone.
        """
        super().connectionLost(reason)
        if hasattr(self, "connector"):  # it is gone already where there was no connection
            del self.connector  # which knows its stream

    def _connectDone(self) -> None:
        """
        TCP is connected.  Where a preamble comes first, as with a proxy, there is no way to the server before it is
        over, so nobody has a connection yet.
        """
        if type(self).makePreamble is None:
            self._begin()
            super()._connectDone()
            return
        self._exchange = self._newExchange()
        self._bind()
        self.startReading()
        self.startWriting()
        self.connector.reached()

    def _newExchange(self) -> AnyExchange:
        """
        @return: what carries the preamble out.
        """
        make = type(self).makePreamble
        assert make is not None
        return PreambleExchange(make(), self.socket)

    def _preambleOver(self, exchange: AnyExchange) -> None:
        super()._preambleOver(exchange)
        super()._connectDone()


class DialledTlsStream(TlsStream, DialledTcpStream):
    """
    Carries bytes with TLS over a TCP connection that we have opened.

    @cvar creator: makes OpenSSL's connection for a socket.
    """

    creator: Any
    _hasBegun = False

    def _beginHandshake(self) -> None:
        super()._beginHandshake()
        self._awaitTurn()

    def _makeTls(self) -> TlsConnection:
        """
        @return: OpenSSL's connection to the server.
        """
        tls: TlsConnection = type(self).creator(self.socket)
        return tls

    def _shakeHands(self) -> Any:
        if not self._hasBegun:
            self._hasBegun = True
            self.tls = self._makeTls()
            self.tls.set_connect_state()
        return super()._shakeHands()
