"""
The other end of a tunnel that does not answer any more, though its kernel does: a
program that stands still, and a relay that leads nowhere.
"""

from __future__ import annotations

import contextlib  # trial takes a module's `suppress` for its own
import re
import signal
import time
from concurrent.futures import ThreadPoolExecutor

from bench.rig.namespaces import command
from bench.rig.programs import Program, until
from tests.integration import hurried, patient
from tests.integration.hosts import needTwoHosts, newNamespace
from tests.integration.loads import IN_ORDER, IN_USE, SIZE, Load, LoadTestCase, settle, waitForAll
from tests.integration.rawpeers import ID_BYTES, ONE_ID, rawClient
from tests.integration.relay import Relayed
from tests.integration.rig import PLAIN, said, warned
from uotp.pki.directory import Pki

HELLO_SECONDS = 10.0
"""What a connection is given until it has shown an id."""

DRIBBLE_SECONDS = 0.5
"""Between two bytes of who dribbles."""

SETTLED_SECONDS = 3.0
"""Longer than the time between two pings of a tunnel in use: it is idle now."""

CARRIED_BYTES = 500
"""A tunnel that has carried no train has sent less: a ping, that it sends no more, and what TLS adds."""

OTHERS_LOST = 1000
"""Datagrams of a load that are lost, at most, beside those that have gone into a black hole."""

DEAF_LOST = 5
"""
Of a load that goes through a tunnel that nobody acknowledges, at most, where some hundred
are sent into it: those that had arrived at the other kernel, and were not yet read.
"""

ALIVE = 500
"""Datagrams of a load that show that it flows."""

NO_ANSWER = "failed: no answer"


class NoAnswerTests(LoadTestCase):
    """
    The kernel acknowledges what is sent, and yet nobody answers.
    """

    module = hurried.__name__

    def test_whoDoesNotAnswerIsNoticed(self) -> None:
        """
        A program that stands still, and a connection that shows no id.  It is mostly
        waiting, so they are waited for side by side.
        """
        pki = self.newPki()
        with ThreadPoolExecutor(2) as pool:
            cases = (self.assertFrozenAreNoticed, self.assertSilentAreClosed)
            waiting = [pool.submit(one, pki) for one in cases]
        for each in waiting:
            each.result()

    def freeze(self, program: Program) -> None:
        """
        Let a program stand still; it goes on before it is killed, if not sooner.
        """
        program.process.send_signal(signal.SIGSTOP)
        self.addCleanup(program.process.send_signal, signal.SIGCONT)

    def assertFrozenAreNoticed(self, pki: Pki) -> None:
        """
        Nothing is sent, and yet the client says that its server does not answer, and
        dials again; another server says the same of its client.  When the two go on,
        so do the flows, the first from the same port as before.
        """
        (relay, frozenServer, flow), (_, frozenClient, other) = (self.relayed(3, pki) for _ in range(2))
        source = flow.source
        self.settleRelay(relay, SETTLED_SECONDS)
        self.freeze(frozenServer.server)
        self.freeze(frozenClient.client)
        frozenServer.client.waitForLine(NO_ANSWER)
        until(lambda: len(relay.connections) > 3, "it dials again")
        frozenClient.server.waitForLine("does not answer and is given up")
        frozenServer.server.process.send_signal(signal.SIGCONT)
        frozenClient.client.process.send_signal(signal.SIGCONT)
        flow.resume()
        self.assertEqual(flow.source, source)
        other.resume()

    def assertSilentAreClosed(self, pki: Pki) -> None:
        """
        Whoever says nothing, or half a TLS handshake, is sent away 10 s after it came.  Whoever dribbles 15 bytes of an
        id is so earlier: he is no client, and is answered as by a web server.  A tunnel that is in use is not.
        """
        target = self.udpEnd()
        words = ["-c", pki.serverCertificate, "-k", pki.serverKey]
        servers = [self.startServer(target.address, *PLAIN), self.startServer(target.address, *words)]
        plain, secure = map(self.listening, servers)
        used = rawClient(plain, ONE_ID)
        began = time.monotonic()
        silent = [rawClient(plain), rawClient(secure), rawClient(secure, b"\x16\x03\x01\x02\x00\x01")]
        dribbling = rawClient(plain)
        for tunnel in (used, *silent, dribbling):
            self.addCleanup(tunnel.close)
        for number in range(ID_BYTES - 1):
            until(lambda: time.monotonic() - began >= number * DRIBBLE_SECONDS, "it is time for the next byte")  # noqa: B023
            dribbling.socket.sendall(ONE_ID[number : number + 1])
        self.assertEqual(dribbling.read(12), b"HTTP/1.1 400")
        for tunnel in (dribbling, *silent):
            tunnel.waitUntilClosed()
            if tunnel is not dribbling:
                self.assertGreater(time.monotonic() - began, HELLO_SECONDS - 0.1)
        used.send(b"still here")
        target.expect(b"still here")
        for server in servers:
            server.waitForLine("showed no session id in 10 s")
            self.assertEqual(len(said(server, "showed no session id in 10 s")), 1, "said once, not for each")


class BlackHoleTests(LoadTestCase):
    """
    One tunnel of a pool leads nowhere, and the kernel acknowledges what is sent.
    """

    def test_blackHoleIsLeftAndReplacedUnderLoad(self) -> None:
        """
        The tunnel that carries the flow forth leads nowhere, and so does the one that
        carries it back, if it is another.  Soon neither gets a datagram more, each is
        replaced, and what is sent from then on arrives, in order; of what was sent before
        some comes late.
        """
        relay, pair, flow = self.relayed(4, self.newPki(), client=IN_ORDER)
        loads = [self.forth(flow), self.back(flow)]
        for load in loads:
            load.start()
        waitForAll(loads, ALIVE)
        forth, back = loads
        holes = {
            self.inUse(forth, relay, lambda one: one.carried),
            self.inUse(back, relay, lambda one: one.brought),
        }
        before = [(hole.carried, hole.brought) for hole in holes]
        for hole in holes:
            hole.swallow()
        until(lambda: len(relay.connections) >= 4 + len(holes), "they are replaced")
        self.settleAfter(loads, holes)
        went = [
            sum(hole.carried - carried for hole, (carried, _) in zip(holes, before, strict=True)),
            sum(hole.brought - brought for hole, (_, brought) in zip(holes, before, strict=True)),
        ]
        for load, swallowed in zip(loads, went, strict=True):
            self.assertLess(len(load.missing()), swallowed / SIZE + OTHERS_LOST)
        self.assertEqual(said(pair.client, "no tunnel"), [])

    def settleAfter(self, loads: list[Load], holes: set[Relayed]) -> None:
        """
        See the loads go on beside the holes.
        """
        waitForAll(loads, 2 * ALIVE)  # the new tunnels are open
        swallowed = [one.carried + one.brought for one in holes]
        begun = [load.sent for load in loads]
        for load in loads:
            load.restrain()
        waitForAll(loads, 2 * ALIVE)
        for load in loads:
            load.stop()
        settle(*loads)
        for load, number in zip(loads, begun, strict=True):
            self.assertLess(max(load.missing(), default=0), number)
            self.assertLess(max(load.disorder(), default=0), number)  # what comes late was sent again
        for hole, before in zip(holes, swallowed, strict=True):
            self.assertLess(hole.carried + hole.brought - before, CARRIED_BYTES)
            until(lambda: hole.isLeft, "the client has closed it")  # noqa: B023


class DeafTests(LoadTestCase):
    """
    One tunnel leads nowhere, and nobody acknowledges what is sent through it: as behind
    a router that has forgotten it.  In a network namespace, as root.
    """

    def setUp(self) -> None:
        needTwoHosts("nft", "ss")
        super().setUp()
        life = contextlib.ExitStack()
        life.enter_context(newNamespace(self, "deaf").inside())
        self.addCleanup(life.close)

    def carried(self, server: int) -> dict[int, int]:
        """
        @param server: the port of uotp-server.
        @return: what each tunnel has carried both ways, in bytes, by the client's port.
        """
        lines = command("ss", "-tinHO", "state", "established", "sport", "=", f":{server}").splitlines()
        carried = {}
        for line in lines:
            port = int(line.split()[3].rpartition(":")[2])
            carried[port] = sum(map(int, re.findall(r"bytes_(?:sent|received):(\d+)", line)))
        return carried

    def makeDeaf(self, port: int) -> None:
        """
        Let nothing arrive of a connection any more.
        """
        rules = f"tcp sport {port} drop; tcp dport {port} drop;"
        command("nft", f"table inet deaf {{ chain c {{ type filter hook input priority 0; {rules} }}; }}")

    def test_whatTheTunnelHeldComesThroughAnother(self) -> None:
        """
        What is lost is what nobody can know of; and each datagram comes once.
        """
        target = self.udpEnd()
        pair = self.pair(target.address, self.newPki(), client=("-n", "4", "--min-pool", "4", "--wire", "2"))
        flow = self.flow(pair, target)
        flow.openPool()
        until(lambda: len(self.carried(pair.serverAddress[1])) == 4, "all tunnels are there")
        loads = [self.forth(flow), self.back(flow)]
        for load in loads:
            load.start()
        waitForAll(loads, ALIVE)
        before = self.carried(pair.serverAddress[1])
        loads[0].waitFor(2 * IN_USE)
        growth = {port: after - before.get(port, 0) for port, after in self.carried(pair.serverAddress[1]).items()}
        self.makeDeaf(max(growth, key=growth.__getitem__))
        waitForAll(loads, 4 * ALIVE)
        for load in loads:
            load.stop()
        settle(*loads)
        for load in loads:
            self.assertLess(len(load.missing()), DEAF_LOST)
            self.assertEqual(len(load.came), len(set(load.came)))


class ProofTests(LoadTestCase):
    """
    SIGHUP at the client: the network may have changed.
    """

    module = patient.__name__

    def test_tunnelThatDoesNotAnswerIsReplaced(self) -> None:
        """
        One of two tunnels leads nowhere.  Nobody has sent anything, so nobody would notice;
        after SIGHUP at the client, whose network may have changed, it is
        replaced, and the other stays.  The server has not been told, and finds out when it
        uses that tunnel.
        """
        relay, pair, flow = self.relayed(2, self.newPki(), client=IN_ORDER)
        hole = relay.connections[1]
        hole.swallow()
        pair.client.process.send_signal(signal.SIGHUP)
        pair.client.waitForLine(NO_ANSWER)
        until(lambda: len(relay.connections) == 3, "one is dialled again")
        forth, back = self.forth(flow, whole=True), self.back(flow)
        for load in (forth, back):
            load.start()
        pair.server.waitForLine("does not answer and is given up")
        waitForAll([back], IN_USE)
        begun = back.sent
        back.restrain()
        waitForAll([forth, back], ALIVE)
        for load in (forth, back):
            load.stop()
        settle(forth, back)
        self.assertWhole(forth)
        self.assertLess(max(back.missing(), default=0), begun)
        until(lambda: hole.isLeft, "the client has closed it")
        self.assertEqual([one.isLeft for one in relay.connections], [False, True, False])
        self.assertEqual(forth.sources, {flow.source})

    def test_tunnelsThatAnswerAreKept(self) -> None:
        relay, pair, flow = self.relayed(4, self.newPki())
        before = [(one.carried, one.brought) for one in relay.connections]
        pair.client.process.send_signal(signal.SIGHUP)
        for one, (carried, brought) in zip(relay.connections, before, strict=True):
            until(lambda: one.carried > carried and one.brought > brought, "it is asked, and answers")  # noqa: B023
        time.sleep(patient.PATIENCE_SECONDS + 1)  # an answer would be overdue by now
        flow.both(b"still here")
        self.assertEqual([one.isLeft for one in relay.connections], [False] * 4)
        self.assertEqual(warned(pair.client), [])

    def test_tunnelsOfFormat1AreReplaced(self) -> None:
        """
        They cannot be asked: each is dialled anew before it is closed, and no warning
        is worth it.
        """
        relay, pair, flow = self.relayed(3, wire=1)
        source = flow.source
        pair.client.process.send_signal(signal.SIGHUP)
        until(lambda: len(relay.connections) == 6, "all are dialled again")
        until(lambda: all(one.isLeft for one in relay.connections[:3]), "the old ones are closed")
        flow.both(b"still here")
        self.assertEqual([one.isLeft for one in relay.connections], [True] * 3 + [False] * 3)
        self.assertEqual(flow.source, source)
        self.assertEqual(said(pair.client, NO_ANSWER), [])
