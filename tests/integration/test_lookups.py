"""
Names at boot, names that move, names that look odd, and addresses with a zone: with the system's
resolver, between two hosts.
"""

from __future__ import annotations

import shlex
import socket
import subprocess
import sys

from bench.rig.programs import Program, until
from tests.integration.harness import ProgramTestCase, ourCommand, ourEnvironment, runToEnd
from tests.integration.hosts import SERVER_ADDRESS, SERVER_NAME, Host, needTwoHosts, twoHosts

LISTENING = "listening on"
PORT = 8443

MOVED_ADDRESS = "203.0.113.11"
"""Where the server is later."""

SHORT_SECONDS = 3.0
"""So long nothing comes where nothing can come."""

NAME_SERVER = """
import select, socket, struct
sockets = []
for address in {addresses}:
    sockets.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    sockets[-1].bind((address, 53))
print("name server listening on 53", flush=True)
while True:
    for ready in select.select(sockets, [], [])[0]:
        query, asker = ready.recvfrom(512)
        end = 12
        while query[end]:
            end += query[end] + 1
        records = []
        if query[end + 1:end + 3] == bytes([0, 1]):
            with open("address") as file:
                records = [socket.inet_aton(each) for each in file.read().split()]
        head = query[:2] + bytes([0x81, 0x80, 0, 1, 0, len(records), 0, 0, 0, 0])
        each = [bytes([192, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]) + record for record in records]
        ready.sendto(head + query[12:end + 5] + b"".join(each), asker)
"""
"""Says of every name the addresses that are in a file."""

QUERY = """
import socket, sys, time
query = bytes([7, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 3]) + b"any" + bytes([0, 0, 1, 0, 1])
end = time.monotonic() + float(sys.argv[1])
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
    asker.settimeout(0.2)
    while time.monotonic() < end:
        try:
            asker.sendto(query, ("127.0.0.1", 53))
            asker.recv(512)
        except OSError:
            continue
        sys.exit(0)
sys.exit(1)
"""
"""Asks where the client listens, until something comes back."""

ECHO = """
import socket
with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as target:
    target.bind(("::", 7000))
    print("echo listening on 7000", flush=True)
    while True:
        target.sendto(*target.recvfrom(65535))
"""

ASK = """
import socket, sys, time
host, source = sys.argv[1:]
end = time.monotonic() + 60
family = socket.AF_INET6 if ":" in host else socket.AF_INET
with socket.socket(family, socket.SOCK_DGRAM) as asker:
    asker.settimeout(0.2)
    if source:
        asker.bind(socket.getaddrinfo(source, 0, family, socket.SOCK_DGRAM)[0][4])
    to = socket.getaddrinfo(host, 8911, family, socket.SOCK_DGRAM)[0][4]
    while time.monotonic() < end:
        try:
            asker.sendto(b"x", to)
            asker.recv(512)
        except OSError:
            continue
        sys.exit(0)
sys.exit(1)
"""
"""Asks from an address, until something comes back."""


class _HostsTestCase(ProgramTestCase):
    """
    Has two hosts.
    """

    def setUp(self) -> None:
        super().setUp()
        needTwoHosts()
        self.client, self.server = twoHosts(self)

    def script(self, host: Host, name: str, text: str) -> str:
        """
        @return: the command that runs a script of Python on a host.
        """
        (host.folder / name).write_text(text)
        return shlex.join([sys.executable, name])

    def makeCertificates(self, *hosts: str) -> None:
        words = [word for host in hosts for word in ("--host", host)]
        made = runToEnd(ourCommand("cert", str(self.server.folder / "pki"), *words))
        self.assertEqual(made.returncode, 0, made.stderr)

    def startServer(self, *options: str, target: str) -> Program:
        pki = f"{self.server.folder}/pki"
        files = f"-c {pki}/server.pem -k {pki}/server.key -C {pki}/ca.pem"
        return self.server.start("server", f"exec uotp-server {files} {' '.join(options)} {target}", LISTENING)

    def startClient(self, *options: str, server: str, before: str = "") -> Program:
        pki = f"{self.server.folder}/pki"
        files = f"-c {pki}/client.pem -k {pki}/client.key -C {pki}/ca.pem"
        words = f"{before} exec uotp-client -n 1 {files} {' '.join(options)} '{server}' {PORT}"
        return self.client.start("client", words, LISTENING)

    def end(self, program: Program) -> None:
        program.process.terminate()
        program.process.wait(60)


class BootTests(_HostsTestCase):
    """
    Have the resolver behind the VPN: it is reached by what the client carries, and by nothing else.
    """

    def setUp(self) -> None:
        super().setUp()
        for host in (self.client, self.server):
            host.write("hosts", "127.0.0.1 localhost\n")
        self.nameServerIs(SERVER_ADDRESS)
        self.makeCertificates(SERVER_NAME)
        self.addressIs(SERVER_ADDRESS)
        self.serving = self.startServer(target="127.0.0.1 53")
        self.query = self.script(self.client, "query.py", QUERY)

    def nameServerIs(self, address: str) -> None:
        """
        Whom the client's host asks for names.
        """
        self.client.write("resolv.conf", f"nameserver {address}\noptions timeout:5 attempts:2\n")

    def addressIs(self, address: str) -> None:
        """
        What the name servers say.
        """
        (self.server.folder / "address").write_text(address)

    def startNameServers(self) -> None:
        addresses = ["127.0.0.1", SERVER_ADDRESS]
        text = NAME_SERVER.replace("{addresses}", repr(addresses))
        self.server.start("name server", self.script(self.server, "names.py", text), LISTENING)

    def boot(self, *options: str, before: str = "") -> Program:
        return self.startClient("-p 53 -B 0.5", *options, server=SERVER_NAME, before=before)

    def test_rememberedAddressLeadsOut(self) -> None:
        """
        After a first start with name servers, one without is connected too, whether the name
        is to be looked up once or for each connection.  Without a memory it is never.
        """
        self.startNameServers()
        first = self.boot("--state-directory state")
        self.client.run(f"{self.query} 60")
        self.end(first)
        self.nameServerIs("127.0.0.1")
        for options in (("--resolve-once",), ()):
            program = self.boot("--state-directory state", *options)
            self.client.run(f"{self.query} 60")
            program.waitForLine(f"what was good before is dialled: {SERVER_ADDRESS}")
            self.end(program)
        self.boot("--resolve-once")
        error = self.assertRaises(AssertionError, self.client.run, f"{self.query} {SHORT_SECONDS}")
        self.assertIn("ended with 1", str(error))

    def test_firstBootIsReadyWhenTheNameIsFound(self) -> None:
        """
        What waits for the client, and takes the name servers away, is started then, and not
        before.  A server that has moved is found by a reload.
        """
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(manager.close)
        manager.bind(str(self.client.folder / "manager"))
        manager.settimeout(60)
        program = self.boot("--resolve-once", before=f"NOTIFY_SOCKET={self.client.folder}/manager")
        self.assertEqual(manager.recv(512), b"STATUS=looking up the server's name")
        program.waitForLine("trying again")
        manager.settimeout(SHORT_SECONDS)
        self.assertRaises(TimeoutError, heard, manager)
        self.startNameServers()
        manager.settimeout(60)
        self.assertIn(b"READY=1", heard(manager).split(b"\n"))
        self.nameServerIs("127.0.0.1")
        self.client.run(f"{self.query} 60")

        self.nameServerIs(SERVER_ADDRESS)
        self.end(self.serving)
        self.server.run(f"ip address add {MOVED_ADDRESS}/32 dev lo")
        self.addressIs(MOVED_ADDRESS)
        self.startServer("-a", MOVED_ADDRESS, target="127.0.0.1 53")
        program.process.send_signal(1)
        self.assertIn(b"RELOADING=1", heard(manager).split(b"\n"))
        self.assertIn(b"READY=1", heard(manager).split(b"\n"))
        program.waitForLine(f"the addresses of {SERVER_NAME} are now {MOVED_ADDRESS}")
        self.client.run(f"{self.query} 60")
        self.end(program)
        self.assertEqual(heard(manager), b"STOPPING=1")


def heard(manager: socket.socket) -> bytes:
    """
    @return: the next that a service manager is told, but for a status alone, which may come at any time.
    """
    while (said := manager.recv(512)).startswith(b"STATUS="):
        pass
    return said


class OddNamesTests(_HostsTestCase):
    """
    Dial names that registries do not give out, and addresses on one link.
    """

    def setUp(self) -> None:
        super().setUp()
        self.server.start("target", self.script(self.server, "echo.py", ECHO), LISTENING)
        self.ask = self.script(self.client, "ask.py", ASK)

    def test_namesThatDnsAndCertificatesHave(self) -> None:
        names = ("wg_server", "ab--cd.example.test", "Stra\u00dfe.test.", "xn--bcher-kva.test")
        inDns = ("wg_server", "ab--cd.example.test", "xn--strae-oqa.test.", "xn--bcher-kva.test")
        self.client.write("hosts", "".join(f"{SERVER_ADDRESS} {name}\n" for name in inDns))
        self.makeCertificates(*names)
        self.startServer(target="::1 7000")
        for name in names:
            program = self.startClient(server=name, before="LANG=C.UTF-8")
            self.client.run(f"{self.ask} 127.0.0.1 ''")
            self.end(program)

    def test_linkLocalAddressesHaveTheirZone(self) -> None:
        """
        Where both ends listen, where the server is, who is allowed, and in the log; by name and by
        number.  No certificate has one.
        """
        for host, address, link in ((self.client, "fe80::1", "home"), (self.server, "fe80::2", "net")):
            host.run(f"ip address add {address}/64 dev {link} nodad")
        number = self.client.run("cat /sys/class/net/home/ifindex").strip()
        until(lambda: "tentative" not in self.client.run("ip -6 address show dev home"), "addresses of IPv6")
        self.makeCertificates("fe80::2%net")
        server = self.startServer("-a", "fe80::2%net", target="::1 7000")
        self.assertIn("[fe80::2%net]:8443 (TCP)", "".join(server.lines))
        for zone in ("home", number):
            listen = f"-a fe80::1%{zone} --allow fe80::1%{zone}"
            program = self.startClient(listen, server=f"fe80::2%{zone}")
            self.assertIn("[fe80::1%home]:8911 (UDP)", "".join(program.lines))
            self.client.run(f"{self.ask} fe80::1%home fe80::1%home")
            program.waitForLine("for fe80::1%home port")
            program.waitForLine(f"connected to fe80::2%{zone} port")
            self.end(program)
        server.waitForLine("opened from fe80::1%net")

    def test_anInterfaceThatIsNotThereHasWords(self) -> None:
        """
        To listen there is an error at the start.  To connect through it is tried again.
        """
        words = "this machine has no network interface wlan7 now"
        for which, kind, target in (("server", "TCP", "::1 9"), ("client", "UDP", "::1 9")):
            ended = subprocess.run(
                [*self.client.namespace.words, *ourCommand(which, "--no-tls", "-a", "fe80::1%wlan7", *target.split())],
                check=False,
                capture_output=True,
                text=True,
                timeout=60,
                env=ourEnvironment(),
            )
            port = {"server": 8443, "client": 8911}[which]
            line = f"uotp-{which}: cannot listen on fe80::1%wlan7 port {port} ({kind}): {words}\n"
            self.assertEqual((ended.returncode, ended.stderr), (1, line))
        self.server.run("ip address add fe80::2/64 dev net nodad")
        self.server.start("server", "exec uotp-server --no-tls -a fe80::2%net ::1 7000", LISTENING)
        program = self.client.start("client", "exec uotp-client --no-tls -B 0.5 fe80::2%wlan7 8443", LISTENING)
        program.waitForLine(f"fe80::2%wlan7: {words}, trying again")
        self.client.run("ip link set home down; ip link set home name wlan7; ip link set wlan7 up")
        self.client.run(f"{self.ask} 127.0.0.1 ''")
