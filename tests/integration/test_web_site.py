"""
What somebody sees who looks what is at the port of a server: the web server behind it, and nothing else.  Each
probe is made twice, of our server and of the TLS port of a real nginx with the same pages, and what comes back has
to be the same.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import ssl
import subprocess
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.rig.ports import LOOPBACK, Address, freePort
from bench.rig.programs import until
from tests.integration.harness import needed, ourCommand, runToEnd
from tests.integration.rig import RigTestCase, said
from tests.integration.test_terminator import accepts
from tests.integration.udpends import Flow
from tests.integration.website import startWebSite

MORE = """\
    client_header_timeout 3s;
    client_body_timeout 3s;
    keepalive_timeout 3s;
    server {{
        listen {tls[0]}:{tls[1]} ssl;
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
    }}
"""
"""What nginx is told besides: to lose patience soon, and to listen with TLS of its own."""

TOKEN = "a token of 24 letters, so"  # noqa: S105 - for a test

PATH = "/a-path-that-nobody-knows"

UUID = uuid.UUID(bytes=bytes(range(0x40, 0x50)), version=4).bytes

HOST = b"Host: vpn.example.com\r\n"

CLOSE = HOST + b"Connection: close\r\n\r\n"

UPGRADE = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: %b\r\nSec-WebSocket-Key: %b\r\n"

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="

CLIENT_HELLO = bytes.fromhex("16030100c5010000c10303") + bytes(range(190))

LEAVE = b""
"""Stands in place of what is said: the other end says that nothing more comes from it."""


def asks(first: bytes, fields: bytes = CLOSE) -> list[bytes]:
    """
    @return: a request.
    """
    return [first + b"\r\n" + fields]


def withToken(token: bytes) -> bytes:
    """
    @return: a hello that shows it.
    """
    extension = b"\4" + len(token).to_bytes(2, "big") + token
    return b"uotp\2\0" + len(extension).to_bytes(2, "big") + UUID + extension


PROBES: dict[str, list[bytes]] = {
    "GET": asks(b"GET / HTTP/1.1"),
    "GET of nothing": asks(b"GET /nothing HTTP/1.1"),
    "HEAD": asks(b"HEAD / HTTP/1.1"),
    "POST": asks(b"POST / HTTP/1.1", b"Content-Length: 5\r\n" + CLOSE + b"hello"),
    "POST in chunks": asks(b"POST /x HTTP/1.1", b"Transfer-Encoding: chunked\r\n" + CLOSE + b"1\r\na\r\n0\r\n\r\n"),
    "OPTIONS *": asks(b"OPTIONS * HTTP/1.1"),
    "TRACE": asks(b"TRACE / HTTP/1.1"),
    "a method that there is not": asks(b"BREW / HTTP/1.1"),
    "HTTP/1.0": asks(b"GET / HTTP/1.0", b"\r\n"),
    "HTTP/0.9": [b"GET /\r\n"],
    "a bad version": asks(b"GET / HTTP/7.5"),
    "kept alive": asks(b"GET / HTTP/1.1", HOST + b"\r\n"),
    "two at once": [b"GET / HTTP/1.1\r\n" + HOST + b"\r\n" + b"GET /nothing HTTP/1.1\r\n" + CLOSE],
    "one behind the other": [b"GET / HTTP/1.1\r\n" + HOST + b"\r\n", b"GET /nothing HTTP/1.1\r\n" + CLOSE],
    "no Host": asks(b"GET / HTTP/1.1", b"\r\n"),
    "a huge head": asks(b"GET / HTTP/1.1", b"X: " + b"a" * 40_000 + b"\r\n" + CLOSE),
    "a huge line": asks(b"GET /" + b"a" * 40_000 + b" HTTP/1.1"),
    "only LF": [b"GET / HTTP/1.1\nHost: a\nConnection: close\n\n"],
    "spaces": asks(b"GET  /  HTTP/1.1"),
    "a target that is a URL": asks(b"GET http://vpn.example.com/ HTTP/1.1"),
    "zeros": [bytes(64)],
    "16 bytes that are no UUID": [bytes(range(0xF0, 0x100))],
    "a UUID of version 4, as a hello of format 1 is": [UUID],
    "a hello of format 2 without a token": [b"uotp\2\0\0\0" + UUID],
    "a hello with a wrong token": [withToken(b"a token that is not known")],
    "that hello and frames": [withToken(b"a token that is not known") + b"\0\0\0\4\0\4\0\0\0\0ping"],
    "a hello with flags": [b"uotp\2\1\0\0" + UUID],
    "a hello of another format": [b"uotp\3\0\0\0" + UUID],
    "HTTP/2": [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"],
    "TLS in TLS": [CLIENT_HELLO],
    "a PROXY header": [b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nGET / HTTP/1.1\r\n" + CLOSE],
    "a banner of SSH": [b"SSH-2.0-OpenSSH_9.2\r\n"],
    "half a line": [b"GET / HTT"],
    "half a request": [b"GET / HTTP/1.1\r\nHost"],
    "half a request, and no more": [b"GET / HTTP/1.1\r\nHost", LEAVE],
    "a request, and no more": [b"GET / HTTP/1.1\r\n" + HOST + b"\r\n", LEAVE],
    "nothing": [],
    "nothing, and no more": [LEAVE],
    "WebSocket at another path": asks(b"GET /chat HTTP/1.1", UPGRADE % (b"13", KEY) + HOST + b"\r\n"),
    "WebSocket at a path that is nearly right": asks(
        b"GET " + PATH[:-1].encode() + b" HTTP/1.1", UPGRADE % (b"13", KEY) + HOST + b"\r\n"
    ),
    "the path, another version": asks(b"GET " + PATH.encode() + b" HTTP/1.1", UPGRADE % (b"12", KEY) + HOST + b"\r\n"),
    "the path, a bad key": asks(b"GET " + PATH.encode() + b" HTTP/1.1", UPGRADE % (b"13", b"abc") + HOST + b"\r\n"),
    "the path, no upgrade": asks(b"GET " + PATH.encode() + b" HTTP/1.1"),
    "the path, HTTP/1.0": asks(b"GET " + PATH.encode() + b" HTTP/1.0", UPGRADE % (b"13", KEY) + HOST + b"\r\n"),
    "slowly": [bytes([letter]) for letter in b"GET / HTTP/1.1\r\n" + CLOSE],
    "a hello slowly": [bytes([letter]) for letter in b"uotp\2\0\0\0" + UUID],
}
"""What is said, piece by piece."""

NO_GOODBYE = frozenset(
    {"half a line", "half a request", "half a request, and no more", "a request, and no more", "nothing, and no more"}
)
"""
Where this nginx ends the connection without the goodbye of TLS.  Over plain TCP, which is all that we see of it, such
an end looks like any other, and so ours has a goodbye, as that of other web servers.
"""

PATIENCE_SECONDS = 300.0
"""Against hanging only."""

TIMES = 5
"""So often what others are asked for, and may be late with, is asked again before it is believed."""


class Prober:
    """
    Says something by TLS, and keeps what comes back.
    """

    def __init__(self, address: Address) -> None:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self._socket = socket.create_connection(address, PATIENCE_SECONDS)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname="localhost")

    def _flush(self) -> None:
        said = self._outgoing.read()
        if said:
            self._socket.sendall(said)

    def _do(self, act: Callable[[], bytes | None]) -> bytes | None:
        while True:
            try:
                done = act()
            except ssl.SSLWantReadError:
                self._flush()
                come = self._socket.recv(65536)
                if come:
                    self._incoming.write(come)
                else:
                    self._incoming.write_eof()
            else:
                self._flush()
                return done

    def probe(self, pieces: list[bytes]) -> tuple[bytes, str]:
        """
        @return: what has come back, and how it has ended.
        """
        heard = b""
        with self._socket:
            try:
                self._do(self._tls.do_handshake)
                for number, piece in enumerate(pieces):
                    if number:
                        time.sleep(0.02)
                    if piece is LEAVE:
                        self._leave()
                    else:
                        self._tls.write(piece)
                        self._flush()
                while True:
                    come = self._do(lambda: self._tls.read(65536))
                    if not come:
                        return heard, "closed"
                    heard += come
            except ssl.SSLZeroReturnError:
                return heard, "closed"
            except ssl.SSLEOFError:
                return heard, "cut off"
            except (ConnectionResetError, BrokenPipeError):
                return heard, "reset"

    def _leave(self) -> None:
        try:
            self._tls.unwrap()
        except ssl.SSLWantReadError:
            self._flush()


class PlainProber:
    """
    Says something in plain TCP, and keeps what comes back.
    """

    def __init__(self, address: Address) -> None:
        self._socket = socket.create_connection(address, PATIENCE_SECONDS)

    def probe(self, pieces: list[bytes]) -> tuple[bytes, str]:
        """
        See L{Prober.probe}.
        """
        heard = b""
        with self._socket:
            try:
                for number, piece in enumerate(pieces):
                    if number:
                        time.sleep(0.02)
                    if piece is LEAVE:
                        self._socket.shutdown(socket.SHUT_WR)
                    else:
                        self._socket.sendall(piece)
                while True:
                    come = self._socket.recv(65536)
                    if not come:
                        return heard, "closed"
                    heard += come
            except (ConnectionResetError, BrokenPipeError):
                return heard, "reset"


Probed = tuple[bytes, str]
"""What has come back, and how it has ended."""


def probed(
    address: Address, pieces: list[bytes], newProber: Callable[[Address], Prober | PlainProber] = Prober
) -> Probed:
    """
    @return: what has come back, without its date, and how it has ended.
    """
    heard, end = newProber(address).probe(pieces)
    return re.sub(rb"\r\nDate: [^\r]*", b"\r\nDate: ...", heard), end


def probedAtBoth(
    addresses: Sequence[Address], newProber: Callable[[Address], Prober | PlainProber] = Prober
) -> dict[str, tuple[Probed, Probed]]:
    """
    Make each probe at two servers, all at once.  Nginx soon loses patience, and a busy machine may let somebody wait
    for so long; so a difference has to come again each time.

    @return: what has come back from both, and how it has ended.
    """
    with ThreadPoolExecutor(len(PROBES) * 2) as threads:
        found = {
            name: [threads.submit(probed, address, pieces, newProber) for address in addresses]
            for name, pieces in PROBES.items()
        }
        answers = {name: (one.result(), other.result()) for name, (one, other) in found.items()}
    for name, pieces in PROBES.items():
        for _ in range(TIMES):
            if areAlike(name, *answers[name]):
                break
            one, other = (probed(address, pieces, newProber) for address in addresses)
            answers[name] = one, other
    return answers


def areAlike(name: str, ours: Probed, theirs: Probed) -> bool:
    """
    @return: whether two answers to a probe are the same, but for a goodbye that nginx does not say.
    """
    return ours == theirs or (name in NO_GOODBYE and ours == (theirs[0], "closed"))


class WebSiteTests(RigTestCase):
    """
    Run a server with nginx behind it, and the same nginx with TLS of its own.
    """

    maxDiff = None

    def setUp(self) -> None:
        super().setUp()
        program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
        if program is None:
            needed("nginx is missing: install the package nginx-light")
        self.pki = self.newPki()
        self.plain, self.tls = ((LOOPBACK, freePort(socket.SOCK_STREAM)) for _ in range(2))
        folder = Path(self.mktemp()).resolve()
        more = MORE.format(tls=self.tls, certificate=self.pki.serverCertificate, key=self.pki.serverKey)
        self.nginx = startWebSite(self, program, folder, self.plain, "<h1>It works!</h1>\n" * 100, more)
        until(lambda: accepts(self.tls), "nginx accepts connections")
        self.tokens = folder / "tokens"
        self.tokens.write_text(TOKEN + "\n", encoding="ascii")
        self.tokens.chmod(0o600)
        self.udpTarget = self.udpEnd()

    def startSite(self, *options: str, hasTls: bool = True) -> Address:
        """
        @return: where a server is with nginx behind it.
        """
        files = ["-c", self.pki.serverCertificate, "-k", self.pki.serverKey] if hasTls else ["--no-tls"]
        words = [*files, "--token-file", str(self.tokens)]
        fallback = f"{self.plain[0]}:{self.plain[1]}"
        words += ["--fallback", fallback, "--http-path", PATH, "--owner-share", "100"]
        self.server = self.startServer(self.udpTarget.address, *words, *options)
        return self.listening(self.server)

    def test_noProbeTellsTheServerFromTheOneBehindIt(self) -> None:
        """
        Neither by what comes nor by how it ends.
        """
        ours = self.startSite()
        answers = probedAtBoth((ours, self.tls))
        self.assertGreater(len(answers), 24)
        self.assertEqual({name: both for name, both in answers.items() if not areAlike(name, *both)}, {})
        self.assertTrue(answers["GET"][0][0].startswith(b"HTTP/1.1 200 OK\r\n"))
        self.assertFalse([line for line in self.server.lines if PATH in line])

    def test_inPlainTcpNoProbeTellsThemApartEither(self) -> None:
        """
        Whoever says nothing at all is not reset after 10 s, as by us, but closed when nginx likes.
        """
        ours = self.startSite(hasTls=False)
        answers = probedAtBoth((ours, self.plain), PlainProber)
        self.assertEqual({name: both for name, both in answers.items() if both[0] != both[1]}, {})
        self.assertEqual(answers["nothing"][0], (b"", "closed"))
        self.server.waitForLine("refused a connection")

    def test_whoLooksWhetherWeAreThereIsNotSeen(self) -> None:
        """
        As a balancer does that connects and closes, again and again: nothing in the log.
        """
        ours = self.startSite("-v", "info", hasTls=False)
        self.server.waitForLine("plain TCP: ")  # the last line of its start
        lines = len(self.server.lines)
        for _ in range(50):
            self.assertEqual(PlainProber(ours).probe([LEAVE]), (b"", "closed"))
        PlainProber(ours).probe(asks(b"GET / HTTP/1.0"))
        self.server.waitForLine("brought a visitor")
        self.assertEqual(len(self.server.lines[lines:]), 1, self.server.lines[lines:])

    def test_twoServersThatNameEachOtherAnswerSoon(self) -> None:
        """
        That the server is busy; and one of them says what may be wrong.
        """
        ports = [freePort(socket.SOCK_STREAM) for _ in range(2)]
        servers = []
        for here, there in (ports, ports[::-1]):
            words = ["--no-tls", "--fallback", f"{LOOPBACK}:{there}", "--owner-share", "100"]
            servers.append(self.startServer(self.udpTarget.address, *words, listen=(LOOPBACK, here)))
            self.listening(servers[-1])
        heard, end = PlainProber((LOOPBACK, ports[0])).probe(asks(b"GET / HTTP/1.1"))
        self.assertTrue(heard.startswith(b"HTTP/1.1 503 "), heard)
        self.assertEqual(end, "closed")
        asked = "Does it bring its visitors back to this server?"
        until(lambda: any(said(server, asked) for server in servers), "one of them says what may be wrong")

    def test_aScannerOfTlsSeesAServerOfTheWeb(self) -> None:
        """
        It gets to its end, finds the versions of TLS and the certificate that it finds at nginx, and nothing of our
        name; and clients come in as before.
        """
        if shutil.which("sslscan") is None:
            needed("sslscan is missing: install the package of that name")
        ours = self.startSite()
        told = [sslScanned(address) for address in (ours, self.tls)]
        self.assertEqual(*map(versionsOf, told))
        self.assertEqual(*map(certificateOf, told))
        self.assertEqual(versionsOf(told[0]), {"TLSv1.2 enabled", "TLSv1.3 enabled"})
        self.assertNotIn("uotp", told[0].lower())
        self.assertClientsComeIn(ours)

    def test_clientsComeInBesideTheVisitors(self) -> None:
        """
        With the token, bare and at the path, and they are found by the doctor.  A wrong token is named there.
        """
        self.assertClientsComeIn(self.startSite())

    def test_workersHaveOneDoor(self) -> None:
        """
        Visitors stay with the worker that has accepted them, and a tunnel at the path goes to that of its session.
        """
        ours = self.startSite("--workers", "2")
        self.assertClientsComeIn(ours)
        for _ in range(8):
            self.assertIn("It works!", curled(ours, "/"))

    def assertClientsComeIn(self, ours: Address) -> None:
        for server in (f"{ours[0]}:{ours[1]}", f"wss://{ours[0]}:{ours[1]}{PATH}"):
            client = self.start(
                "our client",
                ourCommand(
                    "client", "-a", LOOPBACK, "-p", "0", "-n", "4", "--min-pool", "4", *self.trust(self.tokens), server
                ),
            )
            flow = Flow(self.udpEnd(), self.listening(client), self.udpTarget)
            flow.openPool()
            flow.forth(b"there")
            flow.back(b"and back")
            self.assertStops(client)
        self.assertFalse([line for line in self.server.lines if PATH in line])
        wrong = self.tokens.with_name("wrong")
        wrong.write_text("another token of 24 letters\n", encoding="ascii")
        wrong.chmod(0o600)
        found = runToEnd(ourCommand("doctor", "--timeout", "60", *self.trust(wrong), f"{ours[0]}:{ours[1]}"))
        self.assertIn("token", found.stdout)

    def trust(self, tokens: Path) -> list[str]:
        return ["-C", self.pki.caCertificate, "--token-file", str(tokens)]

    def test_curlAndNmapSeeAWebServer(self) -> None:
        """
        What they tell of our server is what they tell of nginx.
        """
        ours = self.startSite()
        for name in ("curl", "nmap"):
            if shutil.which(name) is None:
                needed(f"{name} is missing: install the package of that name")
        pages = [curled(address, "/") for address in (ours, self.tls)]
        self.assertEqual(pages[0], pages[1])
        self.assertIn("It works!", pages[0])
        for _ in range(TIMES):
            services = [scanned(address) for address in (ours, self.tls)]
            if services[0] == services[1] and "nginx" in services[0]:
                break  # it gives an answer up that is late, and guesses
        self.assertEqual(services[0], services[1])
        self.assertIn("nginx", services[0])

    def test_aWebServerThatIsDownIsABadGateway(self) -> None:
        """
        As with any web server behind another one, and the log says so.
        """
        ours = self.startSite()
        self.nginx.terminate()
        self.assertIn("502 Bad Gateway", curled(ours, "/"))
        self.server.waitForLine("the fallback at")

    def test_withoutAFallbackEveryPageIsNotFound(self) -> None:
        words = ["-c", self.pki.serverCertificate, "-k", self.pki.serverKey, "--token-file", str(self.tokens)]
        ours = self.listening(self.startServer(self.udpTarget.address, *words))
        self.assertIn("404 Not Found", curled(ours, "/"))
        for name in ("a hello with a wrong token", "TLS in TLS", "zeros", "a banner of SSH"):
            heard, end = probed(ours, PROBES[name])
            self.assertTrue(heard.startswith(b"HTTP/1.1 400 Bad Request\r\n"), name)
            self.assertEqual(end, "closed", name)


def curled(address: Address, path: str) -> str:
    """
    @return: what curl gets.
    """
    command = ["curl", "--silent", "--insecure", "--max-time", "300", f"https://{address[0]}:{address[1]}{path}"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def sslScanned(address: Address) -> str:
    """
    @return: what sslscan finds there.
    """
    command = ["sslscan", "--no-colour", "--show-certificate", f"{address[0]}:{address[1]}"]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE_SECONDS).stdout
    return told.replace(f":{address[1]}", "").replace(f"port {address[1]}", "")


def versionsOf(told: str) -> set[str]:
    """
    @return: which versions of TLS are spoken, as sslscan has found.
    """
    return {f"{name} enabled" for name in re.findall(r"^((?:SSL|TLS)v[0-9.]+) +enabled", told, re.MULTILINE)}


def certificateOf(told: str) -> str:
    """
    @return: the certificate that sslscan has found.
    """
    return told.partition("SSL Certificate:")[2].partition("\n\n")[0]


def scanned(address: Address) -> str:
    """
    @return: what nmap finds there, without the number of the port.
    """
    command = ["nmap", "-sV", "-Pn", "-n", "--unprivileged", "-p", str(address[1]), address[0]]
    told = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    line = next((each for each in told.splitlines() if each.startswith(f"{address[1]}/")), told)
    return line.removeprefix(str(address[1]))
