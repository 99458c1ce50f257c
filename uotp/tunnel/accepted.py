"""
The server's end of a tunnel, which waits for the client's hello.
"""

from __future__ import annotations

from typing import Any

from uotp.boundaries import CarriedSession
from uotp.errors import PeerError
from uotp.tunnel.heartbeat import ACCEPTED_GIVE_UP_SECONDS
from uotp.tunnel.states import AcceptedTunnelOwner, TunnelState
from uotp.tunnel.tunnel import Tunnel
from uotp.wire import ClientHelloDecoder, ServerHello, WireFormat, encodeServerHello


class AcceptedTunnel(Tunnel):
    """
    The server's end: waits for the hello, and opens when it has been told whom to
    carry for.
    """

    giveUpSeconds = ACCEPTED_GIVE_UP_SECONDS

    def __init__(self, clock: Any, owner: AcceptedTunnelOwner[Any]) -> None:
        """
        See L{Tunnel}.
        """
        super().__init__(clock, owner)
        self._acceptedBy = owner
        self._helloDecoder = ClientHelloDecoder()

    def _secured(self) -> None:
        """
        Nothing to do: the peer speaks first.
        """

    def welcome(self, session: CarriedSession, *, isNew: bool, keptSeconds: float) -> None:
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
        self._heardHello = True
        if self.state is not TunnelState.HELLO:
            return
        try:
            heard = self._helloDecoder.feed(data)
        except PeerError as error:
            self.misbehaved(error)
            return
        if heard is None:
            return
        hello, rest = heard
        self.wireFormat = hello.wireFormat
        self._acceptedBy.helloReceived(self, hello)
        if rest and self.link is not None:
            self.link.received(rest)

    def peerLeft(self) -> None:
        """
        The client leaves, and its session with it.
        """
        self._acceptedBy.peerLeft(self)
