"""
Where connections come in.  A connection that nobody has said anything on costs a socket and
little more: no stream, no TLS, no timer.  Who connects to us speaks first, with either format
and with TLS or without.  With his first bytes the connection waits for its turn to shake
hands, and becomes a stream then.  A balancer that is known says before that for whom it has dialled.

How many are accepted in one turn of the reactor is bounded, and when the system has no
descriptor or no memory left, accepting rests for a moment.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet import main, tcp
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from uotp.errors import PeerError
from uotp.net import bindable, ownerOf, setSegmentSize, shownHost
from uotp.telemetry import Logger
from uotp.transport.handshakes import HandshakeQueue
from uotp.transport.proxyheader import HeaderExchange
from uotp.transport.watch import ReactorWatch, Watch, newWatch

ACCEPT_SECONDS = 0.001
"""So long connections are accepted in one turn of the reactor; each takes some 30 microseconds."""

MAX_ACCEPTED = 64
"""So many are accepted in one turn at the most."""

REST_SECONDS = 0.2
"""Until we try again to accept when the system had nothing left: those who come wait in its queue."""

RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: close at once, so that the kernel keeps nothing of the connection either."""

PASSING = frozenset({errno.ECONNABORTED, errno.EPERM, errno.EINTR, errno.EPROTO})
"""Errors that concern one connection, which has gone: the peer has, or a firewall does not want it."""


DONE = Failure(main.CONNECTION_DONE)
"""Why a port is closed that is not needed any more."""


class Reception(Protocol):
    """
    Decides about connections that come in.
    """

    def arrived(self, newcomer: Newcomer) -> None:
        """
        A connection was accepted.
        """

    def mustAnnounce(self, host: str) -> bool:
        """
        @param host: the address that a connection comes from.
        @return: whether it has to say first, by the PROXY protocol, for whom it comes.
        """

    def announced(self, newcomer: Newcomer, before: str) -> None:
        """
        It has said for whom it comes, and has another address and owner now, or the same if it comes for itself.

        @param before: its owner until now.
        """

    def refused(self, newcomer: Newcomer, error: PeerError) -> None:
        """
        It has not said for whom it comes as it has to, and is closed.
        """

    def begin(self, newcomer: Newcomer) -> None:
        """
        Something has come on it, and it is its turn: call C{newcomer.become} next.
        """

    def left(self, newcomer: Newcomer) -> None:
        """
        It has gone before it became a stream, and not because we wanted it to.
        """

    def giveOneUp(self) -> bool:
        """
        The system has no descriptor left, or no memory: abort a connection.

        @return: whether there was one that could be.
        """

    def cannotAccept(self, reason: str) -> None:
        """
        The system has nothing left, for the log.
        """


class Newcomer:
    """
    Is a connection that was accepted, from when it comes in until its peer has shown who he
    is.  It becomes a stream when it has its first turn.

    @ivar host: the address that it comes from; once a balancer has said for whom it has dialled, that one's.
    @ivar owner: who is there, see L{uotp.net.ownerOf}.
    @ivar since: when it was accepted.
    @ivar isAskedFor: whether somebody else is asked where it belongs.
    @ivar hasWaited: whether it was called in, since nothing came on it for a moment.
    @cvar hops: how often it was handed from one worker to another.
    @cvar isRelayed: whether another worker has it.
    """

    hops = 0
    isRelayed = False
    __slots__ = (
        "_address",
        "_awaited",
        "_isGone",
        "_listener",
        "_socket",
        "_stream",
        "hasWaited",
        "host",
        "isAskedFor",
        "owner",
        "since",
    )

    def __init__(
        self, listener: Listener, accepted: socket.socket, address: tuple[Any, ...], *, awaitsHeader: bool = False
    ) -> None:
        """
        @param listener: who has accepted it.
        @param accepted: its socket.
        @param address: where it comes from, as the socket module has it.
        @param awaitsHeader: whether it has to say first for whom it comes.
        """
        self._listener = listener
        self._socket = accepted
        self._address = address
        self._stream: Any = None
        self._awaited = HeaderExchange(accepted) if awaitsHeader else None
        self._isGone = False
        self.host: str = address[0]
        self.owner = ownerOf(self.host)
        self.since: float = listener.reactor.seconds()
        self.isAskedFor = self.hasWaited = False
        accepted.setblocking(False)
        listener.watch.add(self)

    # What the reactor calls.

    def fileno(self) -> int:
        """
        See C{IFileDescriptor}.
        """
        return self._socket.fileno()

    def logPrefix(self) -> str:
        """
        See C{ILoggingContext}.
        """
        return "Newcomer"

    def doRead(self) -> None:
        """
        Something has come: wait for a turn.
        """
        if self._awaited is not None and not self._hasAnnounced(self._awaited):
            return
        try:
            begun = self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return
        except OSError:
            self._lose()
            return
        if begun:
            self._awaitTurn()
        else:
            self._lose(resets=False)

    def _awaitTurn(self) -> None:
        self._listener.watch.remove(self)
        self._listener.handshakes.join(self.owner, self, begun=False)

    def _hasAnnounced(self, exchange: HeaderExchange) -> bool:
        """
        Read of the header what has come.

        @return: whether the connection goes on here.
        """
        try:
            exchange.goOn()
        except PeerError as error:
            self._close()
            self._listener.reception.refused(self, error)
            return False
        except EOFError:
            self._lose(resets=False)
            return False
        except OSError:
            self._lose()
            return False
        if not exchange.hasHeardAll:
            return False
        self._awaited = None
        before, source = self.owner, exchange.header.source
        if source is not None:
            self.host = source[0]
            self.owner = ownerOf(self.host)
            self._address = (*source, 0, 0) if ":" in self.host else source
        self._listener.reception.announced(self, before)
        return not self._isGone

    def connectionLost(self, reason: Failure) -> None:
        """
        The connection is gone, or the reactor stops.
        """
        self._lose()

    def _lose(self, *, resets: bool = True) -> None:
        """
        @param resets: whether the kernel is to keep nothing of it.  Whoever has gone in good order is answered in
            good order, as by any server.
        """
        if not self._isGone:
            self._close(resets=resets)
            self._listener.reception.left(self)

    def _leave(self) -> None:
        self._isGone = True
        self._listener.watch.remove(self)
        self._listener.handshakes.leave(self.owner, self)

    def _close(self, *, resets: bool = True) -> None:
        self._leave()
        if not resets:
            self._socket.close()
            return
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        except OSError:  # it was reset by the peer, and there is nothing to say
            pass
        finally:
            self._socket.close()

    # What others do with it.

    @property
    def awaitsHeader(self) -> bool:
        """
        Whether it has to say for whom it comes, and has not.
        """
        return self._awaited is not None

    @property
    def port(self) -> int:
        """
        The port that it comes from, at its host.
        """
        return int(self._address[1])

    def surrender(self) -> socket.socket:
        """
        Give the connection up without ending it, before it has become a stream.

        @return: the socket, which does not block.
        """
        self._leave()
        return self._socket

    def comeIn(self) -> None:
        """
        Wait for a turn, though nothing has come on it.
        """
        if not self._isGone and self._stream is None and self._awaited is None:
            self.hasWaited = True
            self._awaitTurn()

    def goOn(self) -> None:
        """
        See L{uotp.transport.handshakes.Step}.
        """
        if not self._isGone:
            self._listener.reception.begin(self)

    def become(self, makeStream: Callable[..., Any], protocol: Any) -> None:
        """
        Become a stream, and take its first turn.

        @param makeStream: makes the stream; its arguments are those of C{tcp.Server}.
        @param protocol: whom the stream calls.
        """
        listener = self._listener
        listener.sessionno += 1
        self._stream = makeStream(self._socket, protocol, self._address, listener, listener.sessionno, listener.reactor)
        protocol.makeConnection(self._stream)
        self._stream.goOn()

    def abort(self) -> None:
        """
        Close it now, whatever has become of it.
        """
        if self._stream is not None:
            self._stream.abort()
        elif not self._isGone:
            self._close()


class Listener(tcp.Port):
    """
    Listens on a TCP port, and accepts a bounded number of connections in one turn.

    @ivar reception: decides about them.
    @ivar handshakes: gives them their turns.
    @ivar watch: watches those on which nothing has come, while the port is open.
    """

    watch: Watch | ReactorWatch
    reactor: Any
    _guardLog = Logger()

    def __init__(
        self,
        address: tuple[str, int],
        reception: Any,
        handshakes: HandshakeQueue,
        backlog: int,
        reactor: Any,
        segmentSize: int | None = None,
    ) -> None:
        """
        @param address: numeric address and port.
        @param reception: a L{Reception}, which is a C{Factory} besides.
        @param backlog: how many connections the kernel accepts ahead of us.
        @param segmentSize: the largest TCP segment of a connection, both ways; L{None} for as
            large as the system likes.
        """
        self._segmentSize = segmentSize
        super().__init__(address[1], reception, backlog, address[0], reactor)
        self._wanted = address
        self.reception: Reception = reception
        self.handshakes = handshakes
        self._goingOn: IDelayedCall | None = None

    def createInternetSocket(self) -> Any:
        """
        @return: the socket, whose connections take over what is set on it.
        """
        made = super().createInternetSocket()
        if self._segmentSize is not None:
            setSegmentSize(made, self._segmentSize)
        return made

    def adopt(self, given: socket.socket) -> None:
        """
        Listen on a socket that somebody else has bound, in place of one of our own.
        """
        self._preexistingSocket = given

    def startListening(self) -> None:
        """
        Bind the port.

        @raise CannotListenError: when it cannot be had.
        """
        try:
            if self._preexistingSocket is None:
                bindable(self._wanted)
            watch = newWatch(self.reactor)
        except OSError as error:
            raise CannotListenError(*self._wanted, error) from error
        try:
            super().startListening()
        except Exception:
            watch.close()
            raise
        self.watch = watch

    def connectionLost(self, reason: Failure) -> None:
        """
        The port is closed.
        """
        super().connectionLost(reason)
        self.watch.close()

    def doRead(self) -> None:
        """
        Accept connections, for a short time.
        """
        end = self.reactor.seconds() + ACCEPT_SECONDS
        for accepts in range(MAX_ACCEPTED):
            try:
                accepted, address = self.socket.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in PASSING:
                    continue
                if not accepts:  # later the kernel says so too when nobody is left; if somebody is, we are called
                    self._rest(error)
                return
            try:
                came = peerAddress(address)
                awaitsHeader = self.reception.mustAnnounce(came[0])
                self.reception.arrived(Newcomer(self, accepted, came, awaitsHeader=awaitsHeader))
            except Exception:  # noqa: BLE001 - or the reactor would close this port
                self._guardLog.failure("a connection that was accepted is lost")
                accepted.close()
            if self.reactor.seconds() >= end:
                return

    def receive(self, given: socket.socket, host: str, port: int) -> None:
        """
        Another process has accepted a connection, and has read for whom it comes.

        @param given: its socket, from now on ours to close.
        @param host: the numeric address of the client.
        @param port: the port there.
        """
        address = (host, port, 0, 0) if ":" in host else (host, port)
        self.reception.arrived(Newcomer(self, given, address))

    def _rest(self, error: OSError) -> None:
        """
        The system has no descriptor left, or no memory.  Those who come wait in its queue; do not
        let them wake us until there may be something for them.
        """
        self.reception.cannotAccept(error.strerror or str(error))
        if not self.reception.giveOneUp():
            self.stopReading()
            self._goingOn = self.reactor.callLater(REST_SECONDS, self._goOn)

    def _goOn(self) -> None:
        self._goingOn = None
        self.startReading()

    def loseConnection(self, connDone: Any = DONE) -> Any:
        """
        Accept nothing more.

        @return: fires when the port is closed.
        """
        if self._goingOn is not None:
            self._goingOn.cancel()
            self._goingOn = None
        return super().loseConnection(connDone)

    stopListening = loseConnection


def peerAddress(address: tuple[Any, ...]) -> tuple[Any, ...]:
    """
    @param address: of a connection that was accepted, as the socket module has it.
    @return: the same, with the network interface where the address needs one; and that of whoever has come by
        IPv4 as one of IPv4.
    """
    shown = shownHost(address[0])
    if shown != address[0]:
        return shown, address[1]
    isLocal = len(address) > 3 and address[3]  # noqa: PLR2004 - host, port, flow, zone
    if not isLocal:
        return address
    host, _ = socket.getnameinfo(address, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)
    return (host, *address[1:])


def listenOn(given: socket.socket, reception: Any, handshakes: HandshakeQueue, reactor: Any) -> Listener:
    """
    Accept connections at a socket that listens already, and is not ours alone.

    @param given: the socket, from now on the listener's to close.
    """
    host, port, *_ = given.getsockname()
    listener = Listener((host, port), reception, handshakes, 0, reactor)
    given.setblocking(False)
    listener.adopt(given)
    listener.startListening()
    return listener


def listen(
    address: tuple[str, int],
    reception: Any,
    handshakes: HandshakeQueue,
    backlog: int,
    reactor: Any,
    segmentSize: int | None = None,
) -> Listener:
    """
    Begin to listen.  See L{Listener} for the arguments.

    @raise CannotListenError: when the port cannot be had.
    """
    listener = Listener(address, reception, handshakes, backlog, reactor, segmentSize)
    listener.startListening()
    return listener
