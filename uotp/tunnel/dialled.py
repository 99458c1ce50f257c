"""
The client's end of a tunnel, which speaks first.
"""

from __future__ import annotations

from typing import Any

from uotp.errors import PeerError
from uotp.tunnel.states import DialledTunnelOwner, TunnelState
from uotp.tunnel.tunnel import Tunnel
from uotp.wire import (
    ClientHello,
    ServerHello,
    ServerHelloDecoder,
    WireChoice,
    WireFormat,
    encodeClientHello,
    formatToDial,
)


class DialledTunnel(Tunnel):
    """
    The client's end: says its hello, and is open at once in format 1, when it is
    welcome in format 2.

    @ivar answer: what the server has said to the hello, in format 2.
    """

    def __init__(
        self, clock: Any, owner: DialledTunnelOwner[Any], sessionId: bytes, wire: WireChoice = WireChoice.AUTO
    ) -> None:
        """
        @param sessionId: of the session that the tunnel is to carry for.
        @param wire: which formats may be spoken.
        """
        super().__init__(clock, owner)
        self._dialledBy = owner
        self._sessionId = sessionId
        self._wire = wire
        self._answerDecoder = ServerHelloDecoder()
        self.answer: ServerHello | None = None

    def _secured(self) -> None:
        security = self.security
        self.wireFormat = formatToDial(self._wire, None if security is None else security.protocol)
        self.transport.write(encodeClientHello(ClientHello(self.wireFormat, self._sessionId)))
        if self.wireFormat is WireFormat.ONE:
            self._dialledBy.tunnelOpened(self)

    def dataReceived(self, data: bytes) -> None:
        """
        The server's answer comes first, and frames may come in the same breath.
        """
        self._heardHello = True
        if self.state is not TunnelState.HELLO or self.wireFormat is WireFormat.ONE:
            return
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
        self._dialledBy.tunnelOpened(self)
        if rest and self.link is not None:
            self.link.received(rest)

    def peerLeft(self) -> None:
        """
        Only a client may.
        """
        reason = "it took its leave, which only a client may"
        raise PeerError(reason)
