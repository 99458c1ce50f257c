"""
Sessions of a server with two workers, from their first connection to the last statistics, in memory.
"""

from __future__ import annotations

from tests.doubles.serverworkers import PING, WorkersTestCase, newId
from uotp.telemetry.drops import Drop


class SessionStories(WorkersTestCase):
    """
    Sessions whose connections come to either worker.
    """

    def test_aSessionIsOneWhereverItsTunnelsComeIn(self) -> None:
        """
        Its second tunnel comes to the other worker, and is handed to the first.
        """
        self.start()
        sessionId = newId()
        first = self.dial(1, sessionId)
        second = self.dial(2, sessionId, "192.0.2.2")
        self.assertEqual((self.sessions(), self.table()), ([1, 0], (1, 2)))
        self.assertEqual(self.target.datagrams(), [b"ping"] * 2)
        self.assertEqual(len(self.sources()), 1)
        first.socket.close()
        self.settle()
        self.answer(b"pong")
        self.assertEqual(second.hear(), b"\0\4pong")
        self.assertEqual(self.table(), (1, 1))

    def test_twoTunnelsOfANewSessionAtTheSameMoment(self) -> None:
        """
        Both workers ask before either is answered: whoever asked first has it.
        """
        self.start()
        sessionId = newId()
        clients = [self.hello(2, sessionId), self.hello(1, sessionId, "192.0.2.2")]
        self.settle()
        for client in clients:
            client.say(PING)
        self.settle()
        self.assertEqual((sum(self.sessions()), self.table()), (1, (1, 2)))
        self.assertEqual((self.target.datagrams(), len(self.sources())), ([b"ping"] * 2, 1))

    def test_aSessionThatEndsWhileAConnectionIsOnItsWay(self) -> None:
        """
        The connection begins it anew where it arrives.
        """
        self.start()
        sessionId = newId()
        first = self.dial(1, sessionId)
        second = self.hello(2, sessionId, "192.0.2.2")
        self.launcher._reactor.turn()
        served = self.worker(1).service.registry._served[sessionId]
        self.worker(1).service.registry.peerLeft(served)
        second.say(PING)
        self.settle()
        self.assertTrue(first.isClosed)
        self.assertFalse(second.isClosed)
        self.assertEqual((sum(self.sessions()), self.table()), (1, (1, 1)))
        self.answer(b"pong")
        self.assertEqual(second.hear(), b"\0\4pong")

    def test_aWorkerThatDiesTakesOnlyItsOwn(self) -> None:
        """
        The other goes on, also with what it accepts for sessions of the one that died.
        """
        self.start()
        one, two = newId(), newId()
        clients = [self.dial(1, one), self.dial(2, two, "192.0.2.2")]
        self.worker(1).die()
        self.settle()
        self.assertEqual([client.isClosed for client in clients], [True, False])
        self.assertEqual(self.table(), (1, 1))
        again = self.dial(2, one)
        self.assertEqual((sum(self.sessions()), again.isClosed), (2, False))
        self.assertEqual(self.table(), (2, 2))

    def test_aWorkerThatDiesWhileAConnectionIsOnItsWay(self) -> None:
        """
        The connection begins the session anew at the next one, or is closed: its client dials again.
        """
        self.start()
        sessionId = newId()
        self.dial(1, sessionId)
        dead = self.worker(1)
        dead.isStopped = True
        client = self.dial(2, sessionId, "192.0.2.2")
        self.assertEqual(self.table(), (1, 1))
        dead.die()
        self.settle()
        self.assertTrue(client.isClosed)
        self.assertEqual(self.table(), (0, 0))
        self.assertEqual(self.sessions(), [0, 0])

    def test_whoeverAsksAndDiesLeavesNothing(self) -> None:
        """
        Its question has come, the answer goes nowhere.
        """
        self.start()
        self.hello(1, newId())
        self.worker(1)._workers.turn()
        self.worker(1).die()
        self.settle()
        self.assertEqual(self.table(), (0, 0))

    def test_limitsHoldOverBoth(self) -> None:
        """
        An owner has its share of all sessions, wherever they are, and gives up the least used.
        """
        self.start(maxSessions=4, ownerShare=50)
        ids = [newId() for _ in range(3)]
        clients = [self.dial(number, each) for number, each in zip((1, 2, 2), ids, strict=True)]
        self.advance(6.0)
        self.assertEqual([client.isClosed for client in clients], [True, False, False])
        self.assertEqual((sum(self.sessions()), self.table()), (2, (2, 2)))
        self.assertEqual(self.parent.tableStatistics().endedForShare, 1)
        self.assertEqual(self.parent.statistics().registry.endedForShare, 1)

    def test_connectionsOfAnOwnerCountOverBoth(self) -> None:
        """
        One client cannot have all.
        """
        self.start(maxConnections=64, ownerShare=5)
        sessionId = newId()
        clients = [self.dial(1 + number % 2, sessionId) for number in range(4)]
        self.assertEqual([client.isClosed for client in clients], [False, False, False, True])
        clients[0].socket.close()
        self.settle()
        self.assertFalse(self.dial(2, sessionId).isClosed)
        self.assertEqual(self.table(), (1, 3))

    def test_statisticsAndDropsAreSummedOverARestart(self) -> None:
        """
        What was counted stays counted; what there is now is gone with its worker.
        """
        self.start()
        self.dial(1, newId())
        self.dial(2, newId(), "192.0.2.2")
        for number in (1, 2):
            self.worker(number).service.drops.count(Drop.BACKLOG_FULL, 3)
        self.advance(3.0)
        before = self.parent.statistics()
        self.assertEqual((before.registry.sessions, before.registry.bytesIn), (2, 8))
        self.assertEqual((self.parent.drops.totals[Drop.BACKLOG_FULL], before.drops), (6, {"BACKLOG_FULL": 6}))
        self.worker(1).die()
        self.advance(3.0)
        self.worker(1).service.drops.count(Drop.BACKLOG_FULL, 1)
        self.advance(3.0)
        after = self.parent.statistics()
        self.assertEqual((after.registry.sessions, after.registry.bytesIn), (1, 8))
        self.assertEqual((self.parent.drops.totals[Drop.BACKLOG_FULL], after.drops), (7, {"BACKLOG_FULL": 7}))

    def test_theLastStatisticsOfAWorkerThatStopsAreKnown(self) -> None:
        """
        It tells them when its last session has ended, and what was dropped until then is in the log.
        """
        self.start()
        self.dial(1, newId())
        self.worker(1).service.drops.count(Drop.BACKLOG_FULL, 5)
        self.stopAll()
        self.assertEqual(self.parent.statistics().registry.bytesIn, 4)
        self.assertEqual([each.statuses for each in self.launcher.processes], [[0], [0]])
        self.assertIn("datagrams dropped: 5 waited with too many others", self.lines())

    def test_theMemoryGoesWhereItIsUsed(self) -> None:
        """
        Half of it to each at first.
        """
        total = 64 << 20
        self.start(memory=total)
        memories = [self.worker(number).service.turns.memory for number in (1, 2)]
        self.assertEqual([each.bytes for each in memories], [total // 2] * 2)
        memories[0].used = 24 << 20
        self.advance(2.0)
        self.assertGreater(memories[0].bytes, total // 2)
        self.assertEqual(sum(each.bytes for each in memories) <= total, True)
        memories[0].used = 0
        self.advance(2.0)
        self.assertEqual([each.bytes for each in memories], [total // 2] * 2)
