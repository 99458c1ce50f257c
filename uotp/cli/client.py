"""
The command line of the client.
"""

from __future__ import annotations

from twisted.application.service import IService
from twisted.python import usage

from uotp.cli.common import TLS_OPTIONS, CommonOptions, carriageOf, commandService
from uotp.cli.options import convert, parseBytes, parseCount, parseMark, parseSeconds
from uotp.net import parseDestination
from uotp.services import MAX_MAX_BYTES, MAX_POOL_SIZE, MIN_MAX_AGE_SECONDS, MIN_MAX_BYTES, clientService
from uotp.tls import ClientTls, parsePin


class Options(CommonOptions):
    """
    Options of C{uotp-client}.
    """

    commandName = "uotp-client"
    longdesc = (
        "Listens on UDP and carries each source's datagrams through a pool of TLS connections to the "
        "uotp-server at dst_address, port dst_port."
    )
    tlsOptions = (*TLS_OPTIONS, "no-hostname-check", "tls-servername", "pin")

    optParameters = [
        ["bind-address", "a", "127.0.0.1", "address to listen on"],
        ["bind-port", "p", "8911", "UDP port to listen on; 0 for any"],
        ["expire", "e", "120", "seconds without a datagram after which a session ends"],
        ["pool-size", "n", "8", "tunnels for each session"],
        ["backoff", "B", "5", "most seconds between two attempts to open a tunnel; the first waits are short"],
        ["timeout", "w", "4", "seconds for connect and TLS handshake together"],
        ["mark", "m", None, "firewall mark of the connections, decimal or 0x (Linux, CAP_NET_ADMIN)"],
        ["max-age", None, None, "seconds after which a tunnel is replaced, the new one first; otherwise never"],
        [
            "max-bytes",
            None,
            None,
            "bytes, or K, M, G of them, after which a tunnel is replaced; otherwise never",
        ],
        ["cafile", "C", None, "PEM file with the CAs to trust in place of the system's"],
        ["tls-servername", None, None, "name to ask for and to find in the server's certificate"],
    ]
    optFlags = [
        ["resolve-once", "R", "look dst_address up at the start only, and keep what was found"],
        ["no-hostname-check", None, "accept any server that has a certificate of --cafile"],
    ]

    def __init__(self) -> None:
        """
        Begin without pins.
        """
        super().__init__()
        self["pin"] = ()

    def opt_pin(self, word: str) -> None:
        """SHA-256 of the server's public key, hexadecimal or sha256//BASE64; may be repeated, and is enough alone"""
        try:
            self["pin"] = (*self["pin"], parsePin(word))
        except ValueError as error:
            reason = f"--pin {word}: {error}"
            raise usage.UsageError(reason) from error

    def postOptions(self) -> None:
        """
        Turn words into values.

        @raise usage.UsageError: for a value or a combination that cannot be used.
        """
        super().postOptions()
        for name in ("expire", "backoff", "timeout"):
            convert(self, name, parseSeconds)
        convert(self, "pool-size", parseCount(MAX_POOL_SIZE))
        convert(self, "mark", parseMark)
        convert(self, "max-age", parseSeconds)
        convert(self, "max-bytes", parseBytes(MIN_MAX_BYTES, MAX_MAX_BYTES))
        if self["max-age"] is not None and self["max-age"] < MIN_MAX_AGE_SECONDS:
            reason = f"--max-age {self['max-age']:g}: at least {MIN_MAX_AGE_SECONDS:g} is needed"
            raise usage.UsageError(reason)
        convert(self, "tls-servername", parseDestination)
        if self["no-hostname-check"] and self["tls-servername"]:
            reason = "--no-hostname-check and --tls-servername exclude each other"
            raise usage.UsageError(reason)
        if self["no-hostname-check"] and not self["cafile"]:
            reason = "--no-hostname-check needs --cafile: without both, anybody's certificate would do"
            raise usage.UsageError(reason)


def makeService(options: Options) -> IService:
    """
    @return: the client, ready to run in a process of its own.
    @raise SystemExit: with one line and status 2 for files that cannot be used.
    """
    tls = ClientTls(
        cafile=options["cafile"],
        cert=options["cert"],
        key=options["key"],
        hostnameCheck=not options["no-hostname-check"],
        serverName=options["tls-servername"],
        pins=options["pin"],
    )
    return commandService(
        options,
        lambda reactor: clientService(
            (options["dst_address"], options["dst_port"]),
            tls=None if options["no-tls"] else tls,
            listen=(options["bind-address"], options["bind-port"]),
            poolSize=options["pool-size"],
            expire=options["expire"],
            backoff=options["backoff"],
            timeout=options["timeout"],
            resolveOnce=bool(options["resolve-once"]),
            mark=options["mark"],
            maxAge=options["max-age"],
            maxBytes=options["max-bytes"],
            **carriageOf(options),
            reactor=reactor,
        ),
    )
