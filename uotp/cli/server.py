"""
The command line of the server.  What a server does with its options is not known here.
"""

from __future__ import annotations

import os

from twisted.application.service import IService
from twisted.python import usage

from uotp.cli.addresses import parseNetwork, parseWebServer
from uotp.cli.common import CommonOptions, commandService
from uotp.cli.options import Inline, Option, Repeated
from uotp.cli.parsers import absolutePath, absolutePathOfLines, parseCount, parsePercent, parseSeconds
from uotp.cli.rows import COMMON_ROWS, UNITS_HELP, listenRows
from uotp.net import parsePath
from uotp.server import CONNECTIONS_LIMIT, MIN_CONNECTIONS, MOST_SESSIONS, PERCENT, ServerSettings
from uotp.services import SERVER, serverService
from uotp.tls import ServerTls


class Options(CommonOptions):
    """
    Holds the options of C{uotp-server}.
    """

    commandName = "uotp-server"
    longdesc = (
        "Accepts tunnels over TLS and forwards the datagrams of each session from a UDP socket of its own "
        "to dst_address, port dst_port.  `uotp cert DIR` makes the certificates." + UNITS_HELP
    )
    settingsClass = ServerSettings
    tlsClass = ServerTls
    neighbours = ("uotp.cli.client:Options", "twisted.scripts.twistd:ServerOptions")
    transport = "TCP"
    usualListen = SERVER.listen
    destinationKey = "target"
    destinationSetting = "target"
    rows = (
        *COMMON_ROWS,
        *listenRows("address to accept tunnels on", "TCP port to accept tunnels on; 0 for any", SERVER.listen),
        Option(
            "cafile",
            "C",
            "PEM file with CAs; only clients with a certificate of theirs are let in",
            absolutePath,
            "cafile",
            metavar="FILE",
            inline=Inline.PEM,
        ),
        Repeated(
            "proxy-protocol",
            None,
            "network of balancers, as 192.0.2.7/32, that have to say by the PROXY protocol for whom each connection "
            "is; may be repeated; otherwise none",
            parseNetwork,
            "proxyProtocol",
            metavar="NETWORK",
        ),
        Option(
            "linger",
            None,
            "time for which a session without tunnels keeps its UDP socket",
            parseSeconds,
            "linger",
            metavar="TIME",
        ),
        Option(
            "crl",
            None,
            "file with revocation lists of the CAs of --cafile, in PEM or DER, besides those in that file",
            absolutePath,
            "crl",
            metavar="FILE",
            inline=Inline.PEM,
        ),
        Option(
            "clients",
            None,
            "list of the clients that may join: on each line the pin of a client's public key, and a name",
            absolutePathOfLines,
            "clients",
            metavar="FILE",
            inline=Inline.LINES,
        ),
        Option(
            "http-path",
            None,
            "secret path of URLs at which clients may speak WebSocket; whoever asks for another is a visitor",
            parsePath,
            "httpPath",
            metavar="/PATH",
        ),
        Option(
            "fallback",
            None,
            "web server, in plain TCP, that answers whoever is no client; otherwise every page is not found",
            parseWebServer,
            "fallback",
            metavar="HOST:PORT",
            isPlace=True,
        ),
        Option(
            "max-sessions",
            None,
            "sessions that there may be, on at most three eighths of the descriptors; when all are taken, the client "
            "that has most gives one up",
            parseCount(MOST_SESSIONS),
            "maxSessions",
            metavar="NUMBER",
        ),
        Option(
            "max-connections",
            None,
            "TCP connections that there may be; at most half of the descriptors are used for them",
            parseCount(CONNECTIONS_LIMIT, MIN_CONNECTIONS),
            "maxConnections",
            metavar="NUMBER",
        ),
        Option(
            "owner-share",
            None,
            "percent of all sessions and connections that one client (certificate, or address without one) may have",
            parsePercent(PERCENT),
            "ownerShare",
            metavar="PERCENT",
        ),
    )

    def postOptions(self) -> None:
        """
        Turn words into values.

        @raise usage.UsageError: for a value or a combination that cannot be used.
        """
        super().postOptions()
        if not self["no-tls"] and not self["cert"]:
            reason = "a server needs --cert: `uotp cert DIR` makes one, with a private CA; or give --no-tls"
            raise usage.UsageError(reason)


def makeService(options: Options) -> IService:
    """
    @return: the server, ready to run in a process of its own.
    @raise SystemExit: with one line and status 2 for files that cannot be used.
    """
    options.takeGivenSockets(os.environ)
    target, choices = options.destination, options.serviceArguments()
    return commandService(options, lambda reactor: serverService(target, **choices, reactor=reactor))
