"""
Who is let in and who is not, with real programs at both ends: each refusal is
said once at either end, with its reason in words, and no datagram passes.
"""

from __future__ import annotations

import base64
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from bench.rig.ports import LOOPBACK, Address, freePort
from bench.rig.programs import Program, until
from tests.doubles.certificates import CLIENT, DAY, NOW, Authority, Issued, pem, selfSigned
from tests.integration.harness import needed, runToEnd
from tests.integration.rig import RigTestCase, said, warned
from tests.integration.udpends import AGAIN, Flow, UdpEnd
from uotp.tls.pins import publicKeyPin

TRUSTED = Authority("Trusted CA")
STRANGER = Authority("Stranger CA")
GOOD = TRUSTED.issue(LOOPBACK, "localhost")

BEFORE = NOW - 50 * DAY
YESTERDAY = NOW - DAY
TOMORROW = NOW + timedelta(days=2)

ATTEMPTS = 4
"""Connections that are to be refused before we count how often that was said."""

OPEN_TO_ALL = "no --cafile, --clients or --token-file says who may"
"""What a server warns of that asks its clients for no certificate."""

SECRET = AGAIN + b"nobody but the target may see this"


def day(moment: datetime) -> str:
    """
    @return: a date as the log has it.
    """
    return f"{moment:%Y-%m-%d}"


def opensslProgram() -> str:
    """
    @return: the path of the program C{openssl}.
    """
    path = shutil.which("openssl")
    if path is None:
        needed("openssl is missing: install the package of that name")
    return path


class TrustTestCase(RigTestCase):
    """
    A test whose certificates are made for it.
    """

    def setUp(self) -> None:
        super().setUp()
        self.folder = Path(self.mktemp()).resolve()
        self.folder.mkdir()
        self.trusted = self.write("trusted", TRUSTED)
        self.udpTarget = self.udpEnd()

    def write(self, name: str, one: Issued | Authority) -> str:
        """
        @return: a new file, of a certificate with its key or of a CA without.
        """
        path = self.folder / f"{name}.pem"
        if isinstance(one, Issued):
            return one.write(path)
        path.write_bytes(pem(one.certificate))
        return str(path)

    def secureServer(self, certificate: str, *options: str, listen: Address = (LOOPBACK, 0)) -> Program:
        """
        Start a server.
        """
        return self.startServer(self.udpTarget.address, "-c", certificate, *options, listen=listen)

    def attempt(self, client: Program) -> UdpEnd:
        """
        Send through a client, when it listens, what must not arrive.
        """
        application = self.udpEnd()
        address = self.listening(client)
        for _ in range(3):
            application.send(SECRET, address)
        return application

    def assertComplaints(self, program: Program, *complaints: str) -> None:
        """
        These are all the warnings and errors of a program, each of them once; see L{warned}.  Where a machine is slow,
        what was sent waits so long for a server that is refused that it is dropped.

        @param complaints: regular expressions.
        """
        lines = [line for line in warned(program) if "waited too long" not in line]
        self.assertEqual(len(lines), len(complaints), program.name)
        for line, complaint in zip(lines, complaints, strict=True):
            self.assertRegex(line, complaint)

    def assertNothingPassed(self) -> None:
        """
        The target has not got anything.
        """
        self.assertIsNone(self.udpTarget.receive(0.05))


class ServerRefusedTests(TrustTestCase):
    """
    A client does not accept its server.
    """

    def assertRefused(
        self, shown: Issued, options: Sequence[str], words: str, alert: str, warning: str | None = None
    ) -> None:
        """
        The client says C{words} and the server C{alert}, each once in several
        attempts.

        @param warning: what the server says of its own certificate at the start.
        """
        address = (LOOPBACK, freePort(socket.SOCK_STREAM))
        relay = self.relay(address)
        server = self.secureServer(self.write("server", shown), listen=address)
        client = self.startClient(relay.address, "-B", "0.1", *options)
        self.listening(server)
        application = self.attempt(client)
        until(lambda: len(relay.connections) >= ATTEMPTS, "it tries again and again")
        application.send(SECRET, self.listening(client))
        server.waitForLine("refused a connection")
        self.assertStops(client)
        self.assertStops(server)
        self.assertComplaints(client, f"{relay.address[1]}.*: {words}")
        warnings = [] if warning is None else [warning]
        self.assertComplaints(server, *warnings, OPEN_TO_ALL, f"refused a connection from {LOOPBACK}: {alert}")
        self.assertNothingPassed()

    def test_expiredCertificate(self) -> None:
        shown = TRUSTED.issue(LOOPBACK, begins=BEFORE, ends=YESTERDAY)
        words = rf"certificate expired \(on {day(YESTERDAY)}\)"
        alert = "the peer refused our certificate: expired"
        self.assertRefused(shown, ["-C", self.trusted], words, alert, "certificate in .* expired on")

    def test_certificateOfTheFuture(self) -> None:
        shown = TRUSTED.issue(LOOPBACK, begins=TOMORROW)
        words = rf"certificate not yet valid \(before {day(TOMORROW)} \d\d:\d\d UTC\)"
        alert = "the peer refused our certificate: bad certificate"
        self.assertRefused(shown, ["-C", self.trusted], words, alert, "certificate in .* is not valid before")

    def test_unknownIssuer(self) -> None:
        """
        Which issuer it is that nobody knows here.
        """
        words = "unknown issuer 'CN=Stranger CA'"
        alert = "the peer refused our certificate: unknown CA"
        self.assertRefused(STRANGER.issue(LOOPBACK), ["-C", self.trusted], words, alert)

    def test_systemsCasDoNotKnowAPrivateOne(self) -> None:
        """
        Without C{-C} and C{--pin} the system's CAs decide.
        """
        alert = "the peer refused our certificate: unknown CA"
        self.assertRefused(GOOD, [], "unknown issuer 'CN=Trusted CA'", alert)

    def test_wrongName(self) -> None:
        """
        What was expected, and what the certificate has.
        """
        shown = TRUSTED.issue("a.test", "192.0.2.1")
        words = rf"wrong name: expected {LOOPBACK}, certificate has a\.test, 192\.0\.2\.1"
        self.assertRefused(shown, ["-C", self.trusted], words, "the peer refused the handshake: wrong name or pin")

    def test_wrongServerName(self) -> None:
        """
        C{--tls-servername} counts in place of what is dialled.
        """
        options = ["-C", self.trusted, "--tls-servername", "b.test"]
        words = rf"wrong name: expected b\.test, certificate has localhost, {LOOPBACK}"
        self.assertRefused(GOOD, options, words, "the peer refused the handshake: wrong name or pin")

    def test_selfSignedCertificate(self) -> None:
        words = "self-signed certificate 'CN=alone'"
        alert = "the peer refused our certificate: unknown CA"
        self.assertRefused(selfSigned(LOOPBACK), ["-C", self.trusted], words, alert)

    def test_otherKeyThanThePin(self) -> None:
        """
        The certificate is in order, but its key is not the one that is pinned.
        """
        options = ["-C", self.trusted, "--pin", "00" * 32]
        words = rf"public key does not match any pin \(certificate has {publicKeyPin(GOOD.certificate).hex()}\)"
        self.assertRefused(GOOD, options, words, "the peer refused the handshake: wrong name or pin")


class ClientRefusedTests(TrustTestCase):
    """
    A server does not accept a client.
    """

    def test_serverSaysOfEachClientWhatIsWrong(self) -> None:
        """
        Six clients: without a certificate, and with one that is expired, not yet
        valid, of an unknown issuer, self-signed, or a server's.  The server says of
        each what is wrong, once; each client says what it was told, once.
        """
        address = (LOOPBACK, freePort(socket.SOCK_STREAM))
        relay = self.relay(address)
        server = self.secureServer(self.write("server", GOOD), "-C", self.trusted, listen=address)
        refused = "the peer refused our certificate: "
        cases = [
            (None, "no client certificate", r"the server wants a client certificate \(--cert\)"),
            (
                TRUSTED.issue(usages=CLIENT, begins=BEFORE, ends=YESTERDAY),
                rf"certificate expired \(on {day(YESTERDAY)}\)",
                f"{refused}expired",
            ),
            (
                TRUSTED.issue(usages=CLIENT, begins=TOMORROW),
                rf"certificate not yet valid \(before {day(TOMORROW)} \d\d:\d\d UTC\)",
                f"{refused}bad certificate",
            ),
            (STRANGER.issue(usages=CLIENT), "unknown issuer 'CN=Stranger CA'", f"{refused}unknown CA"),
            (selfSigned("me"), "self-signed certificate 'CN=alone'", f"{refused}unknown CA"),
            (TRUSTED.issue(), r"not a client certificate \(wrong purpose\)", f"{refused}wrong purpose"),
        ]
        clients = []
        for number, (shown, _, _) in enumerate(cases):
            options = [] if shown is None else ["-c", self.write(f"client{number}", shown)]
            clients.append(self.startClient(relay.address, "-B", "0.1", "-C", self.trusted, *options))
        self.listening(server)
        applications = [self.attempt(client) for client in clients]
        until(lambda: len(relay.connections) >= ATTEMPTS * len(clients), "they try again and again")
        for (_, words, answer), client in zip(cases, clients, strict=True):
            client.waitForLine(answer)
            server.waitForLine(words)
        for application, client in zip(applications, clients, strict=True):
            application.send(SECRET, self.listening(client))
        for client in clients:
            self.assertStops(client)
        self.assertStops(server)
        for (_, words, answer), client in zip(cases, clients, strict=True):
            lines = [line for line in server.lines if re.search(f"refused a connection from {LOOPBACK}: {words}", line)]
            self.assertEqual(len(lines), 1, words)
            own = ["certificate in"] if "valid" in words or "expired" in words else []
            self.assertComplaints(client, *own, answer)
        self.assertNothingPassed()


class AcceptedTests(TrustTestCase):
    """
    What is enough to be let in.
    """

    def test_choicesThatAreEnough(self) -> None:
        """
        The CA alone; the pin alone, whatever else the certificate says, in
        hexadecimal or base64, one of several; C{--tls-servername} for a certificate
        that does not have the address; C{--no-hostname-check} with the CA.  One file
        for certificate and key is enough everywhere.
        """
        client = self.write("client", TRUSTED.issue(usages=CLIENT))
        other = STRANGER.issue("other.test", begins=BEFORE, ends=YESTERDAY)
        named = TRUSTED.issue("vpn.test")
        pin = publicKeyPin(other.certificate)
        coded = "sha256//" + base64.b64encode(pin).decode()
        ca = ["-C", self.trusted]
        cases: list[tuple[Issued, list[str], list[list[str]]]] = [
            (GOOD, ca, [[*ca, "-c", client]]),
            (other, [], [["--pin", pin.hex()], ["--pin", "11" * 32, "--pin", coded]]),
            (named, [], [[*ca, "--tls-servername", "vpn.test"], [*ca, "--no-hostname-check"]]),
        ]
        started = []
        servers = [
            self.secureServer(self.write(f"server{number}", shown), *serverOptions)
            for number, (shown, serverOptions, _) in enumerate(cases)
        ]
        for server, (_, _, clients) in zip(servers, cases, strict=True):
            address = self.listening(server)
            started += [self.startClient(address, *options) for options in clients]
        for one in started:
            Flow(self.udpEnd(), self.listening(one), self.udpTarget).open(b"hello")


class VersionTests(TrustTestCase):
    """
    What a foreign TLS client meets at our server.
    """

    def shake(self, server: Address, *options: str) -> subprocess.CompletedProcess[str]:
        """
        @return: what C{openssl s_client} says of a handshake.
        """
        where = f"{server[0]}:{server[1]}"
        return runToEnd([opensslProgram(), "s_client", "-connect", where, "-CAfile", self.trusted, *options])

    def serialSeen(self, server: Address) -> int:
        """
        @return: the serial number of the certificate that a new connection gets.
        """
        shown = self.shake(server, "-showcerts").stdout
        begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
        one = self.folder / "seen.pem"
        one.write_text(shown[shown.index(begin) : shown.index(end) + len(end)] + "\n", encoding="ascii")
        done = runToEnd([opensslProgram(), "x509", "-in", str(one), "-noout", "-serial"])
        return int(done.stdout.partition("=")[2], 16)

    def test_onlyNewVersionsAreSpoken(self) -> None:
        """
        TLS 1.2 and 1.3, with ciphers that have forward secrecy and are AEAD; 1.1 is
        refused, and the log says so.
        """
        server = self.secureServer(self.write("server", GOOD))
        address = self.listening(server)
        for option, version, cipher in (
            ("-tls1_3", "TLSv1.3", r"TLS_AES_(128_GCM_SHA256|256_GCM_SHA384)|TLS_CHACHA20_POLY1305_SHA256"),
            ("-tls1_2", "TLSv1.2", r"ECDHE-ECDSA-(AES(128|256)-GCM-SHA(256|384)|CHACHA20-POLY1305)"),
        ):
            done = self.shake(address, option)
            self.assertRegex(done.stdout, rf"New, {version}, Cipher is ({cipher})\n")
            self.assertIn("Verify return code: 0 (ok)", done.stdout)
        old = self.shake(address, "-tls1_1", "-cipher", "ALL@SECLEVEL=0")
        self.assertNotEqual(old.returncode, 0)
        self.assertIn("alert protocol version", old.stderr)
        cbc = self.shake(address, "-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256")
        self.assertNotEqual(cbc.returncode, 0)
        for words in ("no common TLS version", "no common cipher"):
            server.waitForLine(f"refused a connection from {LOOPBACK}: {words}")

    def test_renewedCertificateIsServedAfterSighup(self) -> None:
        """
        After SIGHUP new connections get the new certificate, and those that are up
        go on; files that cannot be used leave everything as it is, and the log says
        which and why.
        """
        certificate = self.write("server", GOOD)
        port = freePort(socket.SOCK_STREAM)
        server = self.secureServer(certificate, listen=(LOOPBACK, port))
        client = self.startClient((LOOPBACK, port), "-C", self.trusted, "-n", "2")
        address = self.listening(server)
        flow = Flow(self.udpEnd(), self.listening(client), self.udpTarget)
        flow.open(b"before")
        source = flow.source
        self.assertEqual(self.serialSeen(address), GOOD.certificate.serial_number)

        renewed = TRUSTED.issue(LOOPBACK)
        renewed.write(Path(certificate))
        seen = self.serialSeen(address)
        if not said(server, " has changed, and is used from now on"):  # by itself, some seconds later
            self.assertEqual(seen, GOOD.certificate.serial_number, "not before it is told to")
        server.process.send_signal(signal.SIGHUP)
        server.waitForLine(r"\breloaded")
        self.assertEqual(self.serialSeen(address), renewed.certificate.serial_number)
        self.assertEqual(flow.forth(b"in between"), source)

        Path(certificate).write_bytes(renewed.certificatePem() + GOOD.keyPem())
        server.process.send_signal(signal.SIGHUP)
        server.waitForLine(rf"not reloaded, the old certificates stay in use: {certificate} does not match")
        self.assertEqual(self.serialSeen(address), renewed.certificate.serial_number)
        flow.both(b"after")
        self.assertEqual(flow.source, source)
        self.assertEqual(warned(client), [])

    def test_revokedClientIsOutAfterSighup(self) -> None:
        """
        Its tunnels are closed and it gets no others; another client goes on, and keeps its source.
        """
        cafile = self.write("clients", TRUSTED)
        port = freePort(socket.SOCK_STREAM)
        server = self.secureServer(self.write("server", GOOD), "-C", cafile, listen=(LOOPBACK, port))
        self.listening(server)
        shown = {name: TRUSTED.issue(usages=CLIENT, subject=name) for name in ("good", "revoked")}
        clients = {
            name: self.startClient(
                (LOOPBACK, port), "-C", self.trusted, "-c", self.write(name, issued), "-n", "1", "-B", "0.2"
            )
            for name, issued in shown.items()
        }
        flows = {name: Flow(self.udpEnd(), self.listening(client), self.udpTarget) for name, client in clients.items()}
        for flow in flows.values():
            flow.open(b"before")
        source = flows["good"].source
        Path(cafile).write_bytes(pem(TRUSTED.certificate) + TRUSTED.revocationList(shown["revoked"].certificate))
        server.process.send_signal(signal.SIGHUP)
        server.waitForLine(r"\breloaded")
        server.waitForLine("its certificate has been revoked since it was let in")
        server.waitForLine("certificate was revoked by 'CN=Trusted CA'")
        clients["revoked"].waitForLine("the peer refused our certificate: revoked")
        flows["revoked"].application.send(SECRET, flows["revoked"].client)
        flows["good"].both(b"after")
        self.assertEqual(flows["good"].source, source)
        self.assertNothingPassed()

    def test_clientShowsItsNewCertificateAfterSighup(self) -> None:
        """
        A client that was refused, since its certificate was a stranger's, is let in
        when it has got one of the CA and SIGHUP, without a new start.
        """
        path = self.write("client", STRANGER.issue(usages=CLIENT))
        port = freePort(socket.SOCK_STREAM)
        server = self.secureServer(self.write("server", GOOD), "-C", self.trusted, listen=(LOOPBACK, port))
        client = self.startClient((LOOPBACK, port), "-C", self.trusted, "-c", path, "-B", "0.2")
        self.listening(server)
        self.attempt(client)
        client.waitForLine("the peer refused our certificate: unknown CA")
        self.assertNothingPassed()
        TRUSTED.issue(usages=CLIENT).write(Path(path))
        client.process.send_signal(signal.SIGHUP)
        client.waitForLine(r"\breloaded")
        Flow(self.udpEnd(), self.listening(client), self.udpTarget).open(b"hello")  # what waited may pass before
