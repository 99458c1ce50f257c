"""
A client whose way leads through a proxy: real ones of Debian, and some that misbehave.
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from pathlib import Path

from bench.rig.ports import LOOPBACK, freePort
from bench.rig.programs import Program, environmentFor, until
from tests.integration.correspondence import Address
from tests.integration.harness import needed, ourCommand, runToEnd
from tests.integration.rig import PLAIN, RigTestCase, clientWords, said, serverWords
from tests.integration.test_terminator import accepts
from tests.integration.udpends import Flow

USER, WORD = "alice", "p@ss:w0rd"
IN_URL = "alice:p%40ss%3Aw0rd"

SQUID = """\
http_port {plain[0]}:{plain[1]}
http_port [::1]:{plain[1]}
https_port {secure[0]}:{secure[1]} tls-cert={folder}/both.pem
auth_param basic program /bin/sed -u {ask}
auth_param basic children 1
acl known proxy_auth REQUIRED
http_access allow known
http_access deny all
cache deny all
cache_mem 0
memory_cache_shared off
cache_log stdio:/dev/stderr
access_log none
pid_filename none
coredump_dir none
shutdown_lifetime 0 seconds
"""

ASK = f"s/^{USER}.{WORD}$/OK/;s/^{USER}.p%40ss%3Aw0rd$/OK/;t;s/.*/ERR/"
"""What answers Squid whether it knows a user with his password.  It may read no file of ours."""

DANTE = """\
logoutput: stderr
internal: {door[0]} port = {door[1]}
external: lo
clientmethod: none
socksmethod: none
user.privileged: root
user.unprivileged: nobody
client pass {{ from: 127.0.0.0/8 to: 0.0.0.0/0 }}
socks pass {{ from: 127.0.0.0/8 to: 0.0.0.0/0 protocol: tcp }}
"""


def foundProgram(name: str, package: str) -> str:
    """
    @return: the path of a program.
    """
    path = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if path is None:
        needed(f"{name} is missing: install the package {package}")
    return path


class _ProxyTestCase(RigTestCase):
    """
    Has a server, and what a proxy stands on.
    """

    def setUp(self) -> None:
        super().setUp()
        self.pki = self.newPki()
        self.udpTarget = self.udpEnd()
        self.server = self.startServer(self.udpTarget.address, *serverWords(self.pki))
        self.address = self.listening(self.server)
        self.door, self.secure = ((LOOPBACK, freePort(socket.SOCK_STREAM)) for _ in range(2))
        self.folder = Path(tempfile.mkdtemp(prefix="uotp-proxy-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.folder.chmod(0o755)  # proxies give their privileges up

    def client(self, *words: str, server: Address | None = None) -> Program:
        """
        Start a client.
        """
        return self.startClient(server or ("localhost", self.address[1]), *clientWords(self.pki), "-v", "debug", *words)

    def carries(self, client: Program) -> Flow:
        """
        @return: what flows through a client, and did both ways, in small and large datagrams.
        """
        flow = Flow(self.udpEnd(), self.listening(client), self.udpTarget)
        flow.both(b"first")
        flow.openPool()
        for size in (0, 1, 1400, 20000, 65000):
            flow.both(b"%5d" % size + bytes(size))
        self.assertNotIn(WORD, client.story())
        self.assertNotIn(IN_URL, client.story())
        return flow

    def refused(self, words: str, *options: str) -> None:
        """
        Start a client that gets nowhere, and wait until it says why.
        """
        client = self.client(*options)
        self.udpEnd().send(b"in vain", self.listening(client))
        client.waitForLine(words)
        self.assertNotIn(WORD, client.story())
        client.kill()

    def startSquid(self) -> Program:
        """
        Start Squid, which has a door in plain text and one with TLS.
        """
        program = foundProgram("squid", "squid")
        pair = self.folder / "both.pem"
        pair.write_bytes(Path(self.pki.serverCertificate).read_bytes() + Path(self.pki.serverKey).read_bytes())
        pair.chmod(0o644)
        file = self.folder / "squid.conf"
        text = SQUID.format(plain=self.door, secure=self.secure, folder=self.folder, ask=ASK)
        file.write_text(text, encoding="utf-8")
        name = f"uotp{self.door[1]}"  # Squids of one name share memory
        running = self.start("squid", [program, "-N", "-n", name, "-f", str(file)], environmentFor())
        until(lambda: accepts(self.door) and accepts(self.secure), "Squid accepts connections")
        return running


class SquidTests(_ProxyTestCase):
    """
    An HTTP proxy that wants a password.
    """

    def test_everyTunnelGoesThroughIt(self) -> None:
        """
        The proxy looks the server up; the log says where the client is.  When it is killed and is back, so is the
        flow.
        """
        squid = self.startSquid()
        client = self.client("--proxy", f"http://{IN_URL}@localhost:{self.door[1]}")
        flow = self.carries(client)
        client.waitForLine(rf"connected to localhost port \d+ through the proxy localhost port {self.door[1]}")
        squid.kill()
        client.waitForLine(r"no tunnel to localhost port \d+ is left")
        self.startSquid()
        flow.resume()

    def test_passwordMayStandInAFile(self) -> None:
        """
        With TLS to the proxy besides, and with two workers.
        """
        self.startSquid()
        file = self.folder / "password"
        file.write_text(f"{USER}:{WORD}\n", encoding="utf-8")
        file.chmod(0o600)
        options = ("--proxy-auth-file", str(file), "--proxy-cafile", self.pki.caCertificate, "--workers", "2")
        self.carries(self.client("--proxy", f"https://localhost:{self.secure[1]}", *options))

    def test_withoutTlsToTheServer(self) -> None:
        """
        The certificate of the proxy does not stand for the server's.
        """
        self.startSquid()
        server = self.startServer(self.udpTarget.address, *PLAIN)
        for place in (f"http://{IN_URL}@[::1]:{self.door[1]}", f"https://{IN_URL}@localhost:{self.secure[1]}"):
            options = ["--proxy-cafile", self.pki.caCertificate] if place.startswith("https") else []
            client = self.startClient(self.listening(server), *PLAIN, "--wire", "2", "--proxy", place, *options)
            self.carries(client)

    def test_refusalsAreSaidInWords(self) -> None:
        self.startSquid()
        plain, secure = f"localhost:{self.door[1]}", f"localhost:{self.secure[1]}"
        self.refused(r"the proxy wants user and password \(407\)", "--proxy", f"http://{plain}")
        self.refused(r"does not accept user and password \(407\)", "--proxy", f"http://{USER}:no@{plain}")
        self.refused(r"TLS to the proxy: unknown issuer .*--proxy-cafile", "--proxy", f"https://{IN_URL}@{secure}")
        gone = freePort(socket.SOCK_STREAM)
        self.refused(f"the proxy localhost port {gone}: connection refused", "--proxy", f"http://localhost:{gone}")


class SocksTests(_ProxyTestCase):
    """
    SOCKS5 proxies.
    """

    def test_microsocksWithAPassword(self) -> None:
        program = foundProgram("microsocks", "microsocks")
        words = ["-i", self.door[0], "-p", str(self.door[1]), "-u", USER, "-P", WORD]
        self.start("microsocks", [program, *words], environmentFor())
        until(lambda: accepts(self.door), "microsocks accepts connections")
        self.carries(self.client("--proxy", f"socks5://{IN_URL}@{LOOPBACK}:{self.door[1]}"))
        self.refused("does not accept user and password", "--proxy", f"socks5://{USER}:no@{LOOPBACK}:{self.door[1]}")
        self.refused("the proxy wants user and password", "--proxy", f"socks5://{LOOPBACK}:{self.door[1]}")

    def test_dante(self) -> None:
        program = foundProgram("danted", "dante-server")
        file = self.folder / "danted.conf"
        file.write_text(DANTE.format(door=self.door), encoding="utf-8")
        self.start("danted", [program, "-f", str(file)], environmentFor())
        until(lambda: accepts(self.door), "Dante accepts connections")
        self.carries(self.client("--proxy", f"socks5h://{LOOPBACK}:{self.door[1]}", server=self.address))


class StrangeProxyTests(_ProxyTestCase):
    """
    What stands there is no proxy, or a bad one.
    """

    def listener(self) -> socket.socket:
        """
        @return: a socket that listens; nobody accepts.
        """
        listener = socket.create_server(self.door)
        self.addCleanup(listener.close)
        return listener

    def test_oneThatSaysNothingIsGivenUp(self) -> None:
        self.listener()
        words = f"connected to the proxy {LOOPBACK} port {self.door[1]}, but it has not answered after 0.5 s"
        self.refused(words, "--proxy", f"http://{LOOPBACK}:{self.door[1]}", "--timeout", "500ms")

    def test_nothingOfOursIsSaidToIt(self) -> None:
        """
        It sees the server's name and port.
        """
        listener = self.listener()
        client = self.client("--proxy", f"http://{LOOPBACK}:{self.door[1]}")
        self.udpEnd().send(b"in vain", self.listening(client))
        listener.settimeout(60)
        accepted, _ = listener.accept()
        with accepted:
            heard = accepted.recv(4096)
        target = f"localhost:{self.address[1]}"
        self.assertEqual(heard.decode("ascii"), f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n")

    def test_environmentNamesIt(self) -> None:
        """
        Unless the server is excepted.
        """
        environment = {**os.environ, "HTTPS_PROXY": f"http://{LOOPBACK}:{self.door[1]}"}
        self.patch(os, "environ", environment)
        self.refused(f"the proxy {LOOPBACK} port {self.door[1]}: connection refused", "--proxy", "env")
        environment["NO_PROXY"] = "localhost"
        client = self.client("--proxy", "env")
        self.carries(client)
        self.assertEqual(said(client, "through the proxy"), [])

    def test_fileThatCannotBeUsedIsRefusedAtTheStart(self) -> None:
        file = self.folder / "password"
        file.write_text(f"{WORD}\n" * 2, encoding="utf-8")
        words = ["--proxy", "http://p", "--proxy-auth-file", str(file), *clientWords(self.pki), "localhost", "1"]
        done = runToEnd(ourCommand("client", *words))
        self.assertEqual((done.returncode, WORD in done.stdout + done.stderr), (2, False))
        self.assertIn("one line is needed, USER:PASSWORD", done.stderr)
