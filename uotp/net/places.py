"""
Where a client may find its server.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from uotp.errors import ConfigurationError
from uotp.net.hosts import Host
from uotp.net.names import dnsName, lookupName

MAX_SERVERS = 16
"""So many servers may be named.  Each may cost a source a connection that carries nothing."""

MAX_PATH_BYTES = 1024
"""A path may be so long.  Web servers take some thousand bytes for a whole line."""

WS_PORT = 80
WSS_PORT = 443
"""The ports of URLs that name none."""

_PATH = re.compile(r"/[!-~]*")
"""A slash, and letters that can be seen."""


def anyCaseOf(host: str) -> str:
    """
    @param host: a host name or an address, which was parsed.
    @return: what is the same for all ways to write the name, which has no case; an address as it is.
    """
    return host if Host.parse(host).address is not None else lookupName(host)


@dataclass(frozen=True, slots=True)
class ServerPlace:
    """
    Says where one server is, and how it is spoken to.

    @ivar host: host name or address.
    @ivar port: TCP port.
    @ivar path: of the URL at which the server speaks WebSocket; L{None} where it speaks without.  It may be a secret,
        so it is not shown.
    """

    host: str
    port: int
    path: str | None = field(default=None, repr=False)

    @property
    def address(self) -> tuple[str, int]:
        """
        Host and port.
        """
        return self.host, self.port

    @property
    def anyCase(self) -> ServerPlace:
        """
        The same place for all ways to write the name of its host, which has no case.
        """
        return replace(self, host=anyCaseOf(self.host))

    def hostField(self, *, isPlain: bool = False) -> str:
        """
        @param isPlain: whether there is no TLS.
        @return: what a request to this place says in its C{Host} field: without the port that goes without saying, and
            without the zone of an address, which means something on this machine only.
        """
        host = Host.parse(self.host)
        shown = dnsName(self.host) if host.address is None else host.withoutZone.besidePort
        return shown if self.port == (WS_PORT if isPlain else WSS_PORT) else f"{shown}:{self.port}"

    def shown(self, *, isPlain: bool = False) -> str:
        """
        @param isPlain: whether there is no TLS.
        @return: how it is written on a command line, without the path.
        """
        both = f"{Host.parse(self.host).besidePort}:{self.port}"
        return both if self.path is None else f"{'ws' if isPlain else 'wss'}://{both}/..."

    @property
    def withPath(self) -> str:
        """
        How it is written where there is TLS, with the path: for what nobody else may read.
        """
        host = Host.parse(self.host).besidePort
        place = host if self.path is not None and self.port == WSS_PORT else f"{host}:{self.port}"
        return place if self.path is None else f"wss://{place}{self.path}"


def parsePath(text: str) -> str:
    """
    @param text: the path of a URL.
    @return: the same.
    @raise ValueError: in words, when it is none, or has more than a path.
    """
    if not _PATH.fullmatch(text):
        reason = "a path begins with / and has letters, digits and signs of ASCII without spaces"
        raise ValueError(reason)
    if "?" in text or "#" in text:
        reason = "a path has neither ? nor #"
        raise ValueError(reason)
    if len(text) > MAX_PATH_BYTES:
        reason = f"a path has at most {MAX_PATH_BYTES} letters"
        raise ValueError(reason)
    return text


def requireServers(servers: Sequence[ServerPlace]) -> None:
    """
    @param servers: those of one client, whose hosts are good.
    @raise ConfigurationError: when there are none or too many, when a path cannot be used, or when two are the same.
    """
    if not 1 <= len(servers) <= MAX_SERVERS:
        reason = f"a client takes 1 to {MAX_SERVERS} servers, and there are {len(servers)}"
        raise ConfigurationError(reason)
    known: set[ServerPlace] = set()
    for place in servers:
        if place.path is not None:
            try:
                parsePath(place.path)
            except ValueError as error:
                reason = f"the server {place.shown()}: {error}"
                raise ConfigurationError(reason) from error
        if place.anyCase in known:
            reason = f"the server {place.shown()} is named twice"
            raise ConfigurationError(reason)
        known.add(place.anyCase)
