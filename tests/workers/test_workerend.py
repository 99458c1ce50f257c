"""
What a worker does for its parent.
"""

from __future__ import annotations

import os
import signal
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.channels import Note, RecordingChannel
from tests.doubles.reactors import MemoryReactor
from uotp.errors import PeerError, StartError
from uotp.workers.controls import AliveAnswer, AliveQuestion, StopWorker, WorkerReady
from uotp.workers.descriptors import Descriptors
from uotp.workers.workerend import LAST_SECONDS, WorkerEnd, joinParent


class WorkDiarist:
    """
    Writes down what it is told.
    """

    def __init__(self) -> None:
        self.journal: list[object] = []

    def messageReceived(self, message: object, descriptors: Descriptors) -> None:
        self.journal.append(message)

    def stop(self) -> None:
        self.journal.append("stop")


class WorkerEndTests(SynchronousTestCase):
    """
    Be led by a parent.
    """

    def setUp(self) -> None:
        self.work = WorkDiarist()
        self.reactor = MemoryReactor()
        self.alarms: list[int] = []
        self.end = WorkerEnd(self.reactor, self.work, self.alarms.append)
        self.channel = RecordingChannel()
        self.end.speakOn(self.channel)

    def receive(self, message: object) -> None:
        """
        The parent sends something.
        """
        self.end.messageReceived(message, Descriptors())

    def test_itSaysThatItIsReadyAndAlive(self) -> None:
        self.end.ready()
        self.receive(AliveQuestion(7))
        self.end.send(Note("hello"), (1, 2))
        expected = [(WorkerReady(), ()), (AliveAnswer(7), ()), (Note("hello"), (1, 2))]
        self.assertEqual(self.channel.sent, expected)
        self.assertEqual(self.work.journal, [])

    def test_workGetsTheOtherMessages(self) -> None:
        self.receive(Note("hello"))
        self.assertEqual(self.work.journal, [Note("hello")])

    def test_workStopsOnce(self) -> None:
        """
        Since the parent wants it, and then closes the channel.  The system ends what does not.
        """
        self.receive(StopWorker())
        self.receive(StopWorker())
        self.end.close(lambda: self.work.journal.append("closed"))
        self.assertEqual((self.work.journal, self.channel.ended), (["stop"], ["close"]))
        self.end.channelLost("closed")
        self.assertEqual(self.work.journal, ["stop", "closed"])
        self.assertEqual(self.alarms, [LAST_SECONDS])

    def test_workThatEndsByItselfIsNotStopped(self) -> None:
        """
        It could not begin.  The system ends a process whose last words nobody reads.
        """
        self.end.close(lambda: self.work.journal.append("closed"))
        self.assertEqual((self.work.journal, self.alarms), ([], [LAST_SECONDS]))
        self.end.channelLost("closed")
        self.assertEqual(self.work.journal, ["closed"])

    def test_withoutAParentNothingIsWaitedFor(self) -> None:
        """
        It has gone, and what it was to hear goes nowhere.
        """
        self.end.channelLost("closed")
        self.end.close(lambda: self.work.journal.append("closed"))
        self.assertEqual((self.work.journal, self.channel.ended), (["stop", "closed"], []))

    def test_workStopsWhenTheParentIsGone(self) -> None:
        self.end.channelLost("closed")
        self.assertEqual(self.work.journal, ["stop"])

    def test_whatOnlyAWorkerSaysIsRefused(self) -> None:
        for message in (WorkerReady(), AliveAnswer(1)):
            self.assertRaises(PeerError, self.receive, message)

    def test_roomIsThatOfTheChannel(self) -> None:
        self.assertTrue(self.end.hasRoom)
        self.channel.hasRoom = False
        self.assertFalse(self.end.hasRoom)

    def test_signals(self) -> None:
        """
        What a terminal sends to all is the parent's business; SIGTERM stops.
        """
        for name in ("SIGINT", "SIGHUP", "SIGTERM"):
            number = getattr(signal, name)
            self.addCleanup(signal.signal, number, signal.getsignal(number))
        self.end.heedSignals()
        self.assertEqual([signal.getsignal(number) for number in (signal.SIGINT, signal.SIGHUP)], [signal.SIG_IGN] * 2)
        signal.raise_signal(signal.SIGTERM)
        self.assertEqual((self.work.journal, self.reactor.fromThread), (["stop"], 1))

    def test_programThatNobodyHasStartedAsAWorkerSaysSo(self) -> None:
        """
        There is no such socket, or something else.
        """
        readable, writable = os.pipe()
        os.close(writable)
        untyped: Any = self.reactor
        for isOpen in (True, False):
            error = self.assertRaises(StartError, joinParent, untyped, self.work, (Note,), readable)
            self.assertIn("this program is started by one that has workers", str(error))
            if isOpen:
                os.close(readable)
