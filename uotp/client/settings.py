"""
What a client is told.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

from uotp.errors import ConfigurationError
from uotp.net import (
    LOCALHOST,
    Listen,
    ProxyKind,
    ProxyPlace,
    ServerPlace,
    requireListen,
    requireMarks,
    requireServers,
)
from uotp.order import AUTO_ORDER, Order
from uotp.session import LIGHT_LINKS
from uotp.telemetry import spelled
from uotp.tunnel import MAX_POOL_SIZE, SECONDS, CommonSettings, Limits, requireHost, setting

MIN_MAX_AGE_SECONDS = 1.0
MIN_MAX_BYTES = 64 * 1024
"""Replacing tunnels more often than this would cost more than what they carry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings(CommonSettings):
    """
    Holds what a client is told, besides L{CommonSettings}.

    @ivar servers: where the server is, or several of them, the one to use first.
    @ivar listen: numeric address and port of the UDP side, or several such pairs; port 0 for
        any, which is the same at all addresses.  C{localhost} stands for 127.0.0.1 and, where the
        system has IPv6, for ::1.
    @ivar allow: networks of sources that are served; when there is none, everybody is who
        reaches the UDP side.
    @ivar poolSize: the most tunnels for each session, 1 to L{MAX_POOL_SIZE}.
    @ivar minPool: tunnels that a session has at all times once its source is worth them, 1 to
        C{poolSize}; L{None} for as many as what it carries needs.
    @ivar expire: seconds that a session may be idle.
    @ivar backoff: the longest wait between two attempts for one tunnel, seconds.
    @ivar timeout: seconds for each step to an open tunnel: lookup, connect, handshake, hello.  A
        step may take longer when it was not done in time before.
    @ivar resolveOnce: look the server's name up at the start, and again only when no tunnel opens
        for some time and at a reload.
    @ivar stateDirectory: where the server's addresses are remembered for the next start; L{None} to
        forget them.
    @ivar mark: firewall mark of the connections (Linux, CAP_NET_ADMIN); L{None} for none.
    @ivar proxy: the proxy that all connections go through; L{None} for none.
    @ivar proxyAuthFile: file with the user and the password for the proxy, C{user:password}; L{None} for those in its
        URL, or none.
    @ivar proxyCafile: PEM file with the CAs to trust for TLS to the proxy; L{None} for the system's.
    @ivar maxAge: seconds after which a tunnel is replaced, L{None} for never.
    @ivar maxBytes: bytes, both ways together, after which a tunnel is replaced, L{None}
        for never.
    """

    servers: tuple[ServerPlace, ...]
    listen: Listen = (LOCALHOST, 8911)
    allow: tuple[IPv4Network | IPv6Network, ...] = ()
    poolSize: int = setting(16, Limits(f"from 1 to {MAX_POOL_SIZE}", lambda size: 1 <= size <= MAX_POOL_SIZE))
    minPool: int | None = setting(None, Limits(f"from 1 to {MAX_POOL_SIZE}", lambda size: 1 <= size <= MAX_POOL_SIZE))
    expire: float = setting(120.0, SECONDS)
    backoff: float = setting(5.0, SECONDS)
    timeout: float = setting(4.0, SECONDS)
    resolveOnce: bool = False
    stateDirectory: str | None = None
    mark: int | None = None
    proxy: ProxyPlace | None = None
    proxyAuthFile: str | None = None
    proxyCafile: str | None = None
    maxAge: float | None = setting(
        None,
        Limits(f"a number of seconds from {MIN_MAX_AGE_SECONDS:g}", lambda seconds: seconds >= MIN_MAX_AGE_SECONDS),
    )
    maxBytes: int | None = setting(
        None, Limits(f"a number of bytes from {MIN_MAX_BYTES}", lambda size: size >= MIN_MAX_BYTES)
    )

    def __post_init__(self) -> None:
        """
        Refuse what cannot be used.

        @raise ConfigurationError: in one line that names the setting.
        """
        CommonSettings.__post_init__(self)
        self._requireServers()
        requireListen(self.listen)
        if not all(isinstance(network, (IPv4Network, IPv6Network)) for network in self.allow):
            reason = f"{spelled('allow')} takes networks of the module ipaddress"
            raise ConfigurationError(reason)
        if self.minPool is not None and self.minPool > self.poolSize:
            least, most = spelled("minPool"), spelled("poolSize")
            reason = f"{least} {self.minPool} is more than {most} {self.poolSize}, which is the most that there may be"
            raise ConfigurationError(reason)
        if self.mark is not None:
            requireMarks()
        self._requireProxy()

    def _requireServers(self) -> None:
        for place in self.servers:
            requireHost("the server", place.host)
        requireServers(self.servers)

    def _requireProxy(self) -> None:
        proxy = self.proxy
        if proxy is None or not any(map(self.proxyFor, self.servers)):
            why = "there is no proxy" if proxy is None else "no server is reached through the proxy, as NO_PROXY says"
            for name in ("proxyAuthFile", "proxyCafile"):
                if getattr(self, name) is not None:
                    reason = f"{spelled(name)} is of no use: {why}"
                    raise ConfigurationError(reason)
            return
        if proxy.kind is not ProxyKind.HTTPS and self.proxyCafile is not None:
            reason = f"{spelled('proxyCafile')} is of no use: there is no TLS to the proxy, unless its URL has https://"
            raise ConfigurationError(reason)
        if proxy.login is not None and self.proxyAuthFile is not None:
            reason = f"{spelled('proxyAuthFile')} is of no use: the URL of the proxy has user and password, too"
            raise ConfigurationError(reason)

    def proxyFor(self, place: ServerPlace) -> ProxyPlace | None:
        """
        @return: the proxy through which a server is reached, or L{None}.
        """
        proxy = self.proxy
        return proxy if proxy is not None and proxy.isFor(*place.address) else None

    def dialledFor(self, place: ServerPlace) -> tuple[str, int]:
        """
        @return: host and port to which connections for a server are made: its own, or those of the proxy.
        """
        return (self.proxyFor(place) or place).address

    @property
    def server(self) -> tuple[str, int]:
        """
        Host and port of the server to use first.
        """
        return self.servers[0].address

    @property
    def order(self) -> Order:
        """
        How the datagrams of all sessions are put in order: here, and at the server, which is
        asked for it.
        """
        return self.reorder or AUTO_ORDER

    @property
    def usualTunnels(self) -> int:
        """
        How many tunnels a session has that carries little.
        """
        return min(max(self.leastTunnels, LIGHT_LINKS), self.poolSize)

    @property
    def leastTunnels(self) -> int:
        """
        How many tunnels a session has at all times once its source is worth them.
        """
        return 1 if self.minPool is None else self.minPool
