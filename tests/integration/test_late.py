"""
What a program needs is loaded before it can be too late: before twistd goes into a chroot and
becomes another user.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import ssl
import stat
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from bench.rig.ports import LOOPBACK, freePort
from bench.rig.programs import HANG_SECONDS, Program, until
from tests.integration.harness import LISTENING, needed, ourEnvironment
from tests.integration.rig import PLAIN, RigTestCase, clientWords, serverWords, twistdCommand
from tests.integration.udpends import Flow
from uotp.pki.directory import Pki

NOBODY = 65534

WATCH = """
import os, sys

def watch(file):
    isLate = False
    def hook(event, arguments):
        nonlocal isLate
        if event == "os.chdir":  # as twistd does once the services are made, after the chroot
            isLate = True
        elif isLate and event in ("import", "ctypes.dlopen"):
            os.write(file, f"{event} {arguments[0]}\\n".encode())
        elif isLate and event == "open" and isinstance(arguments[0], str):
            os.write(file, f"{event} {arguments[0]}\\n".encode())
    sys.addaudithook(hook)

watch(os.open(os.environ["LATE"], os.O_WRONLY | os.O_CREAT | os.O_APPEND))
"""
"""Writes down what a Python process imports and opens, from the moment on from which it may be too late."""


PATH = "/a-path-that-nobody-knows"

BALANCERS, BALANCER = "127.0.9.0/24", "127.0.9.1"
"""A network of balancers, and one of them."""


class Page(BaseHTTPRequestHandler):
    """
    Answers with one page.
    """

    def do_GET(self) -> None:
        """
        Say it.
        """
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"here is a page")

    def log_message(self, *_: object) -> None:
        """
        Say nothing of it.
        """


class LateTests(RigTestCase):
    """
    Write down what both programs load.
    """

    def setUp(self) -> None:
        super().setUp()
        self.folder = Path(self.mktemp()).resolve()
        self.folder.mkdir()
        (self.folder / "sitecustomize.py").write_text(WATCH)

    def startWatched(self, which: str, twistdWords: list[str], words: list[str]) -> Program:
        """
        Start one end under twistd, and wait until it listens.
        """
        paths = os.pathsep.join((str(self.folder), ourEnvironment()["PYTHONPATH"]))
        environment = ourEnvironment() | {"PYTHONPATH": paths, "LATE": str(self.folder / which)}
        command = twistdCommand("-n", "--pidfile=", *twistdWords, f"uotp-{which}", *words)
        program = self.start(f"our {which}", command, environment)
        program.waitForLine(LISTENING)
        return program

    def late(self, which: str) -> list[str]:
        """
        @return: what was imported and opened late.
        """
        return (self.folder / which).read_text().splitlines()

    def talkToTheServer(self, port: int, *words: bytes) -> None:
        """
        Speak other protocols to it, each on a connection of its own, until it hangs up.
        """
        for word in words:
            with socket.create_connection((LOOPBACK, port)) as stranger:
                stranger.sendall(word)
                stranger.shutdown(socket.SHUT_WR)
                stranger.settimeout(HANG_SECONDS)
                try:
                    while stranger.recv(1000):
                        pass
                except ConnectionError:
                    pass

    def words(self, pki: Pki, host: str, target: int) -> tuple[int, list[str], list[str]]:
        """
        @param host: what target and server are called.
        @return: the server's port, and both command lines.
        """
        port = freePort(socket.SOCK_STREAM)
        server = ["-a", LOOPBACK, "-p", str(port), *serverWords(pki), host, str(target)]
        client = ["-a", LOOPBACK, "-p", "0", "-n", "2", *clientWords(pki), host, str(port)]
        return port, server, client

    def test_nothingIsImportedLate(self) -> None:
        """
        In a day's work: sessions, strangers, a reload, a peer that is not trusted, a target that refuses, and the end.
        """
        pki, other = self.newPki(), self.newPki()
        target = self.udpEnd()
        port, serverLine, clientLine = self.words(pki, "localhost", target.address[1])
        server = self.startWatched("server", [], serverLine)
        client = self.startWatched("client", [], clientLine)
        flow = Flow(self.udpEnd(), self.listening(client), target)
        flow.resume()
        self.talkToTheServer(port, b"GET / HTTP/1.0\r\n\r\n", bytes(100), b"\x16\x03\x01" + bytes(50), b"")
        for program in (server, client):
            program.process.send_signal(signal.SIGHUP)
            program.waitForLine("reloaded")
        stranger = self.startClient((LOOPBACK, port), *clientWords(other), "-n", "1")
        flow.application.send(b"for a pool that is not there", self.listening(stranger))
        stranger.waitForLine("issuer|unknown|verify")
        target.close()
        until(lambda: self.isRefused(flow, server), "the target refuses", look=0.05)
        for program in (client, server):
            self.assertStops(program)
        files = re.escape(str(Path(pki.caCertificate).resolve().parent))
        for which in ("server", "client"):
            rest = [line for line in self.late(which) if not re.fullmatch(rf"open ({files}/.*|{os.devnull})", line)]
            self.assertEqual((which, rest), (which, []))

    def jail(self) -> list[str]:
        """
        Make a folder that has next to nothing in it.

        @return: what brings twistd there, as another user.
        """
        if sys.platform != "linux" or os.geteuid() != 0:
            needed("a chroot with a device in it needs root, on Linux")
        jail = self.folder / "jail"
        (jail / "dev").mkdir(parents=True)
        os.mknod(jail / "dev" / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
        (jail / "etc").mkdir()
        (jail / "etc" / "passwd").write_text(f"nobody:x:{NOBODY}:{NOBODY}::/:\n")  # which twistd reads there
        return ["--chroot", str(jail), "--uid", str(NOBODY), "--gid", str(NOBODY)]

    def isRefused(self, flow: Flow, server: Program) -> bool:
        flow.application.send(b"vain", flow.client)
        return any("nothing listens at the target" in line for line in server.lines)

    def test_chrootWithNextToNothingIsEnough(self) -> None:
        """
        As another user too, with names, and where Python itself cannot be read: both carry, and say what they cannot
        do.
        """
        away = self.jail()
        pki = self.newPki()
        target = self.udpEnd()
        _, serverLine, clientLine = self.words(pki, "localhost", target.address[1])
        server = self.startWatched("server", away, serverLine)
        client = self.startWatched("client", away, clientLine)
        flow = Flow(self.udpEnd(), self.listening(client), target)
        flow.resume()
        server.process.send_signal(signal.SIGHUP)
        server.waitForLine("not reloaded, the old certificates stay in use")
        flow.both(b"and on")
        for program in (client, server):
            self.assertStops(program)
            self.assertEqual([line for line in program.lines if "Traceback" in line or "critical" in line], [])
        for which in ("server", "client"):
            self.assertEqual([line for line in self.late(which) if not line.startswith("open ")], [])

    def test_chrootWithNextToNothingIsEnoughForTheWeb(self) -> None:
        """
        A client that is told a URL and a second server, both by their names, and a server with a web server behind it
        that has a name, and before it a balancer that announces who comes.  When the first server is gone, the flow
        goes on at the second.
        """
        away = self.jail()
        pki, target = self.newPki(), self.udpEnd()
        site = ThreadingHTTPServer((LOOPBACK, 0), Page)
        self.addCleanup(site.server_close)
        self.addCleanup(site.shutdown)
        threading.Thread(target=site.serve_forever, daemon=True).start()
        ports = [freePort(socket.SOCK_STREAM) for _ in range(2)]
        web = ["--http-path", PATH, "--fallback", f"localhost:{site.server_port}", "--proxy-protocol", BALANCERS]
        servers = [
            self.startWatched(
                "server",
                away,
                ["-a", LOOPBACK, "-p", str(port), *serverWords(pki), *more, "localhost", str(target.address[1])],
            )
            for port, more in zip(ports, (web, ()), strict=True)
        ]
        named = [f"wss://localhost:{ports[0]}{PATH}", f"localhost:{ports[1]}"]
        client = self.startWatched("client", away, ["-a", LOOPBACK, "-p", "0", "-n", "2", *clientWords(pki), *named])
        flow = Flow(self.udpEnd(), self.listening(client), target)
        flow.resume()
        flow.openPool()
        for host in (LOOPBACK, BALANCER):
            self.assertIn(b"here is a page", self.visit(ports[0], host, pki))
        servers[0].process.kill()
        flow.resume()
        client.waitForLine(f"moves from .*{ports[0]}.* to .*{ports[1]}")
        for program in (client, servers[1]):
            self.assertStops(program)
        for program in (client, *servers):
            wrong = [line for line in program.lines if "Traceback" in line or "critical" in line or PATH[1:] in line]
            self.assertEqual(wrong, [])
        for which in ("server", "client"):
            self.assertEqual([line for line in self.late(which) if not line.startswith("open ")], [])

    def visit(self, port: int, host: str, pki: Pki) -> bytes:
        """
        Ask for a page, as somebody with a certificate, from an address; a balancer says first for whom.

        @return: what comes.
        """
        context = ssl.create_default_context(cafile=pki.caCertificate)
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # CPython 3.13 wants more than a certificate of a test has
        context.load_cert_chain(pki.clientCertificate, pki.clientKey)
        plain = socket.create_connection((LOOPBACK, port), HANG_SECONDS, (host, 0))
        if host == BALANCER:
            plain.sendall(b"PROXY TCP4 203.0.113.5 192.0.2.1 40000 8443\r\n")
        heard = b""
        with context.wrap_socket(plain, server_hostname="localhost") as visitor:
            visitor.sendall(b"GET / HTTP/1.0\r\n\r\n")
            while came := visitor.recv(4096):
                heard += came
        return heard

    def test_watchSeesWhatIsLate(self) -> None:
        """
        The test above would fail.
        """
        late = "import os; os.chdir('/'); import this"
        environment = ourEnvironment() | {"PYTHONPATH": str(self.folder), "LATE": str(self.folder / "late")}
        self.start("late", [sys.executable, "-c", late], environment).waitForExit()
        self.assertIn("import this", self.late("late"))

    def test_chrootWithoutItsDeviceIsSaidInOneLine(self) -> None:
        if os.geteuid() != 0:
            needed("a chroot needs root")
        words = ["--chroot", str(self.folder), "uotp-server", *PLAIN, "-a", LOOPBACK, "-p", "0", LOOPBACK, "9"]
        program = self.start("our server", twistdCommand("-n", "--pidfile=", *words))
        program.waitForLine("/dev/null cannot be opened: No such file or directory .a chroot needs it: mknod")
        self.assertNotEqual(program.waitForExit(), 0)
        self.assertEqual([line for line in program.lines if "Traceback" in line], [])
