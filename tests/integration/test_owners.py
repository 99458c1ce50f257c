"""
What strangers and careless clients have of a server, and what the others keep: sessions, memory and
a session's way back.
"""

from __future__ import annotations

import socket
import threading
import time
import uuid

from bench.rig.ports import Address
from bench.rig.procfs import highestMemoryBytes, memoryBytes
from bench.rig.programs import HANG_SECONDS
from tests.integration.harness import requireProcfs
from tests.integration.rawformat2 import clientHello, train
from tests.integration.rawpeers import ONE_ID, RawTunnel, frame, rawClient
from tests.integration.rig import PLAIN, RigTestCase, said
from tests.integration.udpends import UdpEnd

SESSIONS = 200
OPENED = 300
"""How many sessions a server may have, and how many a greedy client opens."""

OTHER_HOST = "127.0.0.2"
"""Another address of this machine, and so another owner."""

DEAF = 10
"""So many peers of each format read nothing."""

DEAF_BYTES = 256 * 1024
"""What a program may hold of each."""

FLOOD_SECONDS = 0.002
FLOOD_DATAGRAM = bytes(1200)
"""What the target sends to all of them, and the time from one round to the next."""

SMALL_BUFFER_BYTES = 8192
"""What the kernel holds for a peer that reads nothing."""

LOOK_SECONDS = 0.01
"""From one question of the other session to the next."""


class GreedyClientTests(RigTestCase):
    """
    One client opens as many sessions as it can.
    """

    def test_othersKeepTheirs(self) -> None:
        """
        Also the one that has no tunnel at the moment; it comes back to the same socket, and newcomers get in.
        """
        target = self.udpEnd()
        server = self.startServer(target.address, *PLAIN, "--max-sessions", str(SESSIONS), "--owner-share", "100")
        address = self.listening(server)
        source = self.ask(self.other(address, ONE_ID), target, b"before")
        server.waitForLine("session 00010203 .*has no tunnel left")
        held = []
        for number in range(OPENED):
            tunnel = rawClient(address, uuid.uuid4().bytes + frame(b"%d" % number))
            self.addCleanup(tunnel.close)
            held.append(tunnel)
            target.expect(b"%d" % number)
        self.assertEqual(self.ask(self.other(address, ONE_ID), target, b"after"), source)
        self.ask(self.other(address, uuid.uuid4().bytes), target, b"newcomer")
        lines = said(server, "gives up the least used one")
        self.assertEqual(len(lines), 1, "said once")
        self.assertIn(f"127.0.0.1 has {SESSIONS - 1} of at most {SESSIONS} sessions", lines[0])
        for tunnel in held[: OPENED - SESSIONS]:
            tunnel.waitUntilClosed()
        held[-1].send(b"the last one is still there")
        target.expect(b"the last one is still there")

    def other(self, server: Address, sessionId: bytes) -> RawTunnel:
        """
        @return: a tunnel of another client.
        """
        tunnel = RawTunnel(socket.create_connection(server, HANG_SECONDS, (OTHER_HOST, 0)))
        tunnel.socket.sendall(sessionId)
        return tunnel

    def ask(self, tunnel: RawTunnel, target: UdpEnd, datagram: bytes) -> Address:
        """
        Send a datagram to the target and back, and close the tunnel.

        @return: where the target has seen it come from.
        """
        tunnel.send(datagram)
        source = target.expect(datagram)
        target.send(datagram, source)
        self.assertEqual(tunnel.receive(), datagram)
        tunnel.close()
        return source


class DeafPeersTests(RigTestCase):
    """
    Many peers never read, while the target goes on sending.
    """

    def test_deafPeersAreGoneSoon(self) -> None:
        """
        In both formats.  Meanwhile another session is answered as ever, and little is held.
        """
        requireProcfs()
        target = self.udpEnd()
        server = self.startServer(target.address, *PLAIN)
        address = self.listening(server)
        near = rawClient(address, uuid.uuid4().bytes)
        self.addCleanup(near.close)
        near.send(b"near")
        source = target.expect(b"near")
        greetings = [
            *(uuid.uuid4().bytes + frame(b"deaf") for _ in range(DEAF)),
            *(clientHello(uuid.uuid4().bytes) + train(0, b"deaf") for _ in range(DEAF)),
        ]
        sources = []
        for greeting in greetings:
            self.join(address, greeting)
            sources.append(target.expect(b"deaf"))
        before = memoryBytes(server.process.pid)
        ends = threading.Event()
        flood = threading.Thread(target=self.flood, args=(target, sources, ends))
        flood.start()
        began = time.monotonic()
        try:
            while len(said(server, "has no tunnel left")) < len(sources):
                self.assertLess(time.monotonic() - began, HANG_SECONDS)
                near.send(b"as ever")
                target.expect(b"as ever")
                target.send(b"and back", source)
                self.assertEqual(near.receive(), b"and back")
                time.sleep(LOOK_SECONDS)
        finally:
            ends.set()
            flood.join()
        self.assertLess(highestMemoryBytes(server.process.pid) - before, len(sources) * DEAF_BYTES)
        self.assertStops(server)
        self.assertGreater(len(said(server, "datagrams dropped: ")), 0)

    def join(self, server: Address, greeting: bytes) -> None:
        """
        Open a session, and read nothing of it.
        """
        tunnel = RawTunnel(socket.socket())
        tunnel.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER_BYTES)
        tunnel.socket.connect(server)
        tunnel.socket.sendall(greeting)
        self.addCleanup(tunnel.close)

    def flood(self, target: UdpEnd, sources: list[Address], ends: threading.Event) -> None:
        """
        Have the target send to all of them.
        """
        while not ends.wait(FLOOD_SECONDS):
            for source in sources:
                target.send(FLOOD_DATAGRAM, source)
