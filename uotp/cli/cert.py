"""
C{uotp cert}: its options, and what the user is told to do next.  How the certificates are
made, L{uotp.pki} knows.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from typing import Any, ClassVar

from twisted.python import usage

from uotp.cli.addresses import hostAlone
from uotp.cli.options import GnuOptions, parsedWord
from uotp.cli.parsers import absolutePath
from uotp.errors import ConfigurationError
from uotp.net import Host
from uotp.pki import Pki, makePki, normalHost

SERVER_PORT = "8443"
"""The port where a server listens unless it is told otherwise."""

TARGET = ("127.0.0.1", "51820")
"""The target in the example: WireGuard's usual port, on the server itself."""


class CertOptions(GnuOptions):
    """
    Holds the options of C{uotp cert DIR [--host NAME-or-IP]...}

    @ivar hosts: what was given with C{--host}, in that order.
    """

    commandName: ClassVar[str] = "uotp cert"
    neighbours = ("uotp.cli.server:Options", "uotp.cli.client:Options")
    positionals: ClassVar[str] = "DIR"
    longdesc = (
        "Makes a private PKI in DIR, in one go: a CA, a certificate for the server and one for the client. "
        "Then it prints the two command lines that use them.  Files that are there already are never overwritten."
    )

    def __init__(self) -> None:
        super().__init__()
        self.hosts: list[str] = []

    def opt_host(self, word: str) -> None:
        """A name or address that clients dial; may be repeated.  [default: this machine's name, local ones]"""
        try:
            self.hosts.append(normalHost(parsedWord("host", word, hostAlone)))
        except ConfigurationError as error:
            reason = f"--host: {error}"
            raise usage.UsageError(reason) from error

    def parseArgs(self, *words: Any) -> None:
        """
        Take the directory.

        @raise usage.UsageError: when there is not exactly one.
        """
        if len(words) != 1:
            told = f", and there are {len(words)}: {', '.join(words[:5])}" if words else ""
            reason = f"one directory for the certificates is needed{told}: write uotp cert DIR --host NAME"
            raise usage.UsageError(reason)
        try:
            self["directory"] = absolutePath(words[0])
        except ValueError as error:
            reason = f"DIR: {error}"
            raise usage.UsageError(reason) from error


def serverAddress(hosts: Sequence[str]) -> str:
    """
    @param hosts: the names and addresses that a certificate was made for.
    @return: the first of them that a client can dial.  If all are wildcards, a name that the
        first one covers.
    """
    return next((host for host in hosts if not host.startswith("*")), hosts[0].replace("*", "server", 1))


def describe(pki: Pki) -> str:
    """
    @return: what the user is told after a PKI was made.
    """
    address = serverAddress(pki.hosts)
    if Host.parse(address).isLinkLocal:
        address += "%INTERFACE"  # the client's own, which nobody knows here
    # A server listens on IPv4 unless told otherwise.
    listen = ["-a", "::"] if Host.parse(address).isIPv6 else []
    authority = ["-C", pki.caCertificate]
    server = ["uotp-server", *listen, "-c", pki.serverCertificate, "-k", pki.serverKey, *authority, *TARGET]
    identity = ["uotp-client", "-c", pki.clientCertificate, "-k", pki.clientKey]
    client = [*identity, *authority, address, SERVER_PORT]
    pinned = [*identity, "--pin", pki.pin, address, SERVER_PORT]
    return f"""\
Made in {pki.directory}, valid for ten years:
  ca.pem      ca.key       the certification authority, of this pair alone
  server.pem  server.key   for {", ".join(pki.hosts)}
  client.pem  client.key   for the clients

On the server ({" ".join(TARGET)} is where the datagrams go, here a WireGuard
on the same machine: put your own target there):

  {shlex.join(server)}

On the client:

  {shlex.join(client)}

Copy ca.pem, client.pem and client.key to the client, the key by a secret way
(scp), and put their paths there into its line.  The server needs ca.pem,
server.pem and server.key.  ca.key is not needed on either host: keep it
offline, whoever has it can make certificates that both ends trust.

Pin (SHA-256 of the server's public key): {pki.pin}
Instead of -C and the CA's file, a client can trust this one key alone:

  {shlex.join(pinned)}
"""


def cert(argv: Sequence[str]) -> int:
    """
    Run C{uotp cert}.

    @param argv: the words after C{cert}.
    @return: the exit status: 0, or 1 when nothing was made, with the reason in
        one line on standard error.
    @raise SystemExit: with status 2 when the words cannot be used, with 0
        after C{--help}.
    """
    options = CertOptions()
    options.parseOptions(argv)
    try:
        pki = makePki(options["directory"], options.hosts)
    except ConfigurationError as error:
        sys.stderr.write(f"{options.commandName}: {error}\n")
        return 1
    sys.stdout.write(describe(pki))
    return 0
