"""
The command line of the client.  What a client does with its options is not known here.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import ClassVar

from twisted.application.service import IService
from twisted.python import usage

from uotp.cli.addresses import parseHost, parseNetwork
from uotp.cli.common import CommonOptions, commandService
from uotp.cli.options import Flag, Inline, Option, Repeated
from uotp.cli.parsers import (
    absolutePath,
    absolutePathOfLines,
    parseBytes,
    parseCount,
    parseMark,
    parseSeconds,
    parseSecondsFrom,
)
from uotp.cli.proxies import parseProxyWord, requireProxy, withoutIdleFiles
from uotp.cli.rows import COMMON_ROWS, UNITS_HELP, listenRows
from uotp.cli.servers import ServerWords, serverWords
from uotp.cli.words import Line
from uotp.client import MIN_MAX_AGE_SECONDS, MIN_MAX_BYTES, ClientSettings
from uotp.net import ServerPlace
from uotp.services import CLIENT, clientService
from uotp.tls import ClientTls, parsePin
from uotp.tunnel import MAX_POOL_SIZE

MAX_MAX_BYTES = 1 << 50
"""A larger limit can only be a typing error."""


class Options(CommonOptions):
    """
    Holds the options of C{uotp-client}.
    """

    commandName = "uotp-client"
    longdesc = (
        "Listens on UDP and carries each source's datagrams through a pool of TLS connections to the "
        "uotp-server at dst_address, port dst_port.  Several servers are written as HOST:PORT HOST:PORT..., the one "
        "to use first before the others; a server that speaks WebSocket is written as wss://HOST[/PATH]." + UNITS_HELP
    )
    settingsClass = ClientSettings
    tlsClass = ClientTls
    neighbours = ("uotp.cli.server:Options", "twisted.scripts.twistd:ServerOptions")
    transport = "UDP"
    usualListen = CLIENT.listen
    destinationKey = "server"
    destinationSetting = "servers"
    rows: ClassVar[tuple[Option | Flag, ...]] = (
        *COMMON_ROWS,
        *listenRows("address to listen on", "UDP port to listen on; 0 for any", CLIENT.listen),
        Repeated(
            "allow",
            None,
            "network of sources to serve, as 192.0.2.0/24; may be repeated; otherwise all that can send here",
            parseNetwork,
            "allow",
            metavar="NETWORK",
        ),
        Option(
            "expire",
            "e",
            "time without a datagram after which a session ends",
            parseSeconds,
            "expire",
            metavar="TIME",
        ),
        Option(
            "pool-size",
            "n",
            f"most tunnels for each session, at most {MAX_POOL_SIZE}",
            parseCount(MAX_POOL_SIZE),
            "poolSize",
            metavar="NUMBER",
        ),
        Option(
            "min-pool",
            None,
            "fewest tunnels for each session, also while it carries little; the number of --pool-size keeps all; "
            "otherwise as many as it needs",
            parseCount(MAX_POOL_SIZE),
            "minPool",
            metavar="NUMBER",
        ),
        Option(
            "backoff",
            "B",
            "longest time between two attempts to open a tunnel; the first waits are short",
            parseSeconds,
            "backoff",
            metavar="TIME",
        ),
        Option(
            "timeout",
            "w",
            "time for each step to an open tunnel: lookup, connect, TLS, hello; more where the path is slow, up to 30s",
            parseSeconds,
            "timeout",
            metavar="TIME",
        ),
        Option(
            "mark",
            "m",
            "firewall mark of the connections, decimal or 0x (Linux, CAP_NET_ADMIN)",
            parseMark,
            "mark",
            metavar="NUMBER",
        ),
        Option(
            "proxy",
            None,
            "proxy that all connections go through: http://, https:// or socks5://[USER:PASSWORD@]HOST:PORT, env for "
            "what HTTPS_PROXY, ALL_PROXY and NO_PROXY say, or none; ps shows command lines, so a password is better in "
            "--proxy-auth-file",
            parseProxyWord,
            "proxy",
            default="none",
            metavar="URL",
            choices=("env", "none"),
        ),
        Option(
            "proxy-auth-file",
            None,
            "file with one line, USER:PASSWORD, for the proxy",
            absolutePathOfLines,
            "proxyAuthFile",
            metavar="FILE",
            inline=Inline.LINES,
        ),
        Option(
            "proxy-cafile",
            None,
            "PEM file with the CAs to trust for TLS to the proxy in place of the system's",
            absolutePath,
            "proxyCafile",
            metavar="FILE",
            inline=Inline.PEM,
        ),
        Option(
            "max-age",
            None,
            "time after which a tunnel is replaced, the new one first; otherwise never",
            parseSecondsFrom(MIN_MAX_AGE_SECONDS),
            "maxAge",
            metavar="TIME",
        ),
        Option(
            "max-bytes",
            None,
            "size of what a tunnel carries until it is replaced; otherwise never",
            parseBytes(MIN_MAX_BYTES, MAX_MAX_BYTES),
            "maxBytes",
            metavar="SIZE",
        ),
        Option(
            "cafile",
            "C",
            "PEM file with the CAs to trust in place of the system's",
            absolutePath,
            "cafile",
            metavar="FILE",
            inline=Inline.PEM,
        ),
        Option(
            "tls-servername",
            None,
            "name to ask for and to find in the server's certificate",
            parseHost,
            "serverName",
            metavar="NAME",
            isPlace=True,
        ),
        Repeated(
            "pin",
            None,
            "SHA-256 of the server's public key, hexadecimal or sha256//BASE64; may be repeated, and is enough alone",
            parsePin,
            "pins",
            metavar="PIN",
        ),
        Flag(
            "resolve-once",
            "R",
            "look dst_address up at the start, and again at SIGHUP and when no tunnel opens for 10 s",
            "resolveOnce",
        ),
        Option(
            "state-directory",
            None,
            "directory where the server's addresses are kept for the next start; otherwise $STATE_DIRECTORY",
            absolutePath,
            "stateDirectory",
            metavar="DIR",
        ),
        Flag(
            "no-hostname-check",
            None,
            "accept any server that has a certificate of --cafile",
            "hostnameCheck",
            meaning=False,
        ),
    )

    def completed(self, line: Line) -> Line:
        """
        See L{CommonOptions}.
        """
        return withoutIdleFiles(super().completed(line), self._typed)

    def _takeDestination(self, words: Sequence[str], instead: str) -> None:
        self["servers"] = serverWords(words, self.positionals, instead)

    def _parseDestination(self) -> None:
        first, *others = self["servers"]
        if others or first.path is not None:
            self["servers"] = self._places(self["servers"])
            self["dst_address"], self["dst_port"] = self["servers"][0].address
        else:
            self["dst_address"], self["dst_port"] = first.host, first.port
            super()._parseDestination()
            self["servers"] = (ServerPlace(self["dst_address"], self["dst_port"]),)

    def _places(self, servers: Sequence[ServerWords]) -> tuple[ServerPlace, ...]:
        places: list[ServerPlace] = []
        for words in servers:
            try:
                place = words.parsed(isPlain=bool(self["no-tls"]))
            except ValueError as error:
                reason = f"server {words.shown}: {error}"
                raise usage.UsageError(reason) from error
            if place.anyCase in [each.anyCase for each in places]:
                reason = f"server {words.shown}: it is named twice"
                raise usage.UsageError(reason)
            places.append(place)
        return tuple(places)

    @property
    def destinationShown(self) -> list[str]:
        """
        See L{CommonOptions}.
        """
        first, *others = self["servers"]
        if others or first.path is not None:
            return [place.shown(isPlain=bool(self["no-tls"])) for place in self["servers"]]
        return super().destinationShown

    @property
    def destination(self) -> tuple[ServerPlace, ...]:
        """
        See L{CommonOptions}.
        """
        servers: tuple[ServerPlace, ...] = self["servers"]
        return servers

    def postOptions(self) -> None:
        """
        Turn words into values.

        @raise usage.UsageError: for a value or a combination that cannot be used.
        """
        super().postOptions()
        if self["state-directory"] is None:
            # systemd names the directories of a unit so, one after another.
            given = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
            self["state-directory"] = absolutePath(given) if given else None
        if self["no-hostname-check"] and self["tls-servername"]:
            reason = "--no-hostname-check and --tls-servername exclude each other"
            raise usage.UsageError(reason)
        if self["no-hostname-check"] and not self["cafile"]:
            reason = "--no-hostname-check needs --cafile: without both, anybody's certificate would do"
            raise usage.UsageError(reason)
        requireProxy(self)


def makeService(options: Options) -> IService:
    """
    @return: the client, ready to run in a process of its own.
    @raise SystemExit: with one line and status 2 for files that cannot be used.
    """
    options.takeGivenSockets(os.environ)
    servers, choices = options.destination, options.serviceArguments()
    return commandService(options, lambda reactor: clientService(servers, **choices, reactor=reactor))
