"""
The two ends of a tunnel, which differ in who speaks first.
"""

from __future__ import annotations

from typing import Any

from uotp.boundaries import TrainsOfTunnel
from uotp.errors import PeerError
from uotp.tunnel.heartbeat import ACCEPTED_GIVE_UP_SECONDS
from uotp.tunnel.states import State, TunnelOwner
from uotp.tunnel.tunnel import Tunnel
from uotp.wire.hello import (
    ClientHello,
    ClientHelloDecoder,
    ServerHello,
    ServerHelloDecoder,
    WireFormat,
    encodeClientHello,
    encodeServerHello,
)
from uotp.wire.negotiation import WireChoice, formatToDial


class DialledTunnel(Tunnel):
    """
    The client's end: says its hello, and is open at once in format 1, when it is
    welcome in format 2.

    @ivar answer: what the server has said to the hello, in format 2.
    """

    def __init__(
        self, clock: Any, owner: TunnelOwner[Any], sessionId: bytes, wire: WireChoice = WireChoice.AUTO
    ) -> None:
        """
        @param sessionId: of the session that the tunnel is to carry for.
        @param wire: which formats may be spoken.
        """
        super().__init__(clock, owner)
        self._sessionId = sessionId
        self._wire = wire
        self._answerDecoder = ServerHelloDecoder()
        self.answer: ServerHello | None = None

    def _secured(self) -> None:
        tls = self.tlsConnection()
        self.wireFormat = formatToDial(self._wire, None if tls is None else tls.get_alpn_proto_negotiated())
        self.transport.write(encodeClientHello(ClientHello(self.wireFormat, self._sessionId)))
        if self.wireFormat is WireFormat.ONE:
            self._owner.tunnelOpened(self)

    def dataReceived(self, data: bytes) -> None:
        """
        The server's answer comes first, and frames may come in the same breath.
        """
        if self.state is not State.HELLO or self.wireFormat is WireFormat.ONE:
            super().dataReceived(data)
            return
        self.heard = True
        try:
            answered = self._answerDecoder.feed(data)
            if answered is None:
                return
            self.answer, rest = answered
        except PeerError as error:
            self.misbehaved(error)
            return
        if not self.answer.welcome:
            self.misbehaved(PeerError("the server refuses the session; its log says why"))
            return
        self._owner.tunnelOpened(self)
        if rest:
            super().dataReceived(rest)

    def peerLeaves(self) -> None:
        """
        Only a client may.
        """
        reason = "it took its leave, which only a client may"
        raise PeerError(reason)


class AcceptedTunnel(Tunnel):
    """
    The server's end: waits for the hello, and opens when it has been told whom to
    carry for.
    """

    giveUpSeconds = ACCEPTED_GIVE_UP_SECONDS

    def __init__(self, clock: Any, owner: TunnelOwner[Any]) -> None:
        """
        See L{Tunnel}.
        """
        super().__init__(clock, owner)
        self._helloDecoder = ClientHelloDecoder()

    def _secured(self) -> None:
        """
        Nothing to do: the peer speaks first.
        """

    def welcome(self, session: TrainsOfTunnel, *, isNew: bool, keptSeconds: float) -> None:
        """
        Say that the tunnel may carry, as far as that can be said, and open it.

        @param isNew: whether the session was not known before.
        @param keptSeconds: for how long the session is kept without a tunnel.
        """
        if self.wireFormat is WireFormat.TWO:
            self.transport.write(encodeServerHello(ServerHello(True, isNew, int(keptSeconds))))
        self.carryFor(session)

    def refuse(self) -> None:
        """
        Say that the tunnel may not carry, as far as that can be said, and not why.
        """
        if self.wireFormat is WireFormat.TWO:
            self.transport.write(encodeServerHello(ServerHello(welcome=False)))
            self.close()
        else:
            self.abort()

    def dataReceived(self, data: bytes) -> None:
        """
        The hello comes first, and frames may come in the same breath.
        """
        if self.state is not State.HELLO:
            super().dataReceived(data)
            return
        self.heard = True
        try:
            heard = self._helloDecoder.feed(data)
        except PeerError as error:
            self.misbehaved(error)
            return
        if heard is None:
            return
        hello, rest = heard
        self.wireFormat = hello.wireFormat
        self._owner.helloReceived(self, hello)
        if rest:
            super().dataReceived(rest)
