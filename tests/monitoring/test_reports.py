"""
What both ends tell of themselves, with every socket in memory.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import fail

from tests.doubles.udp import Receiver
from tests.test_services import CLIENT_PORT, PING, SOURCE, TARGET, _ServicesTestCase
from uotp import __version__
from uotp.errors import ConfigurationError
from uotp.monitoring.cached import REPORT_SECONDS
from uotp.monitoring.report import Report, Reporter, Traffic
from uotp.telemetry.drops import Drop
from uotp.train import Train


class ReportTests(_ServicesTestCase):
    """
    A source, a client, a server and a target, and somebody who looks at both ends.
    """

    def setUp(self) -> None:
        super().setUp()
        self.source, self.target = Receiver(), Receiver()
        self.sourcePort = self.network.open(SOURCE, self.source)
        self.targetPort = self.network.open(TARGET, self.target)

    def start(self, **choices: Any) -> None:
        serverTls, clientTls = self.certificates()
        self.theServer = self.server(serverTls, start=False)
        self.theClient = self.client(clientTls, start=False, **choices)
        self.ofServer: Reporter = self.theServer.reporter()
        self.ofClient: Reporter = self.theClient.reporter()
        self.theServer.startService()
        self.theClient.startService()

    def report(self, reporter: Reporter) -> Report:
        """
        @return: a new one.
        """
        self.reactor.advance(REPORT_SECONDS)
        self.flush()
        done = reporter.report()
        while not done.called:
            self.reactor.advance(0)
        return self.successResultOf(done)

    def exchange(self) -> None:
        self.sourcePort.sendTrains([Train(4, b"ping" * 3)], CLIENT_PORT)
        self.flush()
        self.targetPort.sendTrains([Train(6, b"pong! ")], self.target.trains[-1][1])
        self.flush()

    def test_bothTellOfTheSameSession(self) -> None:
        self.start()
        self.exchange()
        self.exchange()
        client, server = self.report(self.ofClient), self.report(self.ofServer)
        self.assertEqual(
            (client.end, client.remote, client.listening[0]), ("client", "good.test:8443", "127.0.0.1:8911")
        )
        self.assertEqual(
            (server.end, server.remote, server.listening), ("server", "127.0.0.1:51820", ("0.0.0.0:8443",))
        )
        (ofClient,), (ofServer,) = client.sessions, server.sessions
        self.assertEqual(ofClient.name, ofServer.name)
        self.assertEqual(ofClient.peer, "127.0.0.1:40000")
        forth, back = Traffic(2, 6, 24), Traffic(2, 2, 12)
        for one in (client, ofClient):
            self.assertEqual((one.out, one.back), (forth, back))
        for one in (server, ofServer):
            self.assertEqual((one.out, one.back), (back, forth))
        for report in (client, server):
            self.assertEqual((report.version, report.isReady, report.trouble), (__version__, True, ""))
            (session,) = report.sessions
            (tunnel,) = session.tunnels
            self.assertEqual((report.sessionsOpen, report.sessionsOpened, report.tunnelsReady), (1, 1, 1))
            self.assertEqual((session.tunnelsReady, session.tunnelsWanted, tunnel.wireFormat), (1, 1, 2))
            self.assertGreater(tunnel.bytesOut, 24)
            self.assertGreater(tunnel.bytesIn, 24)
            self.assertGreater(session.seconds, 0)
        self.assertIn("leaf", ofServer.client)
        self.assertEqual([each.kind for each in server.certificates], ["own", "ca"])
        self.assertGreater(min(each.expires for each in client.certificates), 1.7e9)

    def test_whatHasEndedStaysCounted(self) -> None:
        self.start(expire=3)
        self.exchange()
        before = self.report(self.ofServer)
        self.pass_(8)
        client, server = self.report(self.ofClient), self.report(self.ofServer)
        self.assertEqual((client.sessions, server.sessions), ((), ()))
        self.assertEqual((client.sessionsOpen, client.sessionsOpened), (0, 1))
        self.assertEqual((client.out, server.back), (Traffic(1, 3, 12), Traffic(1, 3, 12)))
        self.assertEqual(server.out, before.out)

    def test_reportIsGivenAgainForAMoment(self) -> None:
        self.start()
        first = self.report(self.ofClient)
        self.assertIs(self.successResultOf(self.ofClient.report()), first)
        self.assertIsNot(self.report(self.ofClient), first)

    def test_operatorEndsSessions(self) -> None:
        """
        By the beginning of the id, or by the name of the client.
        """
        self.start()
        for reporter in (self.ofServer, self.ofClient):
            self.exchange()
            (session,) = self.report(reporter).sessions
            self.assertEqual(self.successResultOf(reporter.disconnect("nobody")), 0)
            self.assertEqual(self.successResultOf(reporter.disconnect("")), 0)
            words = session.client.partition(",")[0] or session.name[:4]
            self.assertEqual(self.successResultOf(reporter.disconnect(words)), 1)
            self.assertTrue(
                any(f"session {session.name}" in line and "an operator has ended it" in line for line in self.lines())
            )
            self.pass_(3)
            self.events.clear()  # type: ignore[attr-defined]

    def test_whatASessionDropsIsToldOfIt(self) -> None:
        self.start()
        self.exchange()
        self.theClient.sessions.all()[0][1].session.outbound.finish()
        entry = self.theClient.sessions.all()[0][1]
        entry.session._drops.count(Drop.BACKLOG_FULL, 3)
        self.theClient.drops.count(Drop.TOO_LONG)
        report = self.report(self.ofClient)
        self.assertEqual(report.sessions[0].drops, {"backlog_full": 3})
        expected = {drop.name.lower(): 0 for drop in Drop} | {"backlog_full": 3, "too_long": 1}
        self.assertEqual(report.drops, expected)

    def test_reloadSaysWhetherItWorked(self) -> None:
        self.start()
        self.assertIsNone(self.successResultOf(self.ofServer.reload()))

        self.theServer.reload = lambda: fail(ConfigurationError("a bad file"))  # type: ignore[method-assign]
        self.failureResultOf(self.ofServer.reload(), ConfigurationError)

    def test_clientSaysWhyItCannotWork(self) -> None:
        self.start()
        self.sourcePort.sendTrains([PING], CLIENT_PORT)
        self.assertTrue(self.report(self.ofClient).isReady)
        self.theClient._ways[0].reachability.tunnelDown()
        self.addCleanup(self.theClient._ways[0].reachability.tunnelUp)
        for _ in range(3):
            self.theClient._ways[0].reachability.tunnelFailed("nobody is there")
        report = self.report(self.ofClient)
        self.assertEqual((report.isReady, report.trouble), (False, "no tunnel can be opened: nobody is there"))

    def test_whoAccompaniesAServiceEndsBehindIt(self) -> None:
        """
        So it can be seen that the server stops, while what is under way arrives.
        """
        self.start()
        self.exchange()
        seen: list[tuple[str, bool]] = []

        class Looker:
            """
            Looks when it is told to end.
            """

            def open(self) -> None:
                seen.append(("open", self.isThere()))

            def privilegedStartService(self) -> None:
                seen.append(("bind", self.isThere()))

            def startService(self) -> None:
                seen.append(("start", self.isThere()))

            def stopService(self) -> None:
                seen.append(("stop", self.isThere()))
                raise ZeroDivisionError

            isThere = staticmethod(lambda: len(self.theServer.registry) > 0)

        self.theServer.accompany(Looker())
        stopped = self.theServer.stopService()
        self.assertEqual(seen, [])
        trouble = self.theServer.trouble
        self.flush()
        self.pass_(2)
        self.successResultOf(stopped)
        self.assertEqual(seen, [("stop", False)])
        self.assertIn("stops", trouble)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_stoppingServerSaysSo(self) -> None:
        self.start()
        self.theServer.running = False
        report = self.report(self.ofServer)
        self.assertFalse(report.isReady)
        self.assertIn("stops", report.trouble)
        self.theServer.running = True
