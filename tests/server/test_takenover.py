"""
What a worker can do to its parent and to other workers when somebody has taken it over: nothing, but be started
again.
"""

from __future__ import annotations

import os
import socket
from dataclasses import fields
from typing import Any

from twisted.logger import LogLevel

from tests.doubles.serverworkers import PING, WorkersTestCase, newId
from uotp.server.workers.messages import AskToJoin, HandOver, PassOn, TakeOver, TellSessionEnded, TellSessionOpened
from uotp.telemetry.drops import Drop
from uotp.workers.channel import MOST_WAITING_DESCRIPTORS
from uotp.workers.work import BeginWork, FilesPrepared, TellStatistics, TellUse


def unchecked(kind: type, *values: object) -> object:
    """
    @return: a message as nobody can make it who uses our program.
    """
    made: Any = object.__new__(kind)
    for field, value in zip(fields(kind), values, strict=True):
        object.__setattr__(made, field.name, value)
    return made


class TakenOverStories(WorkersTestCase):
    """
    Somebody has taken over worker 1, and says what he likes to the parent.  Nobody else notices.
    """

    def setUp(self) -> None:
        super().setUp()
        self.start()
        self.sessionId = newId()
        self.other = self.dial(2, self.sessionId, "192.0.2.2")

    def evil(self, *messages: object, given: tuple[int, ...] = ()) -> None:
        """
        Worker 1 says something.
        """
        for message in messages:
            self.worker(1).takeOver().send(message, given)
        self.settle()

    def assertOtherGoesOn(self) -> None:
        """
        The other worker has lost nothing, and lets clients in.
        """
        self.settle()
        self.assertFalse(self.other.isClosed)
        self.assertEqual(self.worker(2).pid, 2001)
        fresh = self.dial(2, self.sessionId, "192.0.2.3")
        self.assertFalse(fresh.isClosed)
        fresh.socket.close()
        self.settle()

    def wrong(self) -> list[tuple[object, int]]:
        """
        @return: messages that no worker sends, each with the number of its descriptors.
        """
        plain: dict[str, Any] = {
            "isRelayed": False,
            "tls": None,
            "protocol": None,
            "peerKey": None,
            "peerName": None,
            "chain": (),
        }
        hand = HandOver("192.0.2.9", 1, 1, b"", connection=1, worker=2, **plain)
        values = [False, *[None] * 4]
        return [
            (TakeOver("192.0.2.9", 1, 1, b"", **plain), 0),
            (BeginWork(1, 1, "info", {}, b"", {}, {}), 0),
            (unchecked(HandOver, "a" * (1 << 18), 1, 1, b"", *values, (), 1, 2), 1),
            (unchecked(HandOver, "192.0.2.9", 1, 1, b"", *values, ((b"", b"", "no number"),), 1, 2), 1),
            (unchecked(HandOver, "192.0.2.9", 1, 1, b"", *values, ((b"", b"", "1"),) * 13, 1, 2), 1),
            (unchecked(HandOver, "192.0.2.9", 1, 1, b"", *values, ((bytes(129), b"", "1"),), 1, 2), 1),
            (unchecked(HandOver, "192.0.2.9", 1, 1, b"", *values, ((b"", bytes(129), "1"),), 1, 2), 1),
            (hand, 0),
            (hand, 2),
            (HandOver("192.0.2.9", 1, 1, b"", connection=1, worker=0, **plain), 1),
            (HandOver("192.0.2.9", 1, 1, b"", connection=1, worker=3, **plain), 1),
            (PassOn(2, "192.0.2.9", 1), 0),
            (PassOn(0, "192.0.2.9", 1), 1),
            (PassOn(3, "192.0.2.9", 1), 1),
            (unchecked(PassOn, 2, "nowhere", 1), 1),
            (unchecked(PassOn, 2, "192.0.2.9", 65536), 1),
            (TellUse("nothing", 1, 1), 0),
            (TellStatistics({f"name{number}": 1 for number in range(2000)}), 0),
            (TellStatistics({"registry.sessions": 1, "something else": 1}), 0),
            (TellStatistics({"drops.NOTHING": 1}), 0),
            (unchecked(AskToJoin, 1, bytes(1 << 18), None, "192.0.2.9", False, False, 0, 1), 0),
            (unchecked(AskToJoin, 1, newId(), None, "a" * (1 << 18), False, False, 0, 1), 0),
            (unchecked(AskToJoin, 1, newId(), None, bytes(32), False, False, 0, 1), 0),
            (unchecked(AskToJoin, 1, newId(), bytes(129), bytes(129), False, False, 0, 1), 0),
            (unchecked(AskToJoin, 1, newId(), bytes(32), "192.0.2.1", False, False, 0, 1), 0),
            (unchecked(TellSessionOpened, bytes(17), None, "192.0.2.9"), 0),
            (unchecked(TellSessionOpened, newId(), None, "a" * (1 << 18)), 0),
        ]

    def test_whatNoWorkerSaysEndsOnlyItsWorker(self) -> None:
        """
        It is started again.
        """
        for message, count in self.wrong():
            with socket.socket(socket.AF_UNIX) as given:
                self.evil(message, given=(given.fileno(),) * count)
            said = [line for line in self.lines(LogLevel.error) if line.startswith("the channel to worker 1 is closed")]
            self.assertEqual(len(said), 1, message)
            self.events.clear()  # type: ignore[attr-defined]
            self.advance(40.0)
            self.assertTrue(self.worker(1).lives)
            self.assertOtherGoesOn()
        self.assertEqual(self.table(), (1, 1))

    def test_oneNumberForTwoConnectionsCostsItsWorkerOnly(self) -> None:
        """
        Otherwise places would be lost for ever, and others could not come in.
        """
        for owner in ("192.0.2.8", "192.0.2.9"):
            self.evil(AskToJoin(7, newId(), None, owner, False, False, 0, 1))
        self.advance(5.0)
        self.assertEqual(self.table(), (1, 1))
        self.assertOtherGoesOn()

    def test_whoeverIsNotReadyIsGivenNothing(self) -> None:
        """
        It would count as one that has more than none.
        """
        self.launcher.takenOver.add(1)
        self.worker(1).die()
        self.advance(0.25)
        self.evil(AskToJoin(1, newId(), None, "192.0.2.9", False, False, 0, 1))
        self.evil(TellSessionOpened(newId(), None, "192.0.2.9"))
        self.assertEqual(self.table(), (1, 1))

    def handOver(self, *given: int, tls: str | None) -> None:
        """
        Worker 1 hands descriptors to the other.
        """
        facts: dict[str, Any] = {"protocol": None, "peerKey": b"k", "peerName": None, "chain": ((b"i", b"k", "-a"),)}
        relayed: dict[str, Any] = {"isRelayed": tls is not None, "tls": tls}
        message = HandOver("192.0.2.9", 1, 1, newId() + PING, connection=1, worker=2, **relayed, **facts)
        self.evil(message, given=given)

    def test_whatIsNoConnectionCostsTheOtherNothing(self) -> None:
        """
        Not even a descriptor.
        """
        null = os.open(os.devnull, os.O_RDWR)
        self.addCleanup(os.close, null)
        for _ in range(20):
            with socket.socket(socket.AF_UNIX) as given:
                self.handOver(null, tls=None)
                self.handOver(null, given.fileno(), tls="TLSv1.3")
                self.handOver(given.fileno(), null, tls="TLSv1.3")
                self.handOver(given.fileno(), given.fileno(), tls="TLSv1.3")
                self.handOver(given.fileno(), tls=None)
        words = "a connection from 192.0.2.9 that another worker has handed over is lost: "
        self.assertEqual(self.lines().count(words + "Socket operation on non-socket"), 1)
        self.advance(12.0)
        self.assertEqual(len(self.worker(2).service.liveTunnels), 1)
        self.assertOtherGoesOn()
        self.stopAll()
        self.assertEqual(self.launcher.of(2).statuses, [0])

    def test_manyStatisticsAreNotKept(self) -> None:
        """
        However often it dies.
        """
        for life in range(5):
            self.evil(TellStatistics({f"{life}.{number}": 1 for number in range(1000)}))
            self.worker(1).die()
            self.advance(40.0)
        self.assertLess(len(self.parent._workforce.totals()), 100)

    def test_whoeverSaysThatItUsesEverythingTakesNoMoreThanItsPart(self) -> None:
        """
        The other, and whoever begins next, have their floor.
        """
        for name in ("memory", "silent", "begun"):
            self.evil(TellUse(name, (1 << 64) - 1, 0))
        self.advance(1.0)
        memory = self.worker(2).service.turns.memory
        self.assertGreaterEqual(memory.bytes, self.parent.settings.memory // 4)
        self.worker(2).die()
        self.advance(1.0)
        memory = self.worker(2).service.turns.memory
        self.assertGreaterEqual(memory.bytes, self.parent.settings.memory // 4)

    def test_itCannotFillTheOthersChannel(self) -> None:
        """
        A worker that is busy for a moment is handed no more than fits, and is not ended for that.
        """
        facts: dict[str, Any] = {"protocol": None, "peerKey": None, "peerName": None, "chain": ()}
        self.worker(2).isStopped = True
        for number in range(MOST_WAITING_DESCRIPTORS + 30):
            shown = bytes(1 << 16 if number < 8 else 1)  # the first fill what the kernel takes
            ours, theirs = socket.socketpair(socket.AF_UNIX)
            with ours, theirs:
                message = HandOver("192.0.2.9", 1, 1, shown, connection=1, worker=2, isRelayed=False, tls=None, **facts)
                self.worker(1).takeOver().send(message, (theirs.fileno(),))
            if not number % 50:
                self.launcher.settle()
        self.settle()
        words = "a connection could not be handed to worker 2: it is gone, or has much to read"
        self.assertEqual(self.lines().count(words), 1)
        self.worker(2).isStopped = False
        self.settle()
        self.assertOtherGoesOn()

    def test_whatWasDroppedDoesNotBecomeLess(self) -> None:
        """
        Or it would be told again and again.
        """
        for number in (5, 1, 5):
            self.evil(TellStatistics({"drops.TOO_LONG": number}))
        self.assertEqual(self.parent.drops.totals[Drop.TOO_LONG], 9)

    def test_aSessionOfAnotherCannotBeEnded(self) -> None:
        self.evil(TellSessionEnded(self.sessionId), TellSessionOpened(self.sessionId, None, "192.0.2.9"))
        self.assertEqual(self.table(), (1, 1))
        self.assertOtherGoesOn()

    def test_whatItWritesToTheLogOfARenewalIsShortAndOneLine(self) -> None:
        """
        Nobody forges lines of the parent.
        """
        done = self.parent._workforce._renewals.renew({}, (1, 2), lambda: None)
        self.evil(FilesPrepared(1, "no\nuotp-server: all is well" + "x" * 100000))
        error = self.failureResultOf(done).value
        self.assertNotIn("\n", str(error))
        self.assertLess(len(str(error)), 1000)
