"""
Sessions of a server with two workers, from their first connection to the last statistics, in memory.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Sequence
from typing import Any

from tests.doubles.serverworkers import PING, WorkersTestCase, newId
from uotp.server import front as serverfront
from uotp.server.workers import serverworker
from uotp.server.workers.messages import TellSessionOpened
from uotp.server.workers.serverparent import CLAIM_CHECK_SECONDS
from uotp.server.workers.sessiontable import CLAIM_SECONDS
from uotp.telemetry.drops import Drop
from uotp.workers.descriptors import Descriptors
from uotp.workers.groups import MISSING_SECONDS, ListenOn
from uotp.workers.workerstates import WorkerState

WORDS = "not all workers are ready yet"


class SessionStories(WorkersTestCase):
    """
    Sessions whose connections come to either worker.
    """

    def test_connectionsGetAQuarterOfTheDescriptors(self) -> None:
        """
        One that is relayed takes two in either of two workers.  The warning says what they get.
        """
        for module in (serverfront, serverworker):
            self.patch(module, "descriptorLimit", lambda: 1024)
        self.start()
        workers = [self.worker(number).service for number in (1, 2)]
        self.assertEqual((self.parent.mostConnections, [each.mostConnections for each in workers]), (512, [256, 256]))
        self.assertEqual([each._contact.relays._most for each in workers], [64, 64])
        (said,) = [line for line in self.lines() if line.startswith("there may be 512 connections and not 32768")]
        self.assertIn("1024 descriptors, of which they get a quarter: ", said)

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

    def test_aSessionThatHasComeToBeAtBothIsSoonAtOne(self) -> None:
        """
        It has ended to make room, has begun anew where it was, and was given to the other one before that was known.
        """
        self.start()
        sessionId = newId()
        first = self.dial(1, sessionId)
        one = self.worker(1)
        one.isStopped = True
        self.parent._table.sessionEnded(1, sessionId)
        second = self.dial(2, sessionId, "192.0.2.2")
        self.assertEqual(self.sessions(), [1, 1])
        one.isStopped = False
        self.parent.received(1, TellSessionOpened(sessionId, None, "192.0.2.1"), Descriptors())
        self.settle()
        self.assertEqual((self.sessions(), self.table()), ([0, 1], (1, 1)))
        self.assertEqual([client.isClosed for client in (first, second)], [True, False])
        self.assertFalse(self.dial(1, sessionId).isClosed)
        self.assertEqual(self.sessions(), [0, 1])

    def test_aWorkerThatDiesTakesOnlyItsOwn(self) -> None:
        """
        The other goes on, also with what it accepts for sessions of the one that died.
        """
        self.start()
        one, two = newId(), newId()
        clients = [self.dial(1, one), self.dial(2, two, "192.0.2.2")]
        self.worker(1).die()
        self.settle()
        self.assertIn("worker 1 is gone, and its sessions with it: 1; their clients begin new ones", self.lines())
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

    def test_anOwnerOfSessionsAtBothIsOne(self) -> None:
        self.start()
        for worker in (1, 2):
            self.dial(worker, newId())
        self.advance(3.0)
        self.assertEqual(self.parent.statistics().registry.owners, 1)

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

    def test_strangersAreSharedOutToo(self) -> None:
        """
        Those that have said nothing, and those that have begun: each worker knows how many it may have.
        """
        self.start(maxConnections=64)
        for number in (1, 2):
            strangers = self.worker(number).service.acceptor._strangers
            self.assertEqual((strangers._maxSilent, strangers._maxBegun), (8, 4))
        for _ in range(6):
            self.connect(1)
        for _ in range(3):
            client = self.connect(1, "192.0.2.2")
            client.say(b"a")
        self.settle()
        self.assertEqual(self.worker(1).service.uses(), {"memory": 0, "silent": 6, "begun": 3})
        self.advance(2.0)
        strangers = [self.worker(number).service.acceptor._strangers for number in (1, 2)]
        self.assertGreater(strangers[0]._maxSilent, 8)
        self.assertGreater(strangers[0]._maxBegun, 4)
        self.assertLessEqual(sum(each._maxSilent for each in strangers), 16)
        self.assertLessEqual(sum(each._maxBegun for each in strangers), 8)

    def test_aWorkerThatStopsListensNoMore(self) -> None:
        self.start()
        self.worker(1).end._stop()
        self.assertEqual([each.given.fileno() < 0 for each in self.listeners], [True, False])

    def sockets(self) -> list[int]:
        """
        @return: which sockets the workers listen on now.
        """
        return [os.fstat(each.given.fileno()).st_ino for each in self.listeners if each.given.fileno() >= 0]

    def test_eachWorkerHasASocketOfItsOwnAtEachPort(self) -> None:
        """
        A port may come and go; and a worker that begins anew has the same sockets, where clients wait.
        """
        self.start()
        first = self.sockets()
        self.assertEqual(len(set(first)), 2)
        group = self.parent.listen("192.0.2.5", 8444)
        self.settle()
        both = self.sockets()
        self.assertEqual((both[:2], len(set(both))), (first, 4))
        self.worker(2).die()
        for listener in self.listeners:
            if listener.reactor is self.launcher.processes[1].reactor:
                listener.given.close()
        self.settle()
        self.assertEqual(sorted(self.sockets()), sorted(both))
        group.stopListening()
        self.settle()
        self.assertEqual(sorted(self.sockets()), sorted(first))

    def test_aPortThatCannotBeSharedOutIsNotKept(self) -> None:
        """
        It would be taken when it is tried again.
        """
        self.start()
        first = self.sockets()

        def fail(message: object, descriptors: Sequence[int] = ()) -> None:
            if isinstance(message, ListenOn):
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            send(message, descriptors)

        channel: Any = self.worker(2).channel
        send, channel.send = channel.send, fail
        self.assertRaises(OSError, self.parent.listen, "192.0.2.5", 8444)
        self.settle()
        self.assertEqual((self.sockets(), len(self.parent._workforce._groups)), (first, 1))

    def test_aSocketThatAWorkerCouldNotTakeComesAgain(self) -> None:
        """
        Where the kernel had no room for its descriptor.
        """
        self.start()
        transport: Any = self.worker(2)._workers
        transport.drops = True
        group = self.parent.listen("192.0.2.5", 8444)
        self.settle()
        self.assertEqual(len(self.sockets()), 3)
        transport.drops = False
        self.advance(MISSING_SECONDS)
        self.settle()
        self.assertEqual(len(self.sockets()), 4)
        group.stopListening()
        self.settle()

    def test_aWorkerThatStopsTakesNoFurtherSocket(self) -> None:
        """
        Nobody would close it.
        """
        self.start()
        service = self.worker(2).service
        stopped = service.stopService()
        with socket.socket(socket.AF_UNIX) as given:
            descriptors = Descriptors([os.dup(given.fileno())])
        service.orderReceived(ListenOn(9), descriptors)
        descriptors.close()
        self.assertEqual(service._listeners, {})
        self.settle()
        self.successResultOf(stopped)

    def test_oneSocketTakesTheOthersPlace(self) -> None:
        """
        When the parent sends one that it has sent before.
        """
        self.start()
        before = self.sockets()
        service = self.worker(2).service
        with socket.socket(socket.AF_UNIX) as given:
            service.orderReceived(ListenOn(1), Descriptors([os.dup(given.fileno())]))
            self.settle()
            self.assertEqual(len(set(self.sockets()) & set(before)), 1)
            self.assertEqual(len(self.sockets()), 2)

    def test_aStopIsNoLoss(self) -> None:
        self.start()
        self.dial(1, newId())
        stopped = self.parent.stopService()
        self.worker(1).die()  # with its session, as one that hangs is ended
        self.settle()
        self.successResultOf(stopped)
        self.assertFalse(any("is gone" in line for line in self.lines()), self.lines())

    def test_whereItListensIsKnown(self) -> None:
        """
        As with one process.
        """
        self.make()
        self.assertIsNone(self.parent.listening)
        self.parent.privilegedStartService()
        self.assertEqual(self.parent.listeningAll, (("192.0.2.100", 8443),))
        self.assertEqual(self.launcher.processes, [])
        self.parent.startService()
        self.assertEqual(len(self.launcher.processes), 2)
        self.settle()

    def test_itIsReadyWhenAllWorkersAre(self) -> None:
        self.make()
        self.launcher.takenOver.add(2)
        self.parent.startService()
        waits = self.parent.whenReady()
        self.settle()
        self.assertNoResult(waits)
        self.launcher.takenOver.clear()
        self.worker(2).die()
        self.settle()
        self.successResultOf(waits)
        self.assertEqual((self.parent.preparing, self.parent.unready), ("starting workers", WORDS))
        self.assertEqual([each.state for each in self.parent.workerStatistics()], [WorkerState.READY] * 2)

    def test_aStopBeforeTheReactorRunsStartsNobody(self) -> None:
        self.make()
        hooks: list[Callable[[], None]] = []
        self.patch(self.reactor, "callWhenRunning", hooks.append)
        self.parent.startService()
        self.stopAll()
        for hook in hooks:
            hook()
        self.assertEqual(self.launcher.processes, [])

    def test_sessionsThatNeverBeginAreForgotten(self) -> None:
        """
        What wanted them was lost on its way.
        """
        self.start()
        self.launcher.takenOver.add(2)
        self.worker(2).takeOver()
        self.dial(1, newId())
        self.dial(1, newId())
        self.assertEqual(self.table()[0], 2)
        self.advance(CLAIM_SECONDS + CLAIM_CHECK_SECONDS + 1)
        self.assertEqual(self.table()[0], 1)

    def test_sessionsAreKnownToLingerAndToCarryAgain(self) -> None:
        """
        Whoever has its share gives one up that has no tunnel.
        """
        self.start(maxSessions=6, ownerShare=50)
        ids = [newId() for _ in range(3)]
        clients = [self.dial(1, each) for each in ids]
        self.advance(10)
        clients[1].socket.close()
        clients[2].socket.close()
        self.settle()
        clients[1] = self.dial(2, ids[1])
        self.dial(1, newId())
        known = {*self.worker(1).service.registry._served, *self.worker(2).service.registry._served}
        self.assertEqual((len(known), ids[2] in known, ids[1] in known), (3, False, True))

    def test_theLeastUsedIsKnown(self) -> None:
        """
        Workers tell now and then which sessions carry.
        """
        self.start(maxSessions=6, ownerShare=50)
        ids = [newId() for _ in range(3)]
        clients = [self.dial(1, each) for each in ids]
        for _ in range(4):
            self.advance(3)
            for number in (0, 2):
                clients[number].say(PING)
            self.settle()
        self.advance(7)
        self.dial(1, newId())
        known = {*self.worker(1).service.registry._served, *self.worker(2).service.registry._served}
        self.assertEqual([each in known for each in ids], [True, False, True])

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
