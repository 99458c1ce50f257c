"""
What a client is told.
"""

from __future__ import annotations

from dataclasses import dataclass

from uotp.net import TunnelSocketOptions
from uotp.wire import WireChoice


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """
    What a client is told.  Times are in seconds.

    @ivar server: host name or address, and port.
    @ivar listen: numeric address and port of the UDP side; port 0 for any.
    @ivar expire: how long a session may be idle.
    @ivar backoff: the longest wait between two attempts for one tunnel.
    @ivar timeout: for connect and handshake together.
    @ivar resolveOnce: look the server's name up at the start only.
    @ivar mark: firewall mark of the connections, or L{None}.
    @ivar tuning: of the tunnels' sockets.
    @ivar udpBuffer: bytes of buffer to ask for on the UDP socket.
    @ivar wire: which formats may be spoken.
    @ivar reorder: see L{uotp.session.inbound.Inbound}.
    @ivar maxAge: how old a tunnel may become, or L{None}.
    @ivar maxBytes: how much a tunnel may carry, or L{None}.
    """

    server: tuple[str, int]
    listen: tuple[str, int]
    poolSize: int
    expire: float
    backoff: float
    timeout: float
    resolveOnce: bool
    mark: int | None
    tuning: TunnelSocketOptions
    udpBuffer: int
    wire: WireChoice
    reorder: float | None
    maxAge: float | None
    maxBytes: int | None
