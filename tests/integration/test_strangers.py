"""
Strangers at the server's port: many at once, many that say nothing, and those that stop
somewhere; and what becomes of everybody else meanwhile.
"""

from __future__ import annotations

import contextlib
import resource
import select
import socket
import ssl
import time
import uuid

from bench.rig.ports import LOOPBACK, Address
from bench.rig.procfs import descriptors, processorSeconds
from bench.rig.programs import HANG_SECONDS, Program, until
from tests.integration.harness import needed
from tests.integration.loads import LoadTestCase, settle
from tests.integration.rig import Pair, said
from uotp.pki.directory import Pki
from uotp.server.strangers import HELLO_SECONDS

HELLOS = 400
"""So many begin to shake hands at the same moment."""

FLOOD = 1500
"""So many connections say nothing."""

FLOODER, NEIGHBOUR = "127.0.0.9", "127.0.0.2"
"""Addresses of this machine on Linux."""

EACH = 15
"""Connections of one kind."""

SLACK = 8
"""Descriptors that a program may have more than before, for reasons of its own."""

IDLE_SECONDS, IDLE_SHARE = 2.0, 0.5
"""Of the processor, for so long: whoever is woken again and again for nothing uses all of it."""


def clientHello() -> bytes:
    """
    @return: what a client of TLS says first.
    """
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    coming, going = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(coming, going).do_handshake()
    return going.read()


class StrangersTests(LoadTestCase):
    """
    Let strangers come to a server that carries a flow.
    """

    def setUp(self) -> None:
        super().setUp()
        self.strangers: list[socket.socket] = []
        self.addCleanup(self.leave)

    def leave(self) -> None:
        """
        Let all of them go.
        """
        for stranger in self.strangers:
            stranger.close()

    def come(self, server: Address, count: int, host: str = LOOPBACK) -> list[socket.socket]:
        """
        @param host: where they come from.
        @return: so many connections; some may be reset already.
        """
        for _ in range(count):
            stranger = socket.socket()
            self.strangers.append(stranger)
            stranger.settimeout(HANG_SECONDS)
            try:
                stranger.bind((host, 0))
            except OSError as error:
                needed(f"this machine has no address {host}: {error}")
            with contextlib.suppress(ConnectionResetError):
                stranger.connect(server)
        return self.strangers[-count:]

    def carrying(self, pki: Pki | None, *server: str) -> Pair:
        """
        @param server: its options.
        @return: a pair that carries a load both ways.
        """
        target = self.udpEnd()
        pair = self.pair(target.address, pki, server=server)
        flow = self.current = self.flow(pair, target)
        flow.open(b"hello")
        self.loads = [self.forth(flow, whole=True), self.back(flow, whole=True)]
        for load in self.loads:
            load.start()
        for load in self.loads:
            load.waitFor(100)
        return pair

    def assertNothingLost(self, pair: Pair) -> None:
        """
        The loads are whole, and nobody has had an error of ours.
        """
        for load in self.loads:
            load.stop()
        settle(*self.loads)
        self.assertWhole(*self.loads)
        for program in (pair.server, pair.client):
            self.assertEqual(said(program, "Traceback"), [])

    def test_manyThatShakeHandsAtOnceTakeNothingFromAFlow(self) -> None:
        """
        Each is answered, and none of what flows meanwhile is lost.
        """
        pair = self.carrying(self.newPki())
        hello = clientHello()
        strangers = self.come(pair.serverAddress, HELLOS)
        for stranger in strangers:
            stranger.sendall(hello)
        for stranger in strangers:
            stranger.settimeout(HANG_SECONDS)
            self.assertTrue(stranger.recv(1))
        self.assertNothingLost(pair)

    def test_floodOfTheSilentKeepsNobodyOut(self) -> None:
        """
        From elsewhere everybody gets in; the log says who has most, and how much the flood
        takes of us is bounded.
        """
        pair = self.carrying(None, "--max-connections", "256")
        before = descriptors(pair.server.process.pid)
        got = 0
        for number in range(FLOOD):
            self.come(pair.serverAddress, 1, FLOODER)
            if number % 150:
                continue
            (neighbour,) = self.come(pair.serverAddress, 1, NEIGHBOUR)
            neighbour.sendall(uuid.uuid4().bytes)
            until(lambda: len(said(pair.server, "opened from")) > 1 + got, "the neighbour is in")  # noqa: B023
            got += 1
            neighbour.close()
            self.assertLess(descriptors(pair.server.process.pid), before + 256)
        self.assertEqual(got, FLOOD // 150)
        lines = said(pair.server, "silent connections, and it has most: its oldest goes")
        self.assertEqual(len(lines), 1)
        self.assertIn(FLOODER, lines[0])
        self.assertNothingLost(pair)

    def test_whoeverStopsIsGoneInTime(self) -> None:
        """
        Before the first byte, within a message, behind it, and behind the handshake; and
        whoever says a byte a second.  The descriptors are given back.
        """
        pki = self.newPki()
        target = self.udpEnd()
        server = self.startServer(target.address, "-c", pki.serverCertificate, "-k", pki.serverKey)
        address = self.listening(server)
        before = descriptors(server.process.pid)
        hello = clientHello()
        began = time.monotonic()
        self.come(address, EACH)
        for part in (hello[:40], hello):
            for stranger in self.come(address, EACH):
                stranger.sendall(part)
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        for stranger in self.come(address, EACH):
            place = self.strangers.index(stranger)
            self.strangers[place] = context.wrap_socket(stranger)
        dribbling = self.come(address, EACH)
        came = time.monotonic()
        left = {stranger.fileno(): stranger for stranger in self.strangers}
        number = 0
        while left:
            self.assertLess(time.monotonic() - came, HANG_SECONDS, len(left))
            for stranger in dribbling:
                with contextlib.suppress(OSError):
                    stranger.sendall(hello[number : number + 1])
            number += 1
            until(lambda: time.monotonic() - came > number, "it is time for the next byte")  # noqa: B023
            for fileno in select.select(list(left), [], [], 0)[0]:
                if self.isGone(left[fileno]):
                    self.assertGreater(time.monotonic() - began, HELLO_SECONDS - 0.1)
                    del left[fileno]
        until(lambda: descriptors(server.process.pid) <= before + SLACK, "the descriptors are given back")
        self.assertEqual(len(said(server, "showed no session id in 10 s")), 1, "said once, not for each")
        self.assertEqual(said(server, "Traceback"), [])

    def isGone(self, stranger: socket.socket) -> bool:
        """
        @return: whether the server has closed a connection; what it has said before is passed over.
        """
        stranger.settimeout(0)
        try:
            return not stranger.recv(65536)
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        except OSError:
            return True

    def test_withoutDescriptorsTheLogStaysShortAndLaterAllGoesOn(self) -> None:
        """
        One line, and not three for each connection; nor is the processor used up meanwhile.
        """
        pair = self.carrying(None)
        pid = pair.server.process.pid
        soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        highest = descriptors(pid) + 1
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (highest, hard))
        self.come(pair.serverAddress, 100, FLOODER)
        pair.server.waitForLine("no connection can be accepted for now: Too many open files")
        for load in self.loads:
            load.waitFor(500)
        for load in self.loads:
            load.stop()
        settle(*self.loads)
        used, began = processorSeconds(pid), time.monotonic()
        until(lambda: time.monotonic() - began > IDLE_SECONDS, "it has idled for a while")
        self.assertLess((processorSeconds(pid) - used) / (time.monotonic() - began), IDLE_SHARE)
        self.assertLessEqual(self.linesOf(pair.server), 20)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
        (neighbour,) = self.come(pair.serverAddress, 1, NEIGHBOUR)
        neighbour.sendall(uuid.uuid4().bytes)
        until(lambda: len(said(pair.server, "opened from")) > 1, "the neighbour is in")
        self.assertNothingLost(pair)
        for load in self.loads:
            load.close()
        self.current.both(b"and on")

    def linesOf(self, program: Program) -> int:
        """
        @return: how many lines a program has said.
        """
        return len(said(program, ""))
