"""
A target whose name has several addresses or gets another one, that is started late, or that is
on the same link.
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import shutil
import socket
import sys
from pathlib import Path

from bench.rig.namespaces import command
from bench.rig.ports import LOOPBACK, freePort
from bench.rig.programs import HANG_SECONDS, Program, until
from tests.integration.harness import needed, ourCommand
from tests.integration.hosts import namespaceName, needTwoHosts, newNamespace
from tests.integration.rig import PLAIN, RigTestCase, said
from tests.integration.udpends import AGAIN, Flow, UdpEnd

NAME = "target.internal"
PORT = 7000
TCP_PORT, UDP_PORT = 8443, 8911
MUTE, FIRST, SECOND = "127.0.0.9", "127.0.0.2", "127.0.0.3"


class LateTargetTests(RigTestCase):
    """
    Nothing listens at the target yet.
    """

    def test_refusalIsSaidAndTheFlowBeginsWithTheTarget(self) -> None:
        port = freePort(socket.SOCK_DGRAM)
        pair = self.pair((LOOPBACK, port))
        application = self.udpEnd()

        def isSaid() -> bool:
            application.send(AGAIN, pair.clientAddress)
            return bool(said(pair.server, f"nothing listens at the target, {LOOPBACK} port {port}: is it started?"))

        until(isSaid, "the server says that nothing listens", look=0.05)
        target = self.udpEnd(port=port)
        Flow(application, pair.clientAddress, target).resume()
        pair.server.waitForLine(f"the target, {LOOPBACK} port {port}, answers again")
        self.assertEqual(len(said(pair.server, "nothing listens")), 1)


def socketsOf(pid: int) -> int:
    """
    @return: how many sockets a process has.
    """
    links = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            links.append(str(entry.readlink()))
    return sum(link.startswith("socket:") for link in links)


class DescriptorsTests(RigTestCase):
    """
    The server's descriptors have run out when the first session begins.
    """

    def test_firstSessionBeginsWhenThereAreSomeAgain(self) -> None:
        """
        Nothing is loaded for it that could not be loaded then; a name is looked up.
        """
        if sys.platform != "linux":
            needed("only Linux limits another process's descriptors")
        target = self.udpEnd()
        pair = self.pair(
            ("localhost", target.address[1]), self.newPki(), server=["--control", "off"], client=["-n", "1"]
        )
        with socket.create_connection(pair.serverAddress) as stranger, contextlib.suppress(ConnectionError):
            stranger.sendall(b"no TLS")
            while stranger.recv(100):  # to its end: so the server's reactor runs, and has all that it needs
                pass
        pid = pair.server.process.pid
        limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        until(lambda: socketsOf(pid) == 1, "the server has only the socket that it listens on")
        inUse = len(os.listdir(f"/proc/{pid}/fd"))
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (inUse + 1, limits[1]))  # which is for the tunnel
        flow = Flow(self.udpEnd(), pair.clientAddress, target)

        def isSaid() -> bool:
            flow.application.send(AGAIN, pair.clientAddress)
            return bool(said(pair.server, "no way to the target localhost port"))

        until(isSaid, "the server says that it has no socket", look=0.05)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
        flow.resume()
        self.assertStops(pair.server)
        self.assertEqual(said(pair.server, "Traceback"), [])


class TargetNameTests(RigTestCase):
    """
    Both programs, the application and the target on a host of their own, with names that a test chooses.
    """

    def setUp(self) -> None:
        needTwoHosts()
        super().setUp()
        settings = Path("/etc/netns") / namespaceName("target")
        settings.mkdir(parents=True)
        self.addCleanup(shutil.rmtree, settings)
        self.hosts = settings / "hosts"
        self.hosts.touch()
        self.host = newNamespace(self, "target")

    def nameLeadsTo(self, *addresses: str, name: str = NAME) -> None:
        """
        Give the name these addresses.  The file stays the same one, which the host's programs see.
        """
        with self.hosts.open("r+") as hosts:
            text = "".join(f"{address} {name}\n" for address in addresses)
            hosts.write(text)
            hosts.truncate()

    def endAt(self, host: str, port: int = PORT) -> UdpEnd:
        """
        @return: a socket on that host.
        """
        with self.host.inside():
            return self.udpEnd(host, port)

    def startPair(self, target: str) -> Program:
        """
        Start both programs, and wait until they listen.

        @return: the server.
        """
        listen = ("-a", LOOPBACK, "-p")
        words = ourCommand("server", *listen, str(TCP_PORT), *PLAIN, target, str(PORT))
        server = self.start("our server", [*self.host.words, *words])
        self.listening(server)
        words = ourCommand("client", *listen, str(UDP_PORT), *PLAIN, "-n", "1", LOOPBACK, str(TCP_PORT))
        self.listening(self.start("our client", [*self.host.words, *words]))
        self.addCleanup(self.host.killAll)
        return server

    def flowTo(self, target: UdpEnd) -> Flow:
        """
        @return: a flow of a new application.
        """
        return Flow(self.endAt(LOOPBACK, 0), (LOOPBACK, UDP_PORT), target)

    def test_addressThatRefusesIsPassedOver(self) -> None:
        """
        Localhost has two addresses, and the target listens on the second.
        """
        self.nameLeadsTo("::1", LOOPBACK, name="localhost")
        target = self.endAt(LOOPBACK)
        server = self.startPair("localhost")
        flow = self.flowTo(target)
        flow.both(b"the first datagram of all")
        flow.both(b"and one more")
        self.assertEqual(said(server, "nothing listens"), [])

    def test_addressThatIsSilentIsPassedOver(self) -> None:
        """
        It is there, and has all that was sent until the other one has answered.
        """
        self.nameLeadsTo(MUTE, FIRST)
        mute, target = self.endAt(MUTE), self.endAt(FIRST)
        self.startPair(NAME)
        flow = self.flowTo(target)
        flow.both(b"the first datagram of all")
        mute.expect(b"the first datagram of all")
        flow.both(b"and one more")
        self.assertEqual(mute.drain(0.2), [])

    def test_targetIsFoundAgainThatHasMoved(self) -> None:
        """
        The session is the same, and so is its port.
        """
        self.nameLeadsTo(FIRST)
        old = self.endAt(FIRST)
        server = self.startPair(NAME)
        flow = self.flowTo(old)
        flow.both(b"hello")
        port = flow.source[1]
        old.close()
        self.nameLeadsTo(SECOND)
        flow.target = self.endAt(SECOND)
        flow.resume()
        self.assertEqual(flow.source[1], port)
        server.waitForLine(re.escape(f"the target {NAME} has moved from {FIRST} to {SECOND}"))
        self.assertEqual(len(said(server, "opened from")), 1)

    def test_nameThatIsNotFoundIsSaidAndTriedAgain(self) -> None:
        """
        In the resolver's words; and what could not be sent is not among the bytes to the target.
        """
        self.nameLeadsTo(LOOPBACK, name="localhost")
        server = self.startPair(NAME)
        target = self.endAt(FIRST)
        flow = self.flowTo(target)
        flow.application.send(b"0123456789", flow.client)
        server.waitForLine(rf"no way to the target {NAME} port {PORT}: .*name")
        self.assertStops(server)
        server.waitForLine("ended: the server stops; 0 bytes to the target, 0 back; 10 bytes could not be sent to it")

    def test_targetMayBeOnTheSameLink(self) -> None:
        """
        Its address names the link.
        """
        for words in (
            ("link", "add", "near", "type", "veth", "peer", "name", "far"),
            ("link", "set", "near", "up"),
            ("link", "set", "far", "up"),
            ("-6", "address", "add", "fe80::7/64", "dev", "near", "nodad"),
        ):
            command("ip", "-n", self.host.name, *words)
        with self.host.inside():
            target = self.udpEnd("fe80::7%near", PORT)
        self.startPair("fe80::7%near")
        application = self.endAt(LOOPBACK, 0)
        application.send(b"ping", (LOOPBACK, UDP_PORT))
        target.socket.settimeout(HANG_SECONDS)
        datagram, source = target.socket.recvfrom(100)
        target.socket.sendto(b"pong", source)
        application.expect(b"pong")
        self.assertEqual(datagram, b"ping")
