"""
The command line of the server.
"""

from __future__ import annotations

from twisted.application.service import IService
from twisted.python import usage

from uotp.cli.common import CommonOptions, carriageOf, commandService
from uotp.cli.options import convert, parseSeconds
from uotp.services import serverService
from uotp.tls import ServerTls


class Options(CommonOptions):
    """
    Options of C{uotp-server}.
    """

    commandName = "uotp-server"
    longdesc = (
        "Accepts tunnels over TLS and forwards the datagrams of each session from a UDP socket of its own "
        "to dst_address, port dst_port.  `uotp cert DIR` makes the certificates."
    )

    optParameters = [
        ["bind-address", "a", "0.0.0.0", "address to accept tunnels on"],  # noqa: S104 - a server is for others
        ["bind-port", "p", "8443", "TCP port to accept tunnels on; 0 for any"],
        ["cafile", "C", None, "PEM file with CAs; only clients with a certificate of theirs are let in"],
        ["linger", None, "150", "seconds for which a session without tunnels keeps its UDP socket"],
    ]

    def postOptions(self) -> None:
        """
        Turn words into values.

        @raise usage.UsageError: for a value or a combination that cannot be used.
        """
        super().postOptions()
        convert(self, "linger", parseSeconds)
        if not self["no-tls"] and not self["cert"]:
            reason = "a server needs --cert: `uotp cert DIR` makes one, with a private CA; or give --no-tls"
            raise usage.UsageError(reason)


def makeService(options: Options) -> IService:
    """
    @return: the server, ready to run in a process of its own.
    @raise SystemExit: with one line and status 2 for files that cannot be used.
    """
    return commandService(
        options,
        lambda reactor: serverService(
            (options["dst_address"], options["dst_port"]),
            tls=None if options["no-tls"] else ServerTls(options["cert"], options["key"], options["cafile"]),
            listen=(options["bind-address"], options["bind-port"]),
            linger=options["linger"],
            **carriageOf(options),
            reactor=reactor,
        ),
    )
