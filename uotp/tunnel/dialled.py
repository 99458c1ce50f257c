"""
The client's end of a tunnel.  It knows nothing of how it was dialled.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from uotp.boundaries import Upgrade
from uotp.errors import PeerError
from uotp.order import AUTO_ORDER, Order
from uotp.telemetry import spelled
from uotp.tunnel.states import DialledTunnelOwner, TunnelEvent, TunnelState
from uotp.tunnel.tunnel import Tunnel
from uotp.wire import (
    ClientHello,
    Kind,
    ServerHello,
    ServerHelloDecoder,
    Token,
    WireChoice,
    WireFormat,
    answersAsWebServer,
    controlFrame,
    encodeClientHello,
    formatToDial,
    padded,
)

ONLY_FORMAT_1 = (
    "it speaks only format 1, in which no token can be shown; if it is older than we are, or ends TLS before a server "
    "of format 2, say {wire} 2"
)
"""When we have a token, and the other end does not choose format 2."""

HTTP_2 = (
    "the web server there has chosen HTTP/2, in which we open no WebSocket: leave h2 out of what is offered by ALPN"
)
"""When the other end of a WebSocket to be speaks another HTTP, since we have offered it."""

NO_HANDSHAKE = "in the TLS handshake, without a word: its log, or a firewall's, may say why"
NO_UPGRADE = "before it answered the HTTP request: its log may say why, or it is no web server"
NO_ANSWER = "before it answered the hello: its log may say why, or it is no uotp server of format 2"
NOTHING_CAME = "before anything came: its log may say why, or it is no uotp server (format 1 does not tell)"
"""When a connection has ended before we know that the other end is a uotp server."""

WEB_SERVER = ", but a web server"
"""What such an end may mean where a protocol of the web was chosen by ALPN."""

SHOWN_IN_VAIN = "; or the server does not know our token ({setting})"
NOTHING_TO_SHOW = "; or the server wants a token ({setting}), and we have none"
"""A server of ours may answer like a web server to who shows no token that it knows."""

WEB_NAMES = b"http/"
"""How the names of protocols begin that web servers choose, but for C{h2}."""


EARLY_STATES = frozenset({TunnelState.HANDSHAKE, TunnelState.UPGRADING, TunnelState.HELLO, TunnelState.OPEN})
"""The states in which a connection may end because the other end is none of ours."""


class DialledTunnel(Tunnel):
    """
    Is the client's end of a tunnel: it says its hello first.  In format 1 it is open at
    once, in format 2 when the server has welcomed it.  Where it goes to a web server, that is
    asked before the hello to go on with WebSocket.

    @ivar answer: the server's answer to the hello, in format 2; L{None} before it came.
    @ivar wasTurnedAway: whether a web server has answered that it does not go on with WebSocket.
    """

    def __init__(
        self,
        clock: Any,
        owner: DialledTunnelOwner[Any],
        sessionId: bytes,
        wire: WireChoice = WireChoice.AUTO,
        order: Order = AUTO_ORDER,
        token: Token | None = None,
        upgrade: Upgrade | None = None,
        *,
        pads: bool = False,
        quickAcks: bool = False,
    ) -> None:
        """
        @param sessionId: of the session that the tunnel is to carry for.
        @param wire: which formats may be spoken.
        @param order: how the datagrams of that session are to be put in order.
        @param token: what is shown to the server, if it wants that.
        @param upgrade: asks a web server to go on with WebSocket; L{None} to go on without.
        @param pads: see L{Tunnel}.
        @param quickAcks: whether both ends are to acknowledge at once what comes, in format 2: a proxy between
            may hold back what follows until then.
        """
        super().__init__(clock, owner, pads=pads)
        self._dialledBy = owner
        self._sessionId = sessionId
        self._wire = wire
        self._order = order
        self._shownToken = token
        self._upgrade = upgrade
        self._quickAcks = quickAcks
        self.wasTurnedAway = False
        self._answerDecoder = ServerHelloDecoder()
        self.answer: ServerHello | None = None

    def connectionMade(self) -> None:
        """
        TCP is connected.  With TLS the handshake comes next.
        """
        super().connectionMade()
        self._dialledBy.tunnelAdvanced(self)

    def _secured(self) -> None:
        upgrade, security = self._upgrade, self.security
        if upgrade is None:
            self._greet(formatToDial(self._wire, None if security is None else security.protocol))
        elif security is not None and security.protocol == b"h2":
            self.misbehaved(PeerError(HTTP_2))
        else:
            self._advance(TunnelEvent.ASKED)
            self.transport.write(upgrade.request())
            self._dialledBy.tunnelAdvanced(self)

    def _hearUpgrade(self, data: bytes) -> None:
        """
        Take the web server's answer.
        """
        assert self._upgrade is not None
        try:
            rest = self._upgrade.received(data)
        except PeerError as error:
            self.wasTurnedAway = True
            self.misbehaved(error)
            return
        if rest is None:
            return
        self._upgrade = None
        self._advance(TunnelEvent.UPGRADED)
        self.transport.becomeWebSocket(rest, masks=True)
        if self.state is TunnelState.HELLO:  # what goes on with WebSocket at that path is none of the original's
            self._greet(WireFormat.ONE if self._wire is WireChoice.ONE else WireFormat.TWO)

    def _greet(self, wireFormat: WireFormat) -> None:
        """
        Say the hello.
        """
        self.wireFormat = wireFormat
        if self.wireFormat is WireFormat.ONE and self._shownToken is not None:
            self.misbehaved(PeerError(ONLY_FORMAT_1.format(wire=spelled("wire"))))
            return
        hello = ClientHello(self.wireFormat, self._sessionId, self._order, self._shownToken, self._quickAcks)
        self.transport.write(encodeClientHello(hello, pads=self._pads))
        self._dialledBy.tunnelAdvanced(self)
        if self.wireFormat is WireFormat.ONE:
            self._dialledBy.tunnelOpened(self)

    def dataReceived(self, data: bytes) -> None:
        """
        Take the server's answer.  Frames may come in the same read.
        """
        if self.state is TunnelState.UPGRADING:
            self._hearUpgrade(data)
            return
        self._heardHello = True
        if self.state is not TunnelState.HELLO or self.wireFormat is WireFormat.ONE or self.answer is not None:
            return
        try:
            answered = self._answerDecoder.feed(data)
            if answered is None:
                return
            self.answer, rest = answered
        except PeerError as error:
            self.misbehaved(PeerError(f"{error}{self._tokenWords}") if answersAsWebServer(data) else error)
            return
        if not self.answer.welcome:
            self.misbehaved(PeerError("the server refuses the session; its log says why"))
            return
        self._dialledBy.tunnelOpened(self)
        if rest and self.link is not None:
            self.link.received(rest)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Say why, as far as what the other end has said tells it.
        """
        isEarly = self.state in EARLY_STATES
        if isEarly and self.fault is None and self.refusal is None:
            self.fault = self._suspicion(reason)
        super().connectionLost(reason)

    def _suspicion(self, reason: Failure) -> str | None:
        """
        @return: what may be wrong where the other end has closed early, or is none of ours.
        """
        kind = reason.check(ConnectionDone, ConnectionLost)
        if kind is None:
            return None
        how = "closed by the other end" if kind is ConnectionDone else "connection lost"
        if self.state is TunnelState.HANDSHAKE and self.security is not None:
            return f"{how} {NO_HANDSHAKE} (or was {spelled('tls=None')} said there?)"
        if self.state is TunnelState.UPGRADING:
            return f"{how} {NO_UPGRADE}"
        if self.state is TunnelState.HELLO:
            return f"{how} {NO_ANSWER}" + (f"{WEB_SERVER}{self._tokenWords}" if self._hasWebProtocol else "")
        if self.wireFormat is WireFormat.ONE:
            return self.speech or (None if self.heard else f"{how} {NOTHING_CAME}")
        return None

    def bye(self) -> None:
        """
        See L{Tunnel.bye}.  Whoever does not want a tunnel that was welcomed may say so before it carries.
        """
        if self.state is TunnelState.HELLO and self.answer is not None and self.answer.welcome:
            frame = controlFrame(Kind.BYE)
            self.transport.write(padded(frame) if self._pads else frame)
        super().bye()

    @property
    def _hasWebProtocol(self) -> bool:
        protocol = None if self.security is None else self.security.protocol
        return self._upgrade is None and protocol is not None and protocol.startswith(WEB_NAMES)

    @property
    def _tokenWords(self) -> str:
        words = NOTHING_TO_SHOW if self._shownToken is None else SHOWN_IN_VAIN
        return words.format(setting=spelled("tokenFile"))

    def pongOverdue(self) -> None:
        """
        See L{uotp.tunnel.link.LinkOwner}.
        """
        self._dialledBy.pongOverdue(self)

    def pongCame(self) -> None:
        """
        See L{uotp.tunnel.link.LinkOwner}.
        """
        self._dialledBy.pongCame(self)

    def peerLeft(self) -> None:
        """
        Refuse the server's bye, which only a client may say.

        @raise PeerError: always.
        """
        reason = "it took its leave, which only a client may"
        raise PeerError(reason)
