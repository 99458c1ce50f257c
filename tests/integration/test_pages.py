"""
Whoever copies the commands of README and of the other pages gets what they promise.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

from bench.rig.namespaces import command
from bench.rig.ports import LOOPBACK, freePort
from bench.rig.programs import HANG_SECONDS
from tests.integration.harness import TWISTD, ProgramTestCase, needed, ourCommand, ourEnvironment, runToEnd
from tests.integration.hosts import (
    SERVER_ADDRESS,
    SERVER_NAME,
    Host,
    needTwoHosts,
    newNamespace,
    twoHosts,
    writeProgram,
)
from tests.integration.test_terminator import haproxyProgram
from tests.pages import EXAMPLES, README, printedBlocks

LISTENING = "listening on"

PATIENTLY = " --timeout 20"
"""What a doctor is told besides, where the machine is slow."""

ECHO = """
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as target:
    target.bind(("127.0.0.1", 51820))
    print("echo listening on 51820", flush=True)
    while True:
        target.sendto(*target.recvfrom(65535))
"""
"""A UDP target where the pages have one."""

ASK = """
import os, socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as application:
    application.settimeout(300)
    for size in (0, 1, 1400, 65507):
        datagram = os.urandom(size)
        application.sendto(datagram, ("127.0.0.1", 8911))
        assert application.recv(65535) == datagram, size
"""
"""A program that sends where the pages' client listens, and ends well if all comes back."""


WEB = """
import socket
with socket.create_server(("127.0.0.1", 8442)) as site:
    print("web listening", flush=True)
    while True:
        connection, _ = site.accept()
        connection.sendall(b"the web site")
        connection.close()
"""
"""What else there may be on a port that is shared."""

BROWSE = """
import socket, ssl
context = ssl.create_default_context()
hello = ssl.MemoryBIO()
browser = context.wrap_bio(ssl.MemoryBIO(), hello, server_hostname="www.example.com")
try:
    browser.do_handshake()
except ssl.SSLWantReadError:
    pass
with socket.create_connection(("vpn.example.com", 443), 300) as connection:
    connection.sendall(hello.read())
    assert connection.recv(100) == b"the web site"
"""
"""A program that begins TLS as one does that is none of ours, and ends well if it reaches the web site."""


def blocksHere() -> dict[str, str]:
    """
    @return: the blocks of the pages by their names, in a checkout.
    """
    if not README.exists():
        needed("README.rst is not here: run the tests in a checkout")
    return printedBlocks()


def python(host: Host, script: str) -> str:
    """
    @return: the shell command that runs a script on a host.
    """
    name = f"script{len(list(host.folder.iterdir()))}.py"
    (host.folder / name).write_text(script)
    return f"{shutil.which('python3')} {name}"


def copyToClient(client: Host, server: Host) -> None:
    """
    What the pages say is copied.
    """
    shutil.copy(server.folder / "pki" / "laptop.uotp", client.folder / "laptop.uotp")


class TwoHostsTests(ProgramTestCase):
    """
    The server with all processors, both ends as daemons, and HAProxy in front.
    """

    def setUp(self) -> None:
        super().setUp()
        needTwoHosts("jq", "openssl")
        self.blocks = blocksHere()
        self.client, self.server = twoHosts(self)
        self.server.start("target", python(self.server, ECHO), LISTENING)

    def enrol(self) -> None:
        """
        Make the certificates as printed, and have the client's at the client.
        """
        *lines, _ = self.blocks["two-hosts-server"].splitlines()
        self.server.run("\n".join(lines))
        copyToClient(self.client, self.server)

    def test_haproxyInFront(self) -> None:
        """
        One HAProxy as printed shares port 443 with a web site by names, and hands on to one that ends TLS.
        """
        self.enrol()
        self.server.run("cat pki/server.pem pki/server.key > server-with-key.pem")
        terminator = self.blocks["haproxy-configuration"].replace("/etc/uotp/ca.pem", "pki/ca.pem")
        (self.server.folder / "terminator.cfg").write_text(terminator.replace("/etc/uotp/", ""))
        (self.server.folder / "share.cfg").write_text(self.blocks["haproxy-share"])
        self.server.start("server", self.blocks["haproxy-server"], LISTENING)
        self.server.start("web", python(self.server, WEB), "web listening")
        for configuration in ("terminator.cfg", "share.cfg"):
            self.server.run(f"{haproxyProgram()} -D -f {configuration}")  # it has bound its ports when it returns
        file = self.client.folder / "laptop.uotp"
        file.write_text(file.read_text().replace(":8443", ":443"))
        self.client.start("client", self.blocks["two-hosts-client"], LISTENING)
        self.client.run(python(self.client, ASK))
        self.client.run(python(self.client, BROWSE))

    def askInsideWebSocket(self) -> None:
        """
        Let a client that is told the URL ask.
        """
        trusted = self.client.folder / "pki"
        trusted.mkdir()
        shutil.copy(self.server.folder / "pki" / "ca.pem", trusted / "ca.pem")
        self.client.start("client", self.blocks["websocket-client"], LISTENING)
        self.client.run(python(self.client, ASK))

    def test_insideWebSocket(self) -> None:
        """
        A server with a path, and a client that is told the URL.
        """
        self.enrol()
        self.server.start("server", self.blocks["websocket-server"], LISTENING)
        self.askInsideWebSocket()

    def test_insideWebSocketByOneFile(self) -> None:
        """
        The client is told the URL by the file that C{uotp cert} has made for it, and the server wants its certificate.
        """
        self.server.run(self.blocks["two-hosts-server"].splitlines()[0])
        self.server.run(self.blocks["websocket-bundle"])
        copyToClient(self.client, self.server)
        words = "uotp-server -C pki/ca.pem --crl pki/crl.pem"
        self.server.start("server", self.blocks["websocket-server"].replace("uotp-server", words), LISTENING)
        self.client.start("client", self.blocks["two-hosts-client"], LISTENING)
        self.client.run(python(self.client, ASK))

    def test_insideWebSocketBehindHaproxy(self) -> None:
        self.enrol()
        self.server.run("cat pki/server.pem pki/server.key > server-with-key.pem")
        (self.server.folder / "web.cfg").write_text(self.blocks["websocket-haproxy"].replace("/etc/uotp/", ""))
        self.server.start("server", self.blocks["websocket-behind"], LISTENING)
        self.server.run(f"{haproxyProgram()} -D -f web.cfg")
        self.askInsideWebSocket()

    def test_oneOfTwoClientsIsShutOut(self) -> None:
        """
        A server of all processors has two clients, until one of them is revoked.  The other does not notice.
        """
        self.enrol()
        server = self.server.start("server", self.blocks["workers-server"], LISTENING)
        self.client.start("laptop", self.blocks["two-hosts-client"], LISTENING)
        self.server.run(f"uotp cert add phone --bundle {SERVER_NAME}")
        phone = self.server.start("phone", "uotp-client pki/phone.uotp", LISTENING)
        for host in (self.client, self.server):
            host.run(python(host, ASK))
        self.server.run("uotp cert revoke phone")
        server.waitForLine(r"session \w+ \(phone.*ended: its client may not join any more")
        phone.waitForLine("refused our certificate: revoked")
        self.client.run(python(self.client, ASK))

    def test_daemonsCarryDatagrams(self) -> None:
        """
        The two twistd commands as printed leave daemons behind, which end when they
        are told to.  What the pages print for logs reads what they have left.
        """
        self.enrol()
        self.server.run(self.blocks["daemon-server"].replace(" 127.0.0.1 51820", " --log-format json 127.0.0.1 51820"))
        self.client.run(self.blocks["daemon-client"])
        self.client.run(python(self.client, ASK))
        for host, which in ((self.client, "client"), (self.server, "server")):
            host.run(
                f"kill $(cat uotp-{which}.pid); "
                f"for _ in $(seq 3000); do [ -e uotp-{which}.pid ] || exit 0; sleep 0.1; done; exit 1"
            )
            self.assertIn(LISTENING, (host.folder / f"uotp-{which}.log").read_text())
        self.assertIn("sha256 Fingerprint=", self.server.run(self.blocks["log-fingerprint"]))
        warning = '{"time": "2026-11-27T12:00:00Z", "level": "warn", "message": "something"}'
        self.server.run(f"echo '{warning}' >> uotp-server.log")
        self.assertEqual(
            self.server.run(self.blocks["log-warnings"]).splitlines()[-1:], ["2026-11-27T12:00:00Z something"]
        )


class WireGuardTestCase(ProgramTestCase):
    """
    Two hosts, on each of which WireGuard is raised with the configuration that a page prints, but for
    the keys and the name of the interface.
    """

    def setUp(self) -> None:
        super().setUp()
        needTwoHosts("wg", "wg-quick", "wireguard-go", "ping", "nft", "sysctl")
        self.blocks = blocksHere()
        self.client, self.server = twoHosts(self)
        self.keys: dict[str, str] = {}
        for which, host in (("CLIENT", self.client), ("SERVER", self.server)):
            self.keys[f"{which}-PUBLIC-KEY"] = host.run(self.blocks["wireguard-keys"]).strip()
            self.keys[f"{which}-PRIVATE-KEY"] = (host.folder / "private.key").read_text().strip()
        self.server.start("server", self.blocks["two-hosts-server"], LISTENING)
        copyToClient(self.client, self.server)

    def raiseWireGuard(self, host: Host, configuration: str) -> None:
        """
        Do what a user does with a configuration.
        """
        for placeholder, key in self.keys.items():
            configuration = configuration.replace(placeholder, key)
        configuration = configuration.replace("/etc/wireguard/wg0", f"{host.folder}/wg0")
        file = host.folder / f"{host.wireGuard}.conf"
        file.write_text(configuration)
        file.chmod(0o600)
        host.run(self.blocks["wireguard-up"].replace("wg0", f"./{file.name}"))

    def ping(self, *words: str) -> None:
        """
        Ping until something comes back.
        """
        self.client.run(f"for _ in $(seq 300); do {' '.join(words)} && exit 0; done; exit 1")


class TutorialTests(WireGuardTestCase):
    """
    The tutorial, from its first line to its last.
    """

    def test_theVpnStands(self) -> None:
        client = self.client.start("client", self.blocks["two-hosts-client"], LISTENING)
        self.client.run(self.blocks["send-hello"])
        client.waitForLine(f"connected to {SERVER_NAME} port 8443")
        self.raiseWireGuard(self.server, self.blocks["tutorial-wireguard-server"])
        self.raiseWireGuard(self.client, self.blocks["tutorial-wireguard-client"])
        self.ping(self.blocks["wireguard-ping"].strip())
        # A WireGuard that answers its peers is well, though it does not answer a stranger.
        examined = self.client.run(self.blocks["doctor-no-rate"].strip() + PATIENTLY)
        self.assertEqual(
            [line for line in examined.splitlines() if line.startswith(("fault", "warning"))], [], examined
        )
        self.assertIn("WireGuard answers to its peers alone", examined)
        self.assertIn("issuer=CN", self.server.run(self.blocks["doctor-issuer"]).replace(" ", ""))
        probed = self.client.run(self.blocks["doctor-probe"].strip() + " || echo status $?")
        self.assertIn("status 18", probed)


class WireGuardTests(WireGuardTestCase):
    """
    All traffic through WireGuard, to a host beyond the server that knows no way back to the VPN.
    """

    def setUp(self) -> None:
        super().setUp()
        world = newNamespace(self, "world")
        command(
            *("ip", "link", "add", "net", "netns", world.name, "mtu", "1500", "type", "veth"),
            *("peer", "name", "uplink", "netns", self.server.namespace.name),
        )
        for network, length in (("198.51.100.", 24), ("2001:db8:51::", 64)):
            command("ip", "-n", world.name, "address", "add", f"{network}1/{length}", "dev", "net", "nodad")
            self.server.run(f"ip address add {network}2/{length} dev uplink nodad")
        command("ip", "-n", world.name, "link", "set", "net", "up")
        self.server.run("ip link set uplink up")
        (self.server.folder / "wg0.nft").write_text(
            self.blocks["wireguard-masquerade"].replace('"wg0"', f'"{self.server.wireGuard}"')
        )
        self.raiseWireGuard(self.server, self.blocks["wireguard-server"])

    def assertTheWorldIsBehindTheVpn(self) -> None:
        """
        It answers, by IPv4 and by IPv6, also to the largest packet of the VPN.
        """
        for address, headers in (("198.51.100.1", 28), ("2001:db8:51::1", 48)):
            self.assertIn(self.client.wireGuard, self.client.run(f"ip route get {address}"))
            self.ping("ping -M do -c 1 -W 1 -s", str(1420 - headers), address)

    def test_markedConnectionsGoPastTheVpn(self) -> None:
        """
        With the mark that WireGuard has, the tunnel's connections keep out of it, also
        those that are made when the default route is up.  A file says it as well as a command line.
        """
        self.client.start("client", self.blocks["marked-client"], LISTENING)
        self.raiseWireGuard(self.client, self.blocks["wireguard-client"])
        self.assertTheWorldIsBehindTheVpn()
        self.client.run("kill $(ss -Hulnp 'sport = 8911' | sed 's/.*pid=\\([0-9]*\\).*/\\1/')")
        self.client.run("for _ in $(seq 3000); do ss -Huln | grep -q :8911 || exit 0; sleep 0.1; done; exit 1")
        file = self.client.folder / "home.toml"
        file.write_text((self.client.folder / "laptop.uotp").read_text() + self.blocks["wireguard-toml"])
        file.chmod(0o600)
        self.client.start("second client", "uotp-client home.toml", LISTENING)
        self.assertTheWorldIsBehindTheVpn()
        examined = self.client.run(self.blocks["doctor"].strip() + PATIENTLY + " --no-rate || echo status $?")
        self.assertIn(f"leads through {self.client.wireGuard}, the VPN that uotp carries: it goes round", examined)
        self.assertIn("status 24", examined)
        marked = self.client.run(self.blocks["doctor"].strip() + PATIENTLY + " --no-rate --mark 0xca6c")
        self.assertIn("by home, which is no VPN", marked)
        self.assertIn("0xca6c can be set, and an `ip rule` uses it", marked)

    def test_aStaticRouteLeadsPastTheVpn(self) -> None:
        self.client.run(self.blocks["static-route"])
        self.client.start("client", self.blocks["two-hosts-client"], LISTENING)
        self.raiseWireGuard(self.client, self.blocks["wireguard-client"])
        self.assertTheWorldIsBehindTheVpn()
        self.assertIn("via 192.0.2.1", self.client.run(f"ip route get {SERVER_ADDRESS}"))


class ExamplesTests(ProgramTestCase):
    """
    What the pages print of the examples is what the examples are.
    """

    def test_printedExamplesAreTheFiles(self) -> None:
        """
        A block that shows a file shows all of it, unchanged.
        """
        blocks = blocksHere()
        for name, file in (
            ("both-ends", "both_ends.tac"),
            ("wireguard-server", "wireguard/server.conf"),
            ("wireguard-client", "wireguard/client.conf"),
            ("wireguard-masquerade", "wireguard/wg0.nft"),
        ):
            self.assertEqual(blocks[name], (EXAMPLES / file).read_text("utf-8"), name)

    def test_bothEndsInOneApplication(self) -> None:
        """
        The embedding example carries datagrams to a target and back.
        """
        blocks = blocksHere()
        folder = Path(tempfile.mkdtemp(prefix="uotp-example-"))
        self.addCleanup(shutil.rmtree, folder)
        made = runToEnd(ourCommand("cert", str(folder / "pki"), "--host", LOOPBACK))
        self.assertEqual(made.returncode, 0, made.stderr)
        (folder / "both_ends.tac").write_text(blocks["both-ends"])
        target = self.target()
        tunnelPort, udpPort = freePort(socket.SOCK_STREAM), freePort(socket.SOCK_DGRAM)
        ports = {
            "UOTP_TARGET_PORT": str(target.address[1]),
            "UOTP_TUNNEL_PORT": str(tunnelPort),
            "UOTP_UDP_PORT": str(udpPort),
        }
        program = self.start("both ends", [*TWISTD, "-n", "-y", "both_ends.tac"], ourEnvironment() | ports, str(folder))
        program.waitForLine("uotp-client listening on")
        correspondent = self.correspondent((LOOPBACK, udpPort))
        for size in (0, 1, 1400, 65507):
            correspondent.exchange(bytes(size))

    def test_systemdUnitsAreSound(self) -> None:
        """
        The units are found to be without fault by systemd.
        """
        verifier = shutil.which("systemd-analyze")
        if verifier is None:
            needed("systemd-analyze is not installed")
        if not EXAMPLES.exists():
            needed("examples/ is not here: run the tests in a checkout")
        folder = Path(tempfile.mkdtemp(prefix="uotp-units-"))
        self.addCleanup(shutil.rmtree, folder)
        added = folder / "uotp-client.service.d"
        added.mkdir()
        (added / "wireguard.conf").write_text(blocksHere()["wireguard-boot"])
        for unit in (EXAMPLES / "systemd").iterdir():
            for program in ("uotp-client", "uotp-server"):
                writeProgram(folder / program, "exit 0\n")
            text = unit.read_text("utf-8")
            self.assertIn("/opt/uotp/bin/", text)
            (folder / unit.name).write_text(text.replace("/opt/uotp/bin", str(folder)))
            done = subprocess.run(
                [verifier, "verify", str(folder / unit.name)],
                check=False,
                capture_output=True,
                text=True,
                timeout=HANG_SECONDS,
            )
            self.assertEqual((done.returncode, done.stderr), (0, ""))
