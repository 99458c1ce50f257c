"""
How tunnels are replaced and sessions outlive them, with format 2: under a steady load,
of which nothing is lost and nothing comes out of order.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from bench.rig.programs import until
from tests.integration import patient
from tests.integration.loads import IN_ORDER, Load, LoadTestCase, settle, waitForAll
from tests.integration.rawformat2 import TRAIN, RawFrame, serverHello, takeRaw2
from tests.integration.rawpeers import RawServer
from tests.integration.relay import Relay
from tests.integration.rig import PLAIN, said, serverWords, warned

TUNNELS = 4

OPEN_AT_ONCE = 4 * TUNNELS
"""
The pool, those that take the place of others, and those that are being closed, which on a busy machine takes longer
than some of them live.
"""

BREAK_RATE = 60
"""
Datagrams a second of the loads whose tunnels break: so few that the kernel is never asked
what it knows to have arrived at the relay, and not at the other end.
"""

SWALLOWED_SECONDS = 0.1
"""For so long what is sent into a tunnel is gone already, before it breaks: six datagrams."""

BREAKS = 6
"""How many tunnels break, one after another."""

ALIVE = 300
"""Datagrams of a load that show that it flows."""


class ReplacementTests(LoadTestCase):
    """
    Tunnels that may not become older, or carry more.
    """

    module = patient.__name__

    def assertReplaced(self, isEnough: Callable[[Relay], bool], *options: str) -> None:
        """
        Tunnels of a pool are replaced, one after another, while datagrams flow both
        ways; all arrive, in order.

        @param isEnough: whether enough of those that a relay has seen have gone.
        """
        pki = self.newPki()
        words = [*options, *IN_ORDER]
        relay, pair, flow = self.relayed(TUNNELS, pki, server=["--crl", pki.revocationList], client=words)
        loads = [self.forth(flow, whole=True), self.back(flow, whole=True)]
        for load in loads:
            load.start()
        most = 0

        def looked() -> bool:
            nonlocal most
            most = max(most, sum(not one.isLeft for one in relay.connections))
            return isEnough(relay)

        until(looked, "tunnels have been replaced")
        for load in loads:
            load.stop()
        self.assertWhole(*loads)
        self.assertLessEqual(most, OPEN_AT_ONCE)
        until(lambda: sum(not one.isLeft for one in relay.connections) <= TUNNELS + 1, "all others have been closed")
        self.assertEqual(loads[0].sources, {flow.source})
        self.assertEqual(warned(pair.client), [])
        self.assertEqual(warned(pair.server), [])

    def test_oldTunnelsAreReplaced(self) -> None:
        """
        With C{--max-age 2} each of them, and those that took their place.
        """
        self.assertReplaced(lambda relay: all(one.isLeft for one in relay.connections[: TUNNELS + 1]), "--max-age", "2")

    def test_tunnelsThatHaveCarriedMuchAreReplaced(self) -> None:
        """
        With C{--max-bytes 100K}, both ways together; not those that carry nothing, since
        they seem to be slow.
        """
        self.assertReplaced(lambda relay: sum(one.isLeft for one in relay.connections) > TUNNELS, "--max-bytes", "100K")


class BreakTests(LoadTestCase):
    """
    A tunnel breaks, with what was on its way in it.
    """

    def test_whatABrokenTunnelHeldComesThroughAnother(self) -> None:
        """
        Again and again, whichever tunnel it is, and whether the datagrams had arrived or
        not: each comes once, and those of each direction in order.
        """
        relay, _, flow = self.relayed(TUNNELS, self.newPki(), client=IN_ORDER)
        loads = [self.forth(flow, BREAK_RATE), self.back(flow, BREAK_RATE)]
        for load in loads:
            load.start()
        for _ in range(BREAKS):
            waitForAll(loads, BREAK_RATE // 4)
            alive = [one for one in relay.connections if not one.isLeft]
            before = [one.carried + one.brought for one in alive]
            loads[0].waitFor(BREAK_RATE // 10)
            grown = [one.carried + one.brought - bytes_ for one, bytes_ in zip(alive, before, strict=True)]
            breaks = alive[grown.index(max(grown))]
            breaks.swallow()
            time.sleep(SWALLOWED_SECONDS)
            breaks.cut()
        waitForAll(loads, BREAK_RATE // 4)
        for load in loads:
            load.stop()
        self.assertWhole(*loads)


class ResumeTests(LoadTestCase):
    """
    Sessions whose tunnels all drop.
    """

    def cutAll(self, relay: Relay) -> None:
        """
        Cut every connection that there is.
        """
        for connection in list(relay.connections):
            connection.cut()

    def begin(self, loads: list[Load]) -> None:
        """
        Let them flow.
        """
        for load in loads:
            load.start()
        waitForAll(loads, ALIVE)

    def finish(self, loads: list[Load]) -> None:
        """
        They flow again; what is sent from then on arrives whole, and nothing has come
        out of order.
        """
        waitForAll(loads, ALIVE)
        begun = [load.sent for load in loads]
        for load in loads:
            load.restrain()
        waitForAll(loads, ALIVE)
        for load in loads:
            load.stop()
        settle(*loads)
        for load, number in zip(loads, begun, strict=True):
            self.assertLess(max(load.missing(), default=0), number)
            self.assertEqual(load.disorder(), [])

    def test_sessionResumesAfterAllItsTunnelsWereCut(self) -> None:
        """
        Twice, under load: the target sees the port that it has seen before, and neither
        end begins to count anew.
        """
        relay, pair, flow = self.relayed(TUNNELS, self.newPki(), client=IN_ORDER)
        loads = [self.forth(flow), self.back(flow)]
        self.begin(loads)
        self.cutAll(relay)
        waitForAll(loads, ALIVE)
        self.cutAll(relay)
        self.finish(loads)
        self.assertEqual(loads[0].sources, {flow.source})
        pair.server.waitForLine("has tunnels again")
        self.assertEqual(len(said(pair.server, "opened from")), 1)
        self.assertEqual(said(pair.client, "begun it anew"), [])

    def test_serverThatWasKilledComesBack(self) -> None:
        """
        Under load, after C{kill -9} and a new start.  It does not know the session, and
        counts anew; the client notices, so that what comes back is not held, and in
        order.
        """
        pki = self.newPki()
        _, pair, flow = self.relayed(TUNNELS, pki, client=IN_ORDER)
        forth, back = self.forth(flow), self.back(flow)
        self.begin([forth, back])
        pair.server.kill()
        back.close()
        self.listening(self.startServer(flow.target.address, *serverWords(pki), listen=pair.serverAddress))
        self.finish([forth])
        pair.client.waitForLine("did not know session [0-9a-f]+ any more, and has begun it anew")
        (flow.source,) = forth.sources - {flow.source}
        flow.application.drain(0)
        back = self.back(flow)
        self.begin([back])
        back.stop()
        self.assertWhole(back)


class NumberingTests(LoadTestCase):
    """
    By hand: a server that welcomes a client, and drops its tunnels.
    """

    def test_numberingGoesOnWithTheNextTunnel(self) -> None:
        """
        Where the last one stopped; another source is another session, and begins with 0.
        """
        server = RawServer()
        self.addCleanup(server.close)
        client = self.startClient(server.address, *PLAIN, "--wire", "2", "-n", "1", "-B", "0.1")
        address = self.listening(client)
        application = self.udpEnd()
        ids = set()
        for number in range(3):
            application.send(b"%d" % number, address)
            tunnel, sessionId = takeRaw2(server, serverHello())
            self.assertEqual(tunnel.expect(TRAIN), RawFrame(TRAIN, b"%d" % number, number, 1))
            ids.add(sessionId)
            tunnel.close()
            until(lambda: len(said(client, "is left")) > number, "the client has noticed")  # noqa: B023
        self.assertEqual(len(ids), 1)
        takeRaw2(server, serverHello())
        self.udpEnd().send(b"other", address)
        tunnel, sessionId = takeRaw2(server, serverHello())
        self.assertNotIn(sessionId, ids)
        self.assertEqual(tunnel.expect(TRAIN), RawFrame(TRAIN, b"other", 0, 5))
