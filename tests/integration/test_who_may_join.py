"""
Who may join, with real programs: files that change are taken up by themselves, and whoever may not join any more
is gone.
"""

from __future__ import annotations

import base64
import signal
import socket
from pathlib import Path

from cryptography.x509 import load_pem_x509_certificate

from bench.rig.ports import LOOPBACK, Address, freePort
from bench.rig.programs import Program
from tests.doubles.certificates import CLIENT, Issued, selfSigned
from tests.integration.harness import needed, ourCommand, runToEnd
from tests.integration.rig import said
from tests.integration.test_trust import GOOD, SECRET, TRUSTED, TrustTestCase, opensslProgram
from tests.integration.udpends import Flow
from tests.pages import printedBlocks
from uotp.tls.clients import readClients
from uotp.tls.files import DISK
from uotp.tls.pins import publicKeyPin
from uotp.tls.tokens import readTokens

PATH = "/7c6e9aa5a1dd0f5b"

TOKENS = "a token of 24 characters", "another one of 29 characters."

CHANGED = " has changed, and is used from now on"


def pinOf(issued: Issued) -> str:
    """
    @return: the pin of its key.
    """
    return "sha256//" + base64.b64encode(publicKeyPin(issued.certificate)).decode("ascii")


def writeLines(folder: Path, name: str, *lines: str) -> str:
    """
    @return: a file with these lines, which is there at once.
    """
    path, new = folder / name, folder / f"{name}.new"
    new.touch(mode=0o600)
    new.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    new.replace(path)
    return str(path)


class WhoMayJoinTests(TrustTestCase):
    """
    Let two clients in, and shut one out while it runs.
    """

    def join(self, shown: dict[str, list[str]], *options: str) -> dict[str, Flow]:
        """
        @param shown: the options of each client, by its name.
        @param options: those of the server.
        @return: their flows, through which something has passed both ways.
        """
        address = (LOOPBACK, freePort(socket.SOCK_STREAM))
        self.server = self.secureServer(self.write("server", GOOD), *options, listen=address)
        self.listening(self.server)
        usual = ["-C", self.trusted, "-n", "1", "-B", "0.2"]
        self.clients = {name: self.startJoining(address, *usual, *words) for name, words in shown.items()}
        flows = {
            name: Flow(self.udpEnd(), self.listening(client), self.udpTarget) for name, client in self.clients.items()
        }
        for flow in flows.values():
            flow.open(b"before")
        return flows

    def startJoining(self, server: Address, *options: str) -> Program:
        """
        @return: a client of that server.
        """
        return self.startClient(server, *options)

    def assertOneIsOut(self, flows: dict[str, Flow], words: str) -> None:
        """
        C{lost} carries nothing any more, and C{kept} has its source as before.

        @param words: what the server says of it.
        """
        self.server.waitForLine(words)
        self.clients["lost"].waitForLine("refuse|does not know our token")
        source = flows["kept"].source
        flows["lost"].application.send(SECRET, flows["lost"].client)
        flows["kept"].both(b"after")
        self.assertEqual(flows["kept"].source, source)
        self.assertNothingPassed()

    def test_aRevokedClientIsOutByItself(self) -> None:
        """
        With workers, of which each has the list.
        """
        shown = {name: TRUSTED.issue(usages=CLIENT, subject=name) for name in ("kept", "lost")}
        crl = self.folder / "crl.pem"
        crl.write_bytes(TRUSTED.revocationList())
        options = ["-C", self.trusted, "--crl", str(crl), "--workers", "2"]
        flows = self.join({name: ["-c", self.write(name, each)] for name, each in shown.items()}, *options)
        crl.write_bytes(TRUSTED.revocationList(shown["lost"].certificate))
        self.assertOneIsOut(flows, "closed a tunnel from .*: its certificate has been revoked since it was let in")
        self.server.waitForLine("its client may not join any more")
        self.server.waitForLine(CHANGED)

    def test_aClientThatIsTakenOutOfTheListIsOut(self) -> None:
        """
        Without a CA, with certificates that nobody else has signed; the log has the names of the list.
        """
        shown = {name: selfSigned(name) for name in ("kept", "lost")}
        listed = writeLines(self.folder, "clients", *(f"{pinOf(each)} {name} of Anna" for name, each in shown.items()))
        options = ["--clients", listed]
        flows = self.join({name: ["-c", self.write(name, each)] for name, each in shown.items()}, *options)
        self.server.waitForLine(r"session \w+ opened from .* \(lost of Anna\)")
        writeLines(self.folder, "clients", f"{pinOf(shown['kept'])} kept of Anna")
        self.server.process.send_signal(signal.SIGHUP)
        words = r"its key has been taken out of the list of clients \(its certificate: lost of Anna\)"
        self.assertOneIsOut(flows, words)

    def test_aTokenThatIsTakenOutLetsNobodyIn(self) -> None:
        """
        Clients show it in TLS, and have no certificates.  Nobody's log has it.
        """
        files = dict(zip(("kept", "lost"), TOKENS, strict=True))
        tokens = writeLines(self.folder, "tokens", *TOKENS)
        shown = {
            name: ["--token-file", writeLines(self.folder, f"{name}.token", token)] for name, token in files.items()
        }
        flows = self.join(shown, "--token-file", tokens, "-v", "debug")
        writeLines(self.folder, "tokens", "# the other one is lost", TOKENS[0])
        self.server.process.send_signal(signal.SIGHUP)
        self.assertOneIsOut(flows, "closed a tunnel from .*: its token has been taken out of the token file")
        self.server.waitForLine("refused a connection from .*: wrong token")
        for program in (self.server, *self.clients.values()):
            for token in TOKENS:
                self.assertNotIn(token, "".join(program.lines))


class InWebSocketTests(WhoMayJoinTests):
    """
    The same for clients that come by the secret path.
    """

    def join(self, shown: dict[str, list[str]], *options: str) -> dict[str, Flow]:
        """
        See L{WhoMayJoinTests}.
        """
        return super().join(shown, "--http-path", PATH, *options)

    def startJoining(self, server: Address, *options: str) -> Program:
        """
        @return: a client that is told the URL.
        """
        url = f"wss://{server[0]}:{server[1]}{PATH}"
        return self.start("our client", ourCommand("client", "-a", LOOPBACK, "-p", "0", *options, url))

    def assertOneIsOut(self, flows: dict[str, Flow], words: str) -> None:
        """
        Nor does anybody's log have the path.
        """
        super().assertOneIsOut(flows, words)
        for program in (self.server, *self.clients.values()):
            self.assertEqual(said(program, PATH[1:]), [])


class PageTests(TrustTestCase):
    """
    Do what C{docs/howto/who-may-join.rst} says with openssl.
    """

    def test_keysAndTokensAreMadeByOpenssl(self) -> None:
        printed = printedBlocks()
        if not printed:
            needed("the pages are not here: run the tests in a checkout")
        opensslProgram()
        said = [
            runToEnd(["sh", "-ec", printed[mark]], folder=str(self.folder)).stdout
            for mark in ("join-self-signed", "join-make-token")
        ]
        certificate = load_pem_x509_certificate((self.folder / "laptop.pem").read_bytes())
        listed = writeLines(self.folder, "clients", f"sha256//{said[0].strip()} laptop")
        self.assertEqual(readClients(listed, DISK).names, {publicKeyPin(certificate): "laptop"})
        self.assertEqual(len(readTokens(str(self.folder / "token"), DISK).first), 64)
        self.assertEqual((self.folder / "token").stat().st_mode & 0o777, 0o600)
