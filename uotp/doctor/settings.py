"""
What a user has chosen for an examination: the settings of the client that is examined, as far as they matter
for the way to its server, and how thorough it is to be.
"""

from __future__ import annotations

from dataclasses import dataclass

from uotp.net import LOCALHOST, UDP_BUFFER_BYTES, Listen, ProxyPlace, ServerPlace
from uotp.tls import DISK, ClientTls, CredentialFiles
from uotp.wire import WireChoice

PROBE = b"\0"
"""
What the target is sent when the user has nothing better: one byte, which an echo returns, and which WireGuard
and most others drop.
"""


RATE_TEST_SECONDS = 5.0
"""A connection has found out in that time what the path carries, also on a long one."""


@dataclass(frozen=True, slots=True)
class DoctorSettings:
    """
    Holds the choices for one examination.

    @ivar place: where the server is, and the path where it is spoken to by WebSocket.
    @ivar proxy: through which proxy it is reached; L{None} for none.
    @ivar hasLoginFile: whether user and password for the proxy, if any, are in a file of their own.
    @ivar tls: the choices of TLS; L{None} for plain TCP.
    @ivar files: where the files of TLS are.
    @ivar listen: where the client listens on UDP, or will.
    @ivar timeout: seconds for each step.
    @ivar wire: which formats may be spoken.
    @ivar alpn: the names to offer by ALPN; L{None} for the usual one.
    @ivar mark: firewall mark of the connections; L{None} for none.
    @ivar mss: the largest TCP segment; L{None} for as large as the system likes.
    @ivar udpBuffer: the buffer that the client asks the kernel for, in bytes.
    @ivar probe: the datagram that the target is sent; L{None} for L{PROBE}.
    @ivar largest: the largest datagram that is to pass, in bytes.
    @ivar rateSeconds: for how long the rate is measured, in seconds; 0 for not at all.
    """

    place: ServerPlace
    tls: ClientTls | None
    files: CredentialFiles = DISK
    listen: Listen = (LOCALHOST, 8911)
    timeout: float = 4.0
    wire: WireChoice = WireChoice.AUTO
    alpn: tuple[str, ...] | None = None
    mark: int | None = None
    mss: int | None = None
    udpBuffer: int = UDP_BUFFER_BYTES
    probe: bytes | None = None
    largest: int = 1500
    rateSeconds: float = RATE_TEST_SECONDS
    proxy: ProxyPlace | None = None
    hasLoginFile: bool = False

    @property
    def server(self) -> tuple[str, int]:
        """
        Host and port of the server.
        """
        return self.place.address

    @property
    def isInside(self) -> bool:
        """
        Whether the way goes on inside WebSocket.
        """
        return self.place.path is not None

    @property
    def dialled(self) -> tuple[str, int]:
        """
        Host and port to which TCP connects.
        """
        return self.server if self.proxy is None else self.proxy.address
