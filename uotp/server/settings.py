"""
What a server is told.
"""

from __future__ import annotations

from dataclasses import dataclass

from uotp.net import TunnelSocketOptions
from uotp.wire import WireChoice


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """
    What a server is told.

    @ivar target: host name or address, and port, to forward to.
    @ivar listen: numeric address and port of the TCP side; port 0 for any.
    @ivar linger: seconds that a session lives on without a tunnel.
    @ivar tuning: of the tunnels' sockets.
    @ivar udpBuffer: bytes of buffer to ask for on each UDP socket.
    @ivar wire: which formats may be spoken.
    @ivar reorder: see L{uotp.session.inbound.Inbound}.
    """

    target: tuple[str, int]
    listen: tuple[str, int]
    linger: float
    tuning: TunnelSocketOptions
    udpBuffer: int
    wire: WireChoice
    reorder: float | None
