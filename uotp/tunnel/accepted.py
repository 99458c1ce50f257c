"""
The server's end of a tunnel.  It knows nothing of who may come in: its owner decides.
"""

from __future__ import annotations

from typing import Any

from uotp.boundaries import CarriedSession
from uotp.errors import PeerError, Refusal
from uotp.tunnel.heartbeat import ACCEPTED_GIVE_UP_SECONDS, ACCEPTED_IDLE_SECONDS
from uotp.tunnel.states import AcceptedTunnelOwner, TunnelState
from uotp.tunnel.tunnel import Tunnel
from uotp.wire import ClientHelloDecoder, ServerHello, ServerStatus, WireFormat, encodeServerHello

TLS_HANDSHAKE = b"\x16\x03"
"""How TLS begins."""


class AcceptedTunnel(Tunnel):
    """
    Is the server's end of a tunnel: it waits for the client's hello, and opens when its
    owner tells it which session to carry for.

    @ivar isSecured: whether the handshake of TLS is done, or there is none.
    @ivar shown: all that has come before it was welcome.
    """

    giveUpSeconds = ACCEPTED_GIVE_UP_SECONDS
    idleSeconds = ACCEPTED_IDLE_SECONDS

    def __init__(self, clock: Any, owner: AcceptedTunnelOwner[Any], *, pads: bool = False) -> None:
        """
        See L{Tunnel}.
        """
        super().__init__(clock, owner, pads=pads)
        self._acceptedBy = owner
        self._helloDecoder = ClientHelloDecoder()
        self.isSecured = False
        self.shown = b""
        self._rest = b""

    def _secured(self) -> None:
        """
        Only say so, since the peer speaks first.
        """
        self.isSecured = True
        self._acceptedBy.tunnelSecured(self)

    def welcome(
        self, session: CarriedSession, *, isNew: bool, keptSeconds: float, instance: bytes | None = None
    ) -> None:
        """
        Open the tunnel for a session, and take what has come behind the hello.  In format 2, tell
        the client that it is open.

        @param isNew: whether the session was not known before.
        @param keptSeconds: for how long the session is kept without a tunnel.
        @param instance: what names this start of the server.
        """
        self.transport.admit()
        if self.wireFormat is WireFormat.TWO:
            hello = ServerHello(True, isNew, int(keptSeconds), instance)
            self.transport.write(encodeServerHello(hello, pads=self._pads))
        self.carryFor(session)
        rest, self._rest, self.shown = self._rest, b"", b""
        if rest and self.link is not None:
            self.link.received(rest)

    def refuse(self) -> None:
        """
        Close the tunnel.  In format 2, tell the client that it is refused, but not why.
        """
        self._rest = self.shown = b""
        if self.wireFormat is WireFormat.TWO:
            self.transport.write(encodeServerHello(ServerHello(welcome=False), pads=self._pads))
            self.close()
        else:
            self.abort()

    def dataReceived(self, data: bytes) -> None:
        """
        Take the hello.  Frames may come in the same read.  Whoever answers it later lets nothing
        more be read until then.
        """
        self._heardHello = True
        if self.state is not TunnelState.HELLO:
            return
        self.shown += data
        try:
            heard = self._helloDecoder.feed(data)
        except PeerError as error:
            self._acceptedBy.noHello(self, error)
            return
        if heard is None:
            return
        hello, self._rest = heard
        self.wireFormat, self._quickAcks = hello.wireFormat, hello.quickAcks
        self._acceptedBy.helloReceived(self, hello)

    def readConnectionLost(self) -> None:
        """
        The client has said all, and no hello.  That is told only where somebody else may answer.
        """
        self._acceptedBy.peerEnded(self)

    @property
    def hearsTls(self) -> bool:
        """
        Whether the client speaks TLS, where there is none.
        """
        return self.security is None and self.shown.startswith(TLS_HANDSHAKE)

    def sayNoTls(self, error: PeerError) -> None:
        """
        Let a client that speaks TLS know that there is none here: it understands no word of ours, but
        knows by what it begins with whose it is.
        """
        self.fault, self.faultKind = str(error), Refusal.NO_TLS
        self.transport.write(encodeServerHello(ServerHello(welcome=False)))
        self.close()

    def peerLeft(self) -> None:
        """
        The client has said bye: its session is over.
        """
        self._acceptedBy.peerLeft(self)

    def status(self) -> ServerStatus | None:
        """
        See L{uotp.tunnel.link.LinkOwner}.
        """
        return self._acceptedBy.status(self)
