"""
What a server is told.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network

from uotp.errors import ConfigurationError
from uotp.net import Host, Listen, ListenPlace, Network, parsePath, placesOf, requireListen, unmapped
from uotp.server.registry import MAX_SESSIONS, OWNER_SHARE_PERCENT
from uotp.telemetry import spelled
from uotp.tunnel import SECONDS, CommonSettings, Limits, requireHost, setting

MOST_SESSIONS = 65536
"""A user can allow so many sessions: each has a UDP socket, and the system knows no more ports."""

MIN_CONNECTIONS = 64
"""With fewer connections, too few would be left of them for one client with the usual pool while others come in."""

MAX_CONNECTIONS = 32768
"""So many connections take a gigabyte, at 31 KB each."""

CONNECTIONS_LIMIT = 1 << 20
"""Linux lets a process have so many descriptors at the most, unless somebody has raised that."""

FEWEST_BITS = {4: 8, 6: 16}
"""
A network with fewer bits than this, by the version of IP, is none of anybody's alone: whoever comes from there might be
anybody.
"""

PRIVATE_6 = IPv6Network("fc00::/7")
"""It is wide, and nobody sends from there across the Internet (RFC 4193)."""

SHORT_PATH = 16
"""A secret path with fewer letters may be guessed."""

EVERYWHERE = frozenset({"0.0.0.0", "::"})  # noqa: S104 - names to compare with
"""Stand for all addresses of this machine."""

HERE = frozenset({"localhost", "127.0.0.1", "::1"})
"""Name this machine."""

PERCENT = 100
"""All of what there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings(CommonSettings):
    """
    Holds what a server is told, besides L{CommonSettings}.

    @ivar target: host name or address, and port, of the UDP target.
    @ivar listen: numeric address and port of the TCP side, or several such pairs; port 0 for
        any, which is the same at all addresses.  C{localhost} stands for 127.0.0.1 and, where the
        system has IPv6, for ::1.
    @ivar reorder: how what goes to the target is put in order; L{None} for as each client asks.
    @ivar linger: seconds for which a session that has lost its tunnels keeps its UDP
        socket.
    @ivar maxSessions: how many sessions there may be.  At most three eighths of the
        descriptors that this process may have are used for their sockets.
    @ivar maxConnections: how many TCP connections there may be.  At most half of the
        descriptors that this process may have are used for them.
    @ivar ownerShare: how much of all sessions and of all connections one client may have, in
        percent.  A client is who shows one certificate, or without one, who comes from one
        address.
    @ivar proxyProtocol: networks of balancers: what comes from there has to say first, by the PROXY protocol, for
        whom it comes.
    @ivar tokenFile: file with tokens, see L{uotp.tls.tokens}: only clients that show one of them
        are let in; L{None} for those without one, too.
    @ivar httpPath: the path at which WebSocket is spoken; a secret, and the only way in where neither certificates nor
        tokens say who may come; L{None} where only bare tunnels are let in.
    @ivar fallback: host and port of the web server, in plain TCP, that answers whoever is no client; L{None} for a
        page of our own.
    """

    target: tuple[str, int]
    listen: Listen = ("0.0.0.0", 8443)  # noqa: S104 - a server is for others
    linger: float = setting(150.0, SECONDS)
    maxSessions: int = setting(
        MAX_SESSIONS, Limits(f"a number from 1 to {MOST_SESSIONS}", lambda sessions: 1 <= sessions <= MOST_SESSIONS)
    )
    maxConnections: int = setting(
        MAX_CONNECTIONS,
        Limits(
            f"from {MIN_CONNECTIONS} to {CONNECTIONS_LIMIT}",
            lambda number: MIN_CONNECTIONS <= number <= CONNECTIONS_LIMIT,
        ),
    )
    proxyProtocol: tuple[Network, ...] = ()
    tokenFile: str | None = None
    httpPath: str | None = field(default=None, repr=False)
    fallback: tuple[str, int] | None = None
    ownerShare: int = setting(
        OWNER_SHARE_PERCENT, Limits(f"from 1 to {PERCENT} percent", lambda percent: 1 <= percent <= PERCENT)
    )

    def __post_init__(self) -> None:
        """
        Refuse what cannot be used.

        @raise ConfigurationError: in one line that names the setting.
        """
        CommonSettings.__post_init__(self)
        requireHost("the target", self.target[0])
        requireListen(self.listen)
        if not all(isinstance(network, (IPv4Network, IPv6Network)) for network in self.proxyProtocol):
            reason = f"{spelled('proxyProtocol')} takes networks of the module ipaddress"
            raise ConfigurationError(reason)
        if self.httpPath is not None:
            try:
                parsePath(self.httpPath)
            except ValueError as error:
                reason = f"{spelled('httpPath')}: {error}"
                raise ConfigurationError(reason) from None
        if self.fallback is not None:
            requireHost(spelled("fallback"), self.fallback[0])
            requireOther(self.fallback, placesOf(self.listen))

    def anybodyAnnounces(self) -> str | None:
        """
        @return: a warning, where so many may say for whom they come that anybody can take any address; or L{None}.
        """
        wide = [str(network) for network in self.proxyProtocol if isForAnybody(network)]
        if not wide:
            return None
        return (
            f"whoever comes from {' or '.join(wide)} can pretend to be any client, by the PROXY protocol: name only "
            f"the addresses of balancers in {spelled('proxyProtocol')}"
        )


def isForAnybody(network: Network) -> bool:
    """
    @return: whether a network is so wide that strangers are in it.
    """
    narrowed = unmapped(network)
    if isinstance(narrowed, IPv6Network) and narrowed.subnet_of(PRIVATE_6):
        return False
    return narrowed.prefixlen < FEWEST_BITS[narrowed.version]


def requireOther(fallback: tuple[str, int], listening: list[ListenPlace]) -> None:
    """
    @param fallback: host and port of the web server behind us.
    @raise ConfigurationError: when that is where we listen.
    """
    host, port = Host.parse(fallback[0]).text, fallback[1]
    for place in listening:
        ours = Host.parse(place.host).text
        isSame = host == ours or host in EVERYWHERE or (host in HERE and ours in {*HERE, *EVERYWHERE})
        if port == place.port and isSame:
            reason = f"{spelled('fallback')}: it has to be another server, and this one listens there"
            raise ConfigurationError(reason)
