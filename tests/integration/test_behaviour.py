"""
What a pair of a client and a server does with datagrams, tunnels and sessions,
on a good day.  What they do on a bad one stands beside.
"""

from __future__ import annotations

import signal
import socket
import time

from bench.rig.ports import LOOPBACK, Address, freePort
from bench.rig.procfs import descriptors, udpPorts
from bench.rig.programs import HANG_SECONDS, Program, until
from tests.integration.correspondence import ANSWER_SECONDS
from tests.integration.harness import requireProcfs
from tests.integration.pairs import numbered
from tests.integration.rawpeers import ONE_ID, OTHER_ID, RawServer, RawTunnel, rawClient
from tests.integration.rig import PLAIN, Pair, RigTestCase, said, warned
from tests.integration.udpends import AGAIN, AGAIN_SECONDS, PROOF_BYTES, PROOF_DATAGRAMS, Flow, UdpEnd
from uotp.session.backlog import MAX_AGE_SECONDS

SIZES = (0, 1, 2, 3, 15, 16, 17, 63, 255, 256, 257, 512, 1200, 1400, 1420, 1472, 1473, 4095, 8191, 8192, 8193, 9000,
         16383, 16384, 16385, 32767, 32768, 40000, 65000, 65505, 65506, 65507)  # fmt: skip
"""Up to the largest of IPv4, around powers of two, TLS's records and Twisted's own limits."""

LOOPBACK6 = "::1"

TRIES = 5
"""Of what a machine may be too slow for."""

EXPIRE_SECONDS = 1.5
"""So long a session may be idle that is used."""

MUCH_BYTES = 50_000
"""A few datagrams of so many bytes at once are more than a rested connection sends in a round trip."""


class DatagramTests(RigTestCase):
    """
    Datagrams of all sizes, both ways, by every kind of address.
    """

    def assertAllSizesPass(self, flow: Flow) -> None:
        """
        Each size passes both ways, with different bytes, and nothing else comes.
        """
        for number, size in enumerate(SIZES):
            flow.forth(numbered(number, size))
            flow.back(numbered(number + 100, size))

    def test_allSizesPassOverTls(self) -> None:
        target = self.udpEnd()
        self.assertAllSizesPass(self.flow(self.pair(target.address, self.newPki()), target))

    def test_allSizesPassOverPlainTcp(self) -> None:
        target = self.udpEnd()
        self.assertAllSizesPass(self.flow(self.pair(target.address), target))

    def test_allSizesPassOverIpv6(self) -> None:
        """
        Application, server and target have IPv6 addresses, and the certificate is
        for one.
        """
        target = self.udpEnd(LOOPBACK6)
        pair = self.pair(target.address, self.newPki(), hosts=(LOOPBACK6, LOOPBACK6))
        self.assertAllSizesPass(self.flow(pair, target))

    def test_ipv4AndIpv6MayBeMixed(self) -> None:
        """
        Each of the three ways has its own kind of address, in every mixture of two
        neighbours.
        """
        for hosts, targetHost in (((LOOPBACK, LOOPBACK6), LOOPBACK6), ((LOOPBACK6, LOOPBACK), LOOPBACK)):
            target = self.udpEnd(targetHost)
            flow = self.flow(self.pair(target.address, hosts=hosts), target)
            flow.both(numbered(1, 1400))
            flow.both(b"")

    def test_serverAndTargetMayBeNamed(self) -> None:
        """
        C{localhost} as the server, whose certificate is for that name, and as the
        target.
        """
        found = socket.getaddrinfo("localhost", 0, type=socket.SOCK_DGRAM)
        target = self.udpEnd(str(found[0][4][0]))
        port = freePort(socket.SOCK_STREAM)
        pair = self.pair(("localhost", target.address[1]), self.newPki(), dial=("localhost", port), serverPort=port)
        flow = self.flow(pair, target)
        for number in range(20):
            flow.both(numbered(number, 1400))

    def test_sourcesAreKeptApart(self) -> None:
        """
        Several applications send at once; the target sees as many sources, and each
        application gets the answers to its own datagrams only.
        """
        target = self.udpEnd()
        pair = self.pair(target.address, self.newPki())
        applications = [self.udpEnd() for _ in range(6)]
        turns = 25
        for turn in range(turns):
            for number, application in enumerate(applications):
                application.send(b"%d of %d" % (turn, number), pair.clientAddress)
        owners: dict[Address, set[bytes]] = {}
        for _ in range(turns * len(applications)):
            came = target.receive(HANG_SECONDS)
            assert came is not None, "some have not come"
            owners.setdefault(came[1], set()).add(came[0].rpartition(b" ")[2])
            target.send(b"answer to " + came[0], came[1])
        self.assertEqual(sorted(owners.values(), key=sorted), [{b"%d" % number} for number in range(6)])
        for number, application in enumerate(applications):
            came6 = [application.receive(HANG_SECONDS) for _ in range(turns)]
            expected = {b"answer to %d of %d" % (turn, number) for turn in range(turns)}
            self.assertEqual({one[0] for one in came6 if one is not None}, expected)
            self.assertIsNone(application.receive(0.01))

    def test_strangersDatagramsAreDropped(self) -> None:
        """
        What reaches a session's socket from elsewhere than the target, be it from
        the target's own host, does not reach the application.  It is counted until the target
        has answered, and then does not reach us at all.
        """
        target = self.udpEnd()
        pair = self.pair(target.address)
        flow = self.flow(pair, target)
        flow.forth(b"hello")
        stranger = self.udpEnd()
        for answer in (b"from the target", b"again"):
            for _ in range(10):
                stranger.send(b"I am the target", (LOOPBACK, flow.source[1]))
            flow.back(answer)
            flow.forth(answer)
        self.assertIsNone(flow.application.receive(0.1))
        self.assertStops(pair.server)
        self.assertEqual(len(said(pair.server, "dropped: 10 reached a session's socket from elsewhere")), 1)


class NewFlowTests(RigTestCase):
    """
    The beginning of a flow, of a pool, and of a session.
    """

    def test_firstDatagramsWaitForTheServer(self) -> None:
        """
        The application begins a second before the server can be reached (how long that
        takes to start, on a slow machine, is no matter here); its datagrams arrive, all of
        them and in their order.  None may wait for long, so a machine on which all of that
        takes longer is asked again.
        """
        target = self.udpEnd()
        pki = self.newPki()
        words = ["-c", pki.serverCertificate, "-k", pki.serverKey, "-C", pki.caCertificate]
        server = self.listening(self.startServer(target.address, *words))
        sent = [numbered(number, 1200) for number in range(20)]
        for _ in range(TRIES):
            port = freePort(socket.SOCK_STREAM)
            words = ["-c", pki.clientCertificate, "-k", pki.clientKey, "-C", pki.caCertificate]
            client = self.startClient((LOOPBACK, port), *words)
            address = self.listening(client)
            application = self.udpEnd()
            began = time.monotonic()
            for datagram in sent:
                application.send(datagram, address)
            client.waitForLine("connection refused")
            until(lambda began=began: time.monotonic() - began >= 1, "a second has passed")  # type: ignore[misc]
            self.relay(server, port=port)
            came = target.drain(2 * MAX_AGE_SECONDS - (time.monotonic() - began))
            if came == sent:
                return
            self.assertLess(len(came), len(sent), "others have come, or in another order")
            self.assertEqual(came, [each for each in sent if each in came])
        self.fail(f"some never came, in {TRIES} tries")

    def test_poolIsOpenedByWhatTheSourceSendsAfterAnAnswer(self) -> None:
        """
        Before, and when the target answers, a source has one tunnel, since its address may
        be forged; with what it sends after that it has two, so that one that dies can be left at
        once.  Only when it sends much it has as many as C{--pool-size} says, and no more.  All show
        the same id.
        """
        server = RawServer()
        self.addCleanup(server.close)
        client = self.startClient(server.address, *PLAIN, "-n", "5")
        address = self.listening(client)
        application = self.udpEnd()
        application.send(b"hello", address)
        first, sessionId = server.mustAccept()
        self.assertEqual(first.receive(), b"hello")
        application.send(b"anybody there?", address)
        self.assertEqual(first.receive(), b"anybody there?")
        first.send(b"yes")
        self.assertEqual(application.expect(b"yes"), address)
        self.assertIsNone(server.accept(0.3), "one tunnel until the source shows that it got the answer")
        for _ in range(PROOF_DATAGRAMS):
            application.send(bytes(PROOF_BYTES), address)
        self.assertEqual(server.mustAccept()[1], sessionId)
        self.assertIsNone(server.accept(0.3), "two tunnels while it sends little")
        for _ in range(3):
            application.send(bytes(MUCH_BYTES), address)
        self.assertEqual([server.mustAccept()[1] for _ in range(3)], [sessionId] * 3)
        self.assertIsNone(server.accept(0.3), "a pool of 5 has 5 tunnels")
        self.assertEqual((sessionId[6] >> 4, sessionId[8] >> 6), (4, 2), "a UUID of version 4")

    def test_allTunnelsAreOpenWhereTheUserWantsThem(self) -> None:
        """
        With C{--min-pool} as soon as the source is worth them.
        """
        target = self.udpEnd()
        port = freePort(socket.SOCK_STREAM)
        relay = self.relay((LOOPBACK, port))
        options = ("-n", "5", "--min-pool", "4")
        pair = self.pair(target.address, client=options, dial=relay.address, serverPort=port)
        flow = self.flow(pair, target)
        flow.both(b"a question costs one connection")
        self.assertEqual(len(relay.connections), 1)
        flow.openPool()
        until(lambda: len(relay.connections) == 4, "four are open")

    def test_nothingIsOpenedBeforeTheId(self) -> None:
        """
        A connection that has shown 15 of the 16 bytes has no UDP socket and no
        session; the last byte brings both.
        """
        requireProcfs()
        target = self.udpEnd()
        server = self.startServer(target.address, *PLAIN)
        tunnel = rawClient(self.listening(server), ONE_ID[:-1])
        self.addCleanup(tunnel.close)
        other = self.rawSession(self.listening(server), OTHER_ID)
        other.send(b"by now the server has read the first connection too")
        target.receive(HANG_SECONDS)
        self.assertEqual(len(udpPorts(server.process.pid)), 1, "the other session's")
        self.assertEqual(said(server, ONE_ID[:4].hex()), [])
        tunnel.socket.sendall(ONE_ID[-1:])
        tunnel.send(b"hello")
        source = target.expect(b"hello")
        self.assertIn(source[1], udpPorts(server.process.pid))
        server.waitForLine(f"session {ONE_ID[:4].hex()} opened")
        self.assertEqual(said(server, ONE_ID.hex()), [], "a whole id is a secret")

    def rawSession(self, server: Address, sessionId: bytes) -> RawTunnel:
        """
        Connect to a plain server and show an id.
        """
        tunnel = rawClient(server, sessionId)
        self.addCleanup(tunnel.close)
        return tunnel


class ReturnTests(RigTestCase):
    """
    What comes back, and how soon, after something has gone.
    """

    def test_targetMayComeLaterAndGo(self) -> None:
        """
        While nobody has the target's port the system answers with ICMP errors; they
        cost nothing, and the flow is there soon after the target has come, from the same port as
        before, again and again.
        """
        port = freePort(socket.SOCK_DGRAM)
        pair = self.pair((LOOPBACK, port), self.newPki())
        application = self.udpEnd()
        sources = set()
        for _ in range(3):
            for _ in range(20):
                application.send(AGAIN + b"nobody", pair.clientAddress)
                time.sleep(AGAIN_SECONDS / 5)
            target = UdpEnd(LOOPBACK, port)
            try:
                flow = Flow(application, pair.clientAddress, target)
                flow.resume()
                sources.add(flow.source)
            finally:
                target.close()
        self.assertEqual(len(sources), 1)
        self.assertEqual(len(said(pair.server, "opened")), 1)
        self.assertEqual(warned(pair.client), [])

    def test_applicationMayGoAndComeBack(self) -> None:
        """
        The target sends to an application whose port is closed; when it is open
        again the answers arrive, and other applications have noticed nothing.
        """
        target = self.udpEnd()
        pair = self.pair(target.address)
        other = self.flow(pair, target)
        application = UdpEnd()
        flow = Flow(application, pair.clientAddress, target)
        flow.both(b"hello")
        application.close()
        for _ in range(20):
            target.send(AGAIN + b"nobody", flow.source)
        other.both(b"other")
        flow.application = self.udpEnd(LOOPBACK, application.address[1])
        flow.back(b"welcome back")
        other.both(b"other")

    def test_serverThatWasKilledComesBack(self) -> None:
        """
        After C{kill -9} and a new start at the same port, the flow resumes.
        """
        target = self.udpEnd()
        pki = self.newPki()
        pair = self.pair(target.address, pki)
        flow = self.flow(pair, target)
        flow.both(b"before")
        pair.server.kill()
        words = ["-c", pki.serverCertificate, "-k", pki.serverKey, "-C", pki.caCertificate]
        self.listening(self.startServer(target.address, *words, listen=pair.serverAddress))
        flow.resume()

    def test_clientThatWasKilledComesBack(self) -> None:
        """
        After C{kill -9} and a new start at the same port, the flow resumes; the
        target sees another source, since the client does not remember its id.
        """
        target = self.udpEnd()
        pair = self.pair(target.address)
        flow = self.flow(pair, target)
        flow.both(b"before")
        before = flow.source
        pair.client.kill()
        self.listening(self.startClient(pair.serverAddress, *PLAIN, listen=pair.clientAddress))
        flow.resume()
        self.assertNotEqual(flow.source, before)

    def killedAndItsId(self, *server: str) -> tuple[Pair, Flow, bytes]:
        """
        Have a session whose client is killed, so that all its tunnels are cut.

        @param server: options of the server.
        @return: the pair, the flow as it was, and the session's id.
        """
        target = self.udpEnd()
        port = freePort(socket.SOCK_STREAM)
        relay = self.relay((LOOPBACK, port))
        options = ("-n", "3", "--min-pool", "3")
        pair = self.pair(target.address, server=server, client=options, dial=relay.address, serverPort=port)
        flow = self.flow(pair, target)
        flow.openPool()
        until(lambda: len(relay.connections) == 3, "the pool is open")
        pair.client.kill()
        pair.server.waitForLine("has no tunnel left and is kept for")
        return pair, flow, relay.connections[0].head

    def test_sessionThatLostItsTunnelsKeepsItsPort(self) -> None:
        """
        Within C{--linger} whoever shows the same id is the same source for the
        target, and gets what the target sends there.
        """
        pair, flow, sessionId = self.killedAndItsId()
        self.assertIsNone(flow.target.receive(0.5), "it takes a moment to come back")
        tunnel = rawClient(pair.serverAddress, sessionId)
        self.addCleanup(tunnel.close)
        pair.server.waitForLine("has tunnels again")
        tunnel.send(b"after")
        self.assertEqual(flow.target.expect(b"after"), flow.source)
        flow.target.send(b"answer", flow.source)
        self.assertEqual(tunnel.receive(), b"answer")

    def test_sessionIsForgottenAfterItsTime(self) -> None:
        """
        With C{--linger 1} it has ended a second after its last tunnel, its socket is
        closed, and whoever shows the id then is another source.
        """
        requireProcfs()
        pair, flow, sessionId = self.killedAndItsId("--linger", "1")
        pair.server.waitForLine("ended: its tunnels did not come back")
        until(lambda: not udpPorts(pair.server.process.pid), "its socket is closed")
        tunnel = rawClient(pair.serverAddress, sessionId)
        self.addCleanup(tunnel.close)
        tunnel.send(b"after")
        self.assertNotEqual(flow.target.expect(b"after"), flow.source)

    def test_idleSessionEndsAndTheNextDatagramOpensANewOne(self) -> None:
        """
        With C{--expire 1} the tunnels of a source that is silent for a second are
        closed; when it speaks again it has new ones, and nothing is lost.
        """
        target = self.target()
        pair = self.pair(target.address, client=("-e", "1", "-n", "3"))
        application = self.correspondent(pair.clientAddress)
        application.exchange(b"before")  # again and again, since a machine may stand still for a second
        began = time.monotonic() - ANSWER_SECONDS
        before = set(target.sources)
        pair.client.waitForLine("ended: idle")
        self.assertGreater(time.monotonic() - began, 0.9)
        pair.server.waitForLine("has no tunnel left")
        application.exchange(b"after")
        self.assertTrue(target.sources - before)
        self.assertStops(pair.client)
        self.assertEqual(said(pair.client, "dropped"), [])

    def test_sessionInUseDoesNotExpire(self) -> None:
        """
        With C{--expire 1.5}, a datagram every quarter of a second from the target
        alone keeps the session.  Where a machine stands still for longer, it is begun anew.
        """
        target = self.udpEnd()
        pair = self.pair(target.address, client=("-e", f"{EXPIRE_SECONDS}"))
        flow = self.flow(pair, target)
        until(lambda: self.isKept(flow, pair.client), "it is in use for long enough")

    def isKept(self, flow: Flow, client: Program) -> bool:
        """
        Use a session from the target alone, for longer than it may be idle.

        @return: whether that could be done: two datagrams were never so far apart that it may have been idle.
        """
        flow.resume()
        flow.application.drain(AGAIN_SECONDS)
        ended = len(said(client, "ended"))
        began = before = time.monotonic()
        number = 0
        while time.monotonic() - began < 1.5 * EXPIRE_SECONDS:
            number += 1
            sent = time.monotonic()
            flow.target.send(b"%d" % number, flow.source)
            came = flow.application.receive(EXPIRE_SECONDS)
            if came is None or time.monotonic() - before > EXPIRE_SECONDS:
                return False
            self.assertEqual(came[0], b"%d" % number)
            before = sent
            time.sleep(EXPIRE_SECONDS / 6)
        self.assertEqual(len(said(client, "ended")), ended)
        return True

    def test_nothingIsLeftOfThirtySessions(self) -> None:
        """
        When thirty applications have come and gone, both programs have as many files
        and sockets open as at the start.
        """
        requireProcfs()
        target = self.target()
        pki = self.newPki()
        pair = self.pair(target.address, pki, server=("--linger", "1"), client=("-e", "3", "-n", "3"))
        programs: tuple[Program, ...] = (pair.server, pair.client)
        for program in programs:
            program.process.send_signal(signal.SIGHUP)
            program.waitForLine(r"\breloaded")  # so its start is complete
        before = [descriptors(program.process.pid) for program in programs]
        applications = [self.correspondent(pair.clientAddress) for _ in range(30)]

        def areAllThere() -> bool:  # on a slow machine the first may be idle before the last is answered
            for number, application in enumerate(applications):
                application.send(b"I am %d" % number)
            for number, application in enumerate(applications):
                application.exchange(b"I am %d" % number)
            during = [descriptors(program.process.pid) for program in programs]
            return all(many >= few + 30 for few, many in zip(before, during, strict=True))

        until(areAllThere, "all have sessions at once")
        until(lambda: [descriptors(program.process.pid) for program in programs] == before, "all are closed")
        self.correspondent(pair.clientAddress).exchange(b"the next")
