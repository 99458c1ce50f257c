"""
C{uotp doctor} with real servers, and with each of twelve faults in the way: it names that one.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import ssl
import threading
from datetime import datetime, timedelta
from pathlib import Path

from bench.rig.namespaces import command
from bench.rig.ports import LOOPBACK, Address, freePort
from tests.doubles.certificates import CLIENT, DAY, NOW, Authority, Issued, pem
from tests.integration.examinations import DoctorTestCase
from tests.integration.harness import needed, ourCommand, runToEnd
from tests.integration.hosts import needTwoHosts, newNamespace
from uotp.doctor import SystemMachine

TRUSTED = Authority("Trusted CA")
STRANGER = Authority("Stranger CA")
GOOD = TRUSTED.issue(LOOPBACK, "localhost")
OURS = TRUSTED.issue(subject="someone", usages=CLIENT)
REVOKED = TRUSTED.issue(subject="somebody else", usages=CLIENT)


class LateMachine(SystemMachine):
    """
    Is this machine with a clock that is slow.
    """

    def now(self) -> datetime:
        return super().now() - timedelta(days=3)


class TlsEnd:
    """
    Ends TLS on loopback, as what intercepts it does, or a web server.

    @ivar address: where it listens.
    """

    def __init__(self, certificate: str, behind: Address | None = None, cafile: str | None = None) -> None:
        """
        @param certificate: what it shows, with the key.
        @param behind: the server to which it hands all on; L{None} for a web server.
        @param cafile: whom it trusts there.
        """
        self._here = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._here.load_cert_chain(certificate)
        self._behind = behind
        self._there = ssl.create_default_context(cafile=cafile)
        self._socket = socket.create_server((LOOPBACK, 0))
        self.address: Address = self._socket.getsockname()
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self._serve, args=(self._socket.accept()[0],), daemon=True).start()

    def _serve(self, bare: socket.socket) -> None:
        with contextlib.suppress(OSError), self._here.wrap_socket(bare, server_side=True) as near:
            if self._behind is None:
                while b"\r\n\r\n" not in near.recv(4096):
                    pass
                near.sendall(b"HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n")
                return
            with self._there.wrap_socket(socket.create_connection(self._behind), server_hostname=LOOPBACK) as far:
                far.sendall(near.recv(4096))
                near.sendall(far.recv(4096))


class DoctorTests(DoctorTestCase):
    """
    Put faults in the way.
    """

    def setUp(self) -> None:
        super().setUp()
        self.folder = Path(self.mktemp()).resolve()
        self.folder.mkdir()
        self.trusted = self.write("trusted", pem(TRUSTED.certificate))
        self.good, self.ours, self.revoked = (
            self.certificate(name, one) for name, one in (("good", GOOD), ("ours", OURS), ("revoked", REVOKED))
        )

    def write(self, name: str, content: bytes) -> str:
        path = self.folder / f"{name}.pem"
        path.touch(mode=0o600)
        path.write_bytes(content)
        return str(path)

    def certificate(self, name: str, issued: Issued) -> str:
        return self.write(name, issued.certificatePem() + issued.keyPem())

    def tlsEnd(self, certificate: str, behind: Address | None = None) -> Address:
        end = TlsEnd(certificate, behind, self.trusted)
        self.addCleanup(end.stop)
        return end.address

    def examine(self, server: Address, *words: str, timeout: str = "60") -> tuple[int, str]:
        """
        @return: what is found on the way to a server.
        """
        return self.examined(*words, *server, timeout=timeout)

    def trusting(self, certificate: str | None = None) -> list[str]:
        """
        @return: options of a client that trusts the good server.
        """
        return ["-C", self.trusted, *(["-c", certificate] if certificate is not None else [])]

    def test_whereAllIsWellNothingIsNamed(self) -> None:
        """
        The whole program, and each step of it with a rate that was measured.
        """
        server = self.startServer(self.target().address, "-c", self.good, "-C", self.trusted)
        address = self.listening(server)
        words = [*self.trusting(self.ours), "--udp-buffer", "64K"]
        examined = self.examine(address, *words)
        self.assertWell(examined)
        self.assertIn("Mbit/s to the server", examined[1])
        done = runToEnd(ourCommand("doctor", *words, "--no-rate", "--json", *map(str, address)))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn('"step": "target"', done.stdout)

    def test_eachOfSeveralServersIsNamed(self) -> None:
        """
        The status is that of the first one that has a fault, though others are well.
        """
        server = self.startServer(self.target().address, "-c", self.good, "-C", self.trusted)
        well = "{}:{}".format(*self.listening(server))
        gone = f"{LOOPBACK}:{freePort(socket.SOCK_STREAM)}"
        words = [*self.trusting(self.ours), "--udp-buffer", "64K", "--no-rate", "--json"]
        status, text = self.examined(*words, well, gone, f"wss://{well}/5a1dd0f5")
        self.assertEqual(status, 11, text)
        self.assertNotIn("5a1dd0f5", text)
        found = json.loads(text)["findings"]
        self.assertEqual(
            [(each["server"], each["step"]) for each in found if each["verdict"] == "fault"],
            [(gone, "TCP"), (f"wss://{well}/...", "hello")],
        )

    def test_serverIsNotWhereItIsLookedFor(self) -> None:
        """
        No DNS, a wrong port, and a web server there.
        """
        self.assertNamed(self.examine(("nowhere.invalid", 8443)), 10, "name", "nowhere.invalid")
        self.assertNamed(self.examine((LOOPBACK, freePort(socket.SOCK_STREAM))), 11, "TCP", "refused")
        web = self.tlsEnd(self.good)
        self.assertNamed(self.examine(web, *self.trusting()), 14, "ALPN", "HTTP server")

    def test_whoeverIsThereIsNotTrusted(self) -> None:
        """
        Intercepted, expired, and with another name.
        """
        expired = TRUSTED.issue(LOOPBACK, begins=NOW - 9 * DAY, ends=NOW - DAY)
        target = self.target().address
        old = self.startServer(target, "-c", self.certificate("old", expired))
        server = self.startServer(target, "-c", self.good)
        address = self.listening(server)
        between = self.tlsEnd(self.certificate("stranger", STRANGER.issue(LOOPBACK)), address)
        examined = self.examine(between, *self.trusting())
        self.assertNamed(examined, 12, "TLS", "unknown issuer 'CN=Stranger CA'")
        self.assertIn("TLS may be intercepted", examined[1])
        self.assertNamed(self.examine(self.listening(old), *self.trusting()), 12, "TLS", "expired")
        named = self.examine(address, *self.trusting(), "--tls-servername", "vpn.test")
        self.assertNamed(named, 12, "TLS", "wrong name: expected vpn.test", LOOPBACK)

    def test_serverDoesNotTakeUs(self) -> None:
        """
        No client certificate, one that was revoked, and a clock that is slow.
        """
        listed = self.write("listed", pem(TRUSTED.certificate) + TRUSTED.revocationList(REVOKED.certificate))
        server = self.startServer(self.target().address, "-c", self.good, "-C", listed)
        address = self.listening(server)
        self.assertNamed(self.examine(address, *self.trusting()), 15, "client certificate", "none is given")
        self.assertNamed(self.examine(address, *self.trusting(self.revoked)), 15, "client certificate", "revoked")
        self.machine = LateMachine()
        self.assertNamed(self.examine(address, *self.trusting(self.ours), "--no-rate"), 0, "clock", "3 days slow")

    def test_targetIsSilentOrNotThere(self) -> None:
        """
        One socket listens and says nothing; where the other was nobody listens.
        """
        silent = self.udpEnd()
        gone = (LOOPBACK, freePort(socket.SOCK_DGRAM))
        words = ["--no-tls", "--wire", "2"]
        programs = [self.startServer(target, *words) for target in (silent.address, gone)]
        first, second = map(self.listening, programs)
        examined = self.examine(first, *words, "--no-rate", "--probe", "70696e67")
        self.assertNamed(examined, 18, "target", "3 datagrams were sent, and it is silent")
        self.assertNamed(self.examine(second, *words, "--no-rate"), 18, "target", "nothing listens at the target")

    def test_bufferIsSmall(self) -> None:
        """
        The kernel gives no user so much who has no privileges.
        """
        without = []
        if os.geteuid() == 0:
            if shutil.which("setpriv") is None:
                needed("setpriv is missing: install util-linux")
            without = ["setpriv", "--inh-caps=-net_admin", "--bounding-set=-net_admin"]
        port = freePort(socket.SOCK_STREAM)
        done = runToEnd([*without, *ourCommand("doctor", "--udp-buffer", "1G", LOOPBACK, str(port))])
        self.assertNamed((done.returncode, done.stdout), 11, "UDP buffers", "of 1073741823 bytes")
        self.assertIn("sysctl -w net.core.rmem_max=1073741823", done.stdout)

    def test_vpnWouldCarryItsCarrier(self) -> None:
        """
        The default route leads into a tunnel, and a route of its own past it.
        """
        needTwoHosts()
        namespace = newNamespace(self, "loop")
        inside = ("ip", "-n", namespace.name)
        command(*inside, "tuntap", "add", "dev", "vpn0", "mode", "tun")
        command(*inside, "link", "add", "eth9", "type", "veth", "peer", "name", "eth8")
        for device, address in (("vpn0", "10.77.0.2/24"), ("eth9", "192.0.2.2/24")):
            command(*inside, "address", "add", address, "dev", device)
            command(*inside, "link", "set", device, "up")
        command(*inside, "route", "add", "default", "dev", "vpn0")
        with namespace.inside():
            examined = self.examine(("203.0.113.10", 8443), timeout="0.3")
        self.assertNamed(examined, 11, "route", "through vpn0", "loop")
        self.assertIn("ip route add 203.0.113.10 via GATEWAY", examined[1])
        command(*inside, "route", "add", "203.0.113.10/32", "via", "192.0.2.1")
        with namespace.inside():
            self.assertNamed(self.examine(("203.0.113.10", 8443), timeout="0.3"), 11, "route", "by eth9")
