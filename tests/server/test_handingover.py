"""
Connections that a worker hands over, or carries for another one, over TLS and without; and what becomes of them
when that fails.
"""

from __future__ import annotations

import errno
import os
from typing import Any

from tests.doubles.serverworkers import PING, TlsClient, WorkersTestCase, newId
from uotp.server.workers import contact
from uotp.server.workers.contact import BUSY
from uotp.server.workers.messages import HandOver
from uotp.server.workers.relays import LAST_RELAYED_SECONDS, MANY_RELAYS, RELAYED_SECONDS
from uotp.train import Train
from uotp.transport.relay import HANGUP_SECONDS, RELAY_CLOSE_SECONDS
from uotp.transport.tcp import READ_BYTES
from uotp.wire.hello import ClientHello, WireFormat, encodeClientHello
from uotp.workers.work import TellStatistics

NONE_LEFT = OSError(errno.EMFILE, os.strerror(errno.EMFILE))

FLOOD = 200
"""So many hellos, each with as much behind it as is read at once, are more than a channel may hold."""

STOP_SECONDS = 4.75
"""A stop takes less than 5 s."""


class HandOverStories(WorkersTestCase):
    """
    A session is at worker 1, and its second connection comes to worker 2.
    """

    def setUp(self) -> None:
        super().setUp()
        self.serverTls, self.clientTls = self.certificates()
        self.sessionId = newId()

    def begin(self, *, withTls: bool, **choices: Any) -> Any:
        """
        @return: the first client.
        """
        self.start(self.serverTls if withTls else None, **choices)
        return self.dialOne(1, withTls=withTls)

    def dialOne(self, number: int, sessionId: bytes | None = None, *, withTls: bool) -> Any:
        wanted = sessionId or self.sessionId
        return self.dialSecurely(number, self.clientTls, wanted) if withTls else self.dial(number, wanted, "192.0.2.2")

    def failToSend(self, number: int, error: Exception) -> None:
        """
        Let a worker hand nothing over.
        """
        channel = self.worker(number).raw
        send = channel.send

        def failing(message: object, descriptors: Any = ()) -> None:
            if isinstance(message, HandOver):
                raise error
            send(message, descriptors)

        channel.send = failing  # type: ignore[method-assign]

    def test_bothWaysOverTls(self) -> None:
        """
        The worker that has the TLS connection carries what the other one has the session of.
        """
        first = self.begin(withTls=True)
        second = self.dialOne(2, withTls=True)
        self.assertEqual((self.sessions(), self.table(), len(self.sources())), ([1, 0], (1, 2), 1))
        self.assertEqual(len(self.worker(2).service._contact.relays), 1)
        first.socket.close()
        self.settle()
        self.answer(b"pong")
        self.assertEqual(second.hear(), b"\0\4pong")
        for _ in range(3):
            second.say(PING)
            self.settle()
        self.assertEqual(self.target.datagrams(), [b"ping"] * 5)
        second.socket.close()
        self.settle()
        self.assertEqual((len(self.worker(2).service._contact.relays), self.table()), (0, (1, 0)))

    def test_whatCannotBeSentEndsTheConnection(self) -> None:
        """
        Its client dials again.  It is said why, once, and the parent counts it no more.
        """
        for withTls in (True, False):
            for error in (NONE_LEFT, ValueError("it is too long")):
                self.begin(withTls=withTls)
                self.failToSend(2, error)
                for _ in range(3):
                    self.assertTrue(self.dialOne(2, withTls=withTls).isClosed)
                self.assertEqual((self.table(), len(self.worker(2).service._contact.relays)), ((1, 1), 0))
                self.assertEqual(len(self.worker(2).service.liveTunnels), 0)
                said = [line for line in self.lines() if "could not be handed over: " in line]
                self.assertEqual(len(said), 1)
                self.assertIn(getattr(error, "strerror", None) or str(error), said[0])
                self.events.clear()  # type: ignore[attr-defined]
                self.stopAll()
                self.sessionId = newId()
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_manyHellosAtOnceDoNotFillTheChannelOfTheirWorker(self) -> None:
        """
        Who sends much behind each costs himself the connections for which there is no room; the worker lives.
        """
        self.begin(withTls=False)
        two = self.worker(2)
        behind = READ_BYTES - len(self.sessionId) - 2
        clients = [self.connect(2, f"192.0.2.{number}", settle=False) for number in range(FLOOD)]
        for client in clients:
            client.say(self.sessionId + behind.to_bytes(2, "big") + bytes(behind))
        while len(two.service._contact._asked) < FLOOD:  # the parent has not read a question yet
            two.reactor.lookAtAll()
        self.settle()
        self.assertEqual((two.lives, self.worker(2)), (True, two))
        closed = [client for client in clients if client.isClosed]
        self.assertGreater(len(closed), FLOOD // 2)
        said = [line for line in self.lines() if line.endswith(BUSY)]
        self.assertEqual(len(said), 1)
        self.assertIn("could not be handed over", said[0])
        self.assertEqual(self.table(), (1, 1 + FLOOD - len(closed)))

    def test_noMoreAreRelayedThanMayBe(self) -> None:
        """
        Neither by the worker that relays them nor by the one that they come to.  When one ends, there is room again.
        """
        for number, words in ((2, "could not be handed over"), (1, "that another worker has handed over is lost")):
            self.begin(withTls=True)
            one, two = (self.worker(each).service._contact for each in (1, 2))
            self.worker(number).service._contact.relays._most = 1
            for _ in range(2):
                second = self.dialOne(2, withTls=True)
                for _ in range(3):
                    third = self.dialOne(2, withTls=True)
                    self.advance(RELAY_CLOSE_SECONDS)
                    self.assertTrue(third.isClosed)
                self.assertFalse(second.isClosed)
                self.assertEqual((len(two.relays), one._acceptor.relayed, self.table()), (1, 1, (1, 2)))
                second.socket.close()
                self.settle()
                self.assertEqual((len(two.relays), one._acceptor.relayed, self.table()), (0, 0, (1, 1)))
            said = f"a connection from 192.0.2.1 {words}: {MANY_RELAYS}"
            self.assertEqual([line for line in self.lines() if line.endswith(MANY_RELAYS)], [said])
            self.events.clear()  # type: ignore[attr-defined]
            self.stopAll()
            self.sessionId = newId()

    def test_aClientThatClosesRightBehindItsDatagramsLosesNone(self) -> None:
        """
        Hello, datagrams and goodbye come in one read: whether the session is here or at the other worker.
        """
        self.begin(withTls=True)
        for number in (1, 2):
            sent = [bytes([number, each]) * 700 for each in range(3)]
            client = self.secure(number, self.clientTls)
            client.say(self.sessionId + b"".join(len(each).to_bytes(2, "big") + each for each in sent))
            client.close()
            self.settle()
            self.assertEqual(self.target.datagrams()[-3:], sent)
            self.assertEqual((self.table(), len(self.worker(2).service._contact.relays)), ((1, 1), 0))

    def test_whatAParentHasNoRoomForIsSaid(self) -> None:
        """
        Once, for all connections that another worker should have had.
        """
        self.begin(withTls=False)
        self.patch(self.parent._workforce, "hasRoom", lambda _: False)
        for _ in range(3):
            self.assertTrue(self.dialOne(2, withTls=False).isClosed)
        words = "a connection could not be handed to worker 1: it is gone, or has much to read"
        self.assertEqual((self.lines().count(words), self.table()), (1, (1, 1)))

    def test_whereThereIsNoPipeTheConnectionEnds(self) -> None:
        """
        The worker has as many descriptors as it may have.
        """

        def fail() -> Any:
            raise NONE_LEFT

        self.begin(withTls=True)
        self.patch(contact, "newPipe", fail)
        self.assertTrue(self.dialOne(2, withTls=True).isClosed)
        self.assertEqual(self.table(), (1, 1))

    def test_aParentThatHasNoDescriptorLeftCostsTheConnection(self) -> None:
        """
        It says so once.
        """
        self.begin(withTls=False)
        channel = self.worker(1).channel
        send = channel.send

        def failing(message: object, descriptors: Any = ()) -> None:
            if descriptors:
                raise NONE_LEFT
            send(message, descriptors)

        channel.send = failing  # type: ignore[method-assign]
        for _ in range(3):
            self.assertTrue(self.dialOne(2, withTls=False).isClosed)
        self.assertEqual(self.table(), (1, 1))
        words = "a connection could not be handed to worker 1: Too many open files"
        self.assertEqual([line for line in self.lines() if "could not be" in line], [words])

    def test_aConnectionThatIsLostOnItsWayCountsNoMore(self) -> None:
        """
        The system drops descriptors for which the parent has no room.
        """
        self.begin(withTls=False)
        self.worker(2)._parents.drops = True
        for _ in range(3):
            self.assertTrue(self.dialOne(2, withTls=False).isClosed)
        self.assertEqual(self.table(), (1, 1))
        self.assertTrue(any("descriptors were lost on their way" in line for line in self.lines()))

    def test_oneThatIsRelayedIsNotRelayedOn(self) -> None:
        """
        Its session has moved to the worker that it came from: it is closed, and its client dials again.
        """
        self.begin(withTls=True)
        one = self.worker(1)
        one.isStopped = True
        client = self.dialOne(2, withTls=True)
        self.parent._table.sessionEnded(1, self.sessionId)
        moved = self.dialOne(2, withTls=True)
        one.isStopped = False
        self.settle()
        self.advance(2.0)
        self.assertEqual((client.isClosed, moved.isClosed), (True, False))
        self.assertEqual(len(one.service.liveTunnels), 1)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_whoHasMostGivesUpOneThatIsRelayed(self) -> None:
        """
        The newest of all of them, wherever it is.
        """
        first = self.begin(withTls=True)
        second = self.dialOne(2, withTls=True)
        self.parent._table._connections.most = 2
        _, other = self.certificates()
        third = self.dialSecurely(1, other, newId(), "192.0.2.3")
        self.advance(2.0)
        self.assertEqual([each.isClosed for each in (first, second, third)], [False, True, False])
        self.assertEqual((self.table(), len(self.worker(2).service._contact.relays)), ((2, 2), 0))

    def test_anEvictedConnectionOfTheOtherWorkerIsClosed(self) -> None:
        """
        The log says why.
        """
        first = self.begin(withTls=False)
        second = self.dial(2, newId(), "192.0.2.2")
        self.assertEqual(self.sessions(), [1, 1])
        self.parent._table._connections.most = 2
        third = self.dial(1, newId(), "192.0.2.9")
        self.advance(2.0)
        self.assertEqual([each.isClosed for each in (first, second, third)].count(True), 1)
        self.assertTrue(any("the newest goes" in line for line in self.lines()))
        self.assertEqual(self.table()[1], 2)

    def test_aWorkerThatStopsEndsWhatItRelays(self) -> None:
        """
        What its client has been sent arrives; the session goes on without that tunnel.
        """
        first = self.begin(withTls=True)
        second = self.dialOne(2, withTls=True)
        first.socket.close()
        self.settle()
        self.targetPort.sendTrains([Train(4, b"pong")], self.target.trains[-1][1])
        self.network.settle()
        two = self.worker(2)
        two.end._stop()
        self.settle()
        self.advance(3.0)
        self.assertEqual((second.hear(), second.isClosed), (b"\0\4pong", True))
        self.assertEqual((two.statuses, self.sessions()[0], self.table()), ([0], 1, (1, 0)))

    def test_aStopWaitsForWhatIsRelayed(self) -> None:
        """
        As long as the client takes something.
        """
        self.begin(withTls=True)
        second = self.dialOne(2, withTls=True)
        assert isinstance(second, TlsClient)
        two = self.worker(2)
        relay = next(iter(two.service._contact.relays._relays.values()))
        relay._isFull = True  # the client takes nothing
        two.end._stop()
        self.settle()
        self.assertEqual(two.statuses, [])
        self.assertEqual(len(two.service._contact.relays), 1)
        self.advance(RELAYED_SECONDS + RELAY_CLOSE_SECONDS + HANGUP_SECONDS)
        self.assertEqual((two.statuses, len(two.service._contact.relays)), ([0], 0))

    def test_aStopTakesNoLongerForWhatIsRelayed(self) -> None:
        """
        The sessions of the worker end meanwhile, and no client answers anything.
        """
        self.begin(withTls=True)
        self.dialOne(2, withTls=True)
        _, other = self.certificates()
        self.secure(2, other, "192.0.2.3").say(encodeClientHello(ClientHello(WireFormat.TWO, newId())))
        self.settle()
        two = self.worker(2)
        self.assertEqual((self.sessions(), len(two.service._contact.relays)), ([1, 1], 1))
        next(iter(two.service._contact.relays._relays.values()))._isFull = True  # the client takes nothing
        two.end._stop()
        self.advance(STOP_SECONDS)
        self.assertEqual((two.statuses, len(two.service._contact.relays)), ([0], 0))

    def test_whatIsRelayedEndsSoonWhenNothingElseIsLeft(self) -> None:
        """
        A worker that has no session of its own waits for the others of the server, and not for its clients.
        """
        self.begin(withTls=True)
        self.dialOne(2, withTls=True)
        two = self.worker(2)
        next(iter(two.service._contact.relays._relays.values()))._isFull = True
        two.end._stop()
        self.advance(LAST_RELAYED_SECONDS + RELAY_CLOSE_SECONDS + HANGUP_SECONDS)
        self.assertEqual(two.statuses, [0])

    def test_statisticsAreTheLastThatIsSaid(self) -> None:
        """
        When nothing is relayed any more, and no session is left.
        """
        self.begin(withTls=False)
        one = self.worker(1)
        told: list[object] = []
        send = one.raw.send

        def listen(message: object, descriptors: Any = ()) -> None:
            told.append(message)
            send(message, descriptors)

        one.raw.send = listen  # type: ignore[method-assign]
        one.end._stop()
        self.advance(6.0)
        last = [each.values for each in told if isinstance(each, TellStatistics)][-1]
        self.assertEqual((last["registry.sessions"], last["registry.bytesIn"]), (0, 4))
