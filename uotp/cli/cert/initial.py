"""
C{uotp cert init}: its options, and what the user is told to do next.
"""

from __future__ import annotations

import shlex
from typing import Any, ClassVar

from twisted.python import usage

from uotp.cli.cert.servers import SERVER_PORT
from uotp.cli.cert.shared import parseCertificateHost, serverAddress
from uotp.cli.options import GnuOptions, Option, Repeated
from uotp.cli.parsers import absolutePath
from uotp.cli.unsaid import shownUrl
from uotp.net import Host
from uotp.pki import Pki, makePki

TARGET = ("127.0.0.1", "51820")
"""The target in the example: WireGuard's usual port, on the server itself."""


class InitOptions(GnuOptions):
    """
    Holds the options of C{uotp cert init DIR [--host NAME-or-IP]...}
    """

    commandName: ClassVar[str] = "uotp cert init"
    neighbours: ClassVar[tuple[str, ...]] = (
        "uotp.cli.server:Options",
        "uotp.cli.client:Options",
        "uotp.cli.cert.renewing:RenewOptions",
    )
    positionals: ClassVar[str] = "DIR"
    longdesc = (
        "Makes a private PKI in DIR, in one go: a CA, a certificate for the server and one for the client. "
        "Then it prints the two command lines that use them.  Files that are there already are never overwritten."
    )
    rows = (
        Repeated(
            "host",
            None,
            "A name or address that clients dial; may be repeated.  [default: this machine's name, local ones]",
            parseCertificateHost,
            metavar="HOST",
            isPlace=True,
        ),
        Option(
            "ca-key",
            None,
            "Where to put the CA's key.  [default: ca.key in DIR]",
            absolutePath,
            "authorityKey",
            metavar="FILE",
        ),
    )

    def parseArgs(self, *words: Any) -> None:
        """
        Take the directory.

        @raise usage.UsageError: when there is not exactly one.
        """
        if len(words) != 1:
            told = f", and there are {len(words)}: {', '.join(map(shownUrl, words[:5]))}" if words else ""
            reason = f"one directory for the certificates is needed{told}: write {self.commandName} DIR --host NAME"
            raise usage.UsageError(reason)
        try:
            self["directory"] = absolutePath(words[0])
        except ValueError as error:
            reason = f"DIR {shownUrl(words[0])}: {error}" if words[0] else f"DIR: {error}"
            raise usage.UsageError(reason) from error


class CertOptions(InitOptions):
    """
    Holds the options of C{uotp cert DIR}, the short form.
    """

    commandName: ClassVar[str] = "uotp cert"
    positionals: ClassVar[str] = "[COMMAND] DIR"
    neighbours = (
        "uotp.cli.server:Options",
        "uotp.cli.client:Options",
        "uotp.cli.cert.adding:AddOptions",
        "uotp.cli.cert.renewing:RenewOptions",
    )
    longdesc = (
        f"{InitOptions.longdesc}  The other commands work in the directory pki, or in that of --pki.  `uotp cert "
        "COMMAND --help` tells more.  A word that is a command is never a directory: write ./list for one that is "
        "called so."
    )
    listedCommands = (
        ("init DIR", "makes a CA and certificates; DIR alone does the same"),
        ("add NAME", "makes a certificate for a further client"),
        ("bundle NAME SERVER...", "writes the one file with all that a client needs"),
        ("list", "shows what was issued"),
        ("renew NAME|server", "makes a new certificate in place of the old"),
        ("revoke NAME", "shuts a client out"),
    )


def init(options: InitOptions) -> str:
    """
    Make a PKI.

    @return: what the user is told.
    @raise ConfigurationError: when none could be made.
    """
    return describe(makePki(options["directory"], options["host"], authorityKey=options["ca-key"]))


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
    trusted = [*authority, "--crl", pki.revocationList]
    server = ["uotp-server", *listen, "-c", pki.serverCertificate, "-k", pki.serverKey, *trusted, *TARGET]
    identity = ["uotp-client", "-c", pki.clientCertificate, "-k", pki.clientKey]
    client = [*identity, *authority, address, SERVER_PORT]
    further = ["uotp", "cert", "add", "NAME", "--bundle", address, "--pki", pki.directory]
    url = f"wss://{Host.parse(address).besidePort}:{SERVER_PORT}/PATH"
    nameOfKey = "ca.key" if pki.authorityKey is None else pki.authorityKey
    pinned = [*identity, "--pin", pki.pin, address, SERVER_PORT]
    return f"""\
Made in {pki.directory}, valid for ten years:
  ca.pem      {nameOfKey:<11}  the certification authority (CA) of these alone
  server.pem  server.key   for {", ".join(pki.hosts)}
  client.pem  client.key   for the first client
  crl.pem                  whom the CA has revoked: nobody yet
  issued/                  what the CA has issued

On the server ({" ".join(TARGET)} is where the datagrams go, here a WireGuard
on the same machine: put your own target there):

  {shlex.join(server)}

On the client:

  {shlex.join(client)}

Copy ca.pem, client.pem and client.key to the client, the key by a secret way
(scp), and put their paths there into its line.  The server needs ca.pem,
crl.pem, server.pem and server.key.  ca.key is not needed on either host: keep
it offline, whoever has it can make certificates that both ends trust.  A
further client, with one file to copy:

  {shlex.join(further)}

Where the server is told --http-path, clients are told a URL, --bundle too:

  {url}

Pin (SHA-256 of the server's public key): {pki.pin}
Instead of -C and the CA's file, a client can trust this one key alone:

  {shlex.join(pinned)}
"""
