"""
What holds for every channel, on real sockets and in memory.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.channels import KINDS, SMALL, ChannelDiarist, Note, Payload, Stranger
from uotp.errors import PeerError
from uotp.workers.channel import TURN_MESSAGES
from uotp.workers.limits import ChannelLimits

# A contract is no test case before it has a subject.
if TYPE_CHECKING:
    _Case = SynchronousTestCase
else:
    _Case = object


class ChannelContract(_Case):
    """
    Tries what holds for every channel.

    @ivar here: who sends, mostly.
    @ivar there: who receives, mostly.
    """

    here: ChannelDiarist
    there: ChannelDiarist

    def connect(
        self, kinds: Sequence[type] = KINDS, hereKinds: Sequence[type] = KINDS, limits: ChannelLimits = SMALL
    ) -> None:
        """
        Connect C{here} and C{there} by a channel.
        """
        raise NotImplementedError

    def turn(self) -> None:
        """
        Let one turn of the reactor pass.
        """
        raise NotImplementedError

    def settleUntil(self, condition: Callable[[], object]) -> None:
        """
        Let turns pass until something is so, or there is no hope.
        """
        raise NotImplementedError

    def pipe(self) -> tuple[int, int]:
        """
        @return: the end of a pipe that is read, which does not wait, and the end that is written, which is
            the caller's.
        """
        readable, writable = os.pipe()
        os.set_blocking(readable, False)
        self.addCleanup(os.close, readable)
        return readable, writable

    def isClosed(self, readable: int) -> bool:
        """
        @return: whether nobody has the other end of a pipe any more.
        """
        try:
            return not os.read(readable, 99)
        except BlockingIOError:
            return False

    def give(self, text: str) -> int:
        """
        Send a message from here with a descriptor that we close at once.

        @return: the other end of the pipe.
        """
        readable, writable = self.pipe()
        self.here.channel.send(Note(text), (writable,))
        os.close(writable)
        return readable

    def linesOf(self, act: Callable[[], None]) -> list[str]:
        """
        @return: the errors that are logged meanwhile.
        """
        with capturedLogs() as events:
            act()
        return [formatEvent(event) for event in events if event["log_level"] >= LogLevel.error]

    # Messages.

    def test_messagesArriveInOrderInBothDirections(self) -> None:
        """
        Of all sizes.
        """
        self.connect()
        sizes = [0, 1, 100, 65_530, 65_536, 700_000, 3, 2, 1]
        for size in sizes:
            self.here.channel.send(Payload(bytes(size)))
            self.there.channel.send(Note("x" * size))
        self.settleUntil(lambda: len(self.there.payloads) == len(self.here.notes) == len(sizes))
        self.assertEqual([len(payload) for payload in self.there.payloads], sizes)
        self.assertEqual([len(note) for note in self.here.notes], sizes)

    def test_manyAreHandledInManyTurns(self) -> None:
        """
        Whoever sends much does not keep the others waiting.
        """
        self.connect()
        count = 5 * TURN_MESSAGES + 1
        for number in range(count):
            self.here.channel.send(Note(str(number)))
        seen = [0]
        while len(self.there.notes) < count:
            before = len(seen)
            self.settleUntil(lambda: len(self.there.notes) > seen[-1])
            seen.append(len(self.there.notes))
            self.assertGreater(seen[-1], seen[-2], before)
        self.assertLessEqual(max(after - before for before, after in pairwise(seen)), TURN_MESSAGES)
        self.assertEqual(self.there.notes, [str(number) for number in range(count)])

    def test_whoIsAskedForTooMuchIsTold(self) -> None:
        """
        Nothing is sent, and the channel goes on.
        """
        self.connect()
        self.assertRaises(TypeError, self.here.channel.send, Stranger())
        self.assertRaises(TypeError, self.here.channel.send, Note(7))  # type: ignore[arg-type]
        self.assertRaises(ValueError, self.here.channel.send, Payload(bytes(SMALL.sends)))
        self.assertRaises(ValueError, self.here.channel.send, Note("nine"), (0,) * 9)
        self.assertRaises(OSError, self.here.channel.send, Note("closed"), (0, 99_999))
        self.here.channel.send(Note("fine"))
        self.settleUntil(lambda: self.there.notes)
        self.assertEqual(self.there.notes, ["fine"])

    # Descriptors.

    def test_descriptorsComeWithTheirMessage(self) -> None:
        """
        They are closed on exec, and lead where those did that were sent.
        """
        self.connect()
        pipes = [self.pipe() for _ in range(8)]
        writable = [end for _, end in pipes]
        self.here.channel.send(Note("none"))
        self.here.channel.send(Note("eight"), writable)
        self.here.channel.send(Note("two"), writable[:2])
        for end in writable:
            os.close(end)
        self.settleUntil(lambda: len(self.there.notes) == 3)
        self.addCleanup(self.there.closeTaken)
        self.assertEqual(self.there.notes, ["none", "eight", "two"])
        self.assertEqual([len(taken) for taken in self.there.taken], [8, 2])
        for number, end in enumerate(self.there.taken[0]):
            self.assertFalse(os.get_inheritable(end))
            os.write(end, b"%d" % number)
        os.write(self.there.taken[1][1], b" and more")
        read = [os.read(readable, 99) for readable, _ in pipes]
        self.assertEqual(read, [b"0", b"1 and more", b"2", b"3", b"4", b"5", b"6", b"7"])

    def test_whatWasSentIsKeptByNobodyButWhoeverGotIt(self) -> None:
        self.connect()
        readable = self.give("taken")
        self.settleUntil(lambda: self.there.notes)
        for _ in range(9):
            self.turn()
        self.assertFalse(self.isClosed(readable))
        self.there.closeTaken()
        self.assertTrue(self.isClosed(readable))

    def test_whatNobodyTakesIsClosed(self) -> None:
        self.connect()
        self.there.takes = False
        readable = self.give("not taken")
        self.settleUntil(lambda: self.isClosed(readable))
        self.assertTrue(self.isClosed(readable))

    def test_whatComesWithARefusedMessageIsClosed(self) -> None:
        self.connect(hereKinds=(*KINDS, Stranger))

        def act() -> None:
            readable, writable = self.pipe()
            self.here.channel.send(Stranger(), (writable,))
            os.close(writable)
            self.settleUntil(lambda: self.here.ends and self.there.ends and self.isClosed(readable))
            self.assertTrue(self.isClosed(readable))

        (line,) = self.linesOf(act)
        self.assertEqual(line, "the channel to here is closed: a message of an unknown kind: 'Stranger'")
        self.assertEqual((len(self.here.ends), self.there.ends), (1, ["a message of an unknown kind: 'Stranger'"]))

    def test_whatWaitsWhenTheChannelEndsIsClosed(self) -> None:
        """
        On either side of the kernel.
        """
        self.connect()
        self.there.channel.transport.pauseProducing()
        self.here.channel.send(Payload(bytes(500_000)))
        readable = [self.give(str(number)) for number in range(20)]
        self.turn()
        self.here.channel.abort()
        self.settleUntil(lambda: self.here.ends)
        self.there.channel.abort()
        self.settleUntil(lambda: self.there.ends)
        self.assertEqual([self.isClosed(end) for end in readable], [True] * 20)

    def test_whatIsSentAfterTheEndIsLost(self) -> None:
        self.connect()
        self.here.channel.abort()
        readable = self.give("late")
        self.assertTrue(self.isClosed(readable))
        self.settleUntil(lambda: self.here.ends and self.there.ends)
        self.assertTrue(self.isClosed(self.give("later")))
        self.assertEqual(self.there.notes, [])

    # The end.

    def test_closeSendsWhatWaits(self) -> None:
        self.connect()
        for number in range(20):
            self.here.channel.send(Payload(bytes(50_000)))
            self.here.channel.send(Note(str(number)))
        self.here.channel.close()
        self.here.channel.close()
        self.here.channel.send(Note("late"))
        self.settleUntil(lambda: self.here.ends and self.there.ends)
        self.assertEqual(self.there.notes, [str(number) for number in range(20)])
        self.assertEqual((len(self.here.ends), len(self.there.ends)), (1, 1))

    def test_closeWithNothingToSendEnds(self) -> None:
        self.connect()
        self.there.channel.close()
        self.settleUntil(lambda: self.here.ends and self.there.ends)
        self.assertEqual((len(self.here.ends), len(self.there.ends)), (1, 1))

    def test_afterAnAbortNothingComes(self) -> None:
        """
        Not even of what has been read.
        """
        self.connect()
        self.there.act = lambda _: self.there.channel.abort()
        for number in range(3):
            self.here.channel.send(Note(str(number)))
        self.settleUntil(lambda: self.here.ends and self.there.ends)
        self.assertEqual(self.there.notes, ["0"])
        self.there.channel.abort()
        self.there.channel.close()
        self.assertEqual((len(self.here.ends), len(self.there.ends)), (1, 1))

    def test_endBetweenTwoTurnsOfManyMessages(self) -> None:
        """
        What was not handled is not handled any more.
        """
        self.connect()
        for number in range(2 * TURN_MESSAGES):
            self.here.channel.send(Note(str(number)))
        self.settleUntil(lambda: len(self.there.notes) > 1)
        handled = len(self.there.notes)
        self.there.channel.abort()
        self.settleUntil(lambda: self.here.ends and self.there.ends)
        self.assertEqual(len(self.there.notes), handled)
        self.assertLess(handled, 2 * TURN_MESSAGES)

    # Those who do what they may not do.

    def test_handlerMayRefuseAMessage(self) -> None:
        def refuse(_: object) -> None:
            reason = "not now"
            raise PeerError(reason)

        self.connect()
        self.there.act = refuse

        def act() -> None:
            readable = self.give("a")
            self.here.channel.send(Note("b"))
            self.settleUntil(lambda: self.here.ends and self.there.ends)
            self.assertTrue(self.isClosed(readable))

        self.assertEqual(self.linesOf(act), ["the channel to here is closed: not now"])
        self.assertEqual((self.there.ends, self.there.notes), (["not now"], []))

    def test_handlerThatFailsCostsAMessage(self) -> None:
        def fail(message: object) -> None:
            if message == Note("bad"):
                raise LookupError

        self.connect()
        self.there.act = fail
        readable = self.give("bad")
        self.here.channel.send(Note("good"))
        self.settleUntil(lambda: self.there.notes)
        self.assertEqual(self.there.notes, ["good"])
        self.assertEqual(len(self.flushLoggedErrors(LookupError)), 1)
        self.assertTrue(self.isClosed(readable))

    def test_endThatDoesNotReadLosesTheChannel(self) -> None:
        """
        Before that it is known that there is no room for what can be left out.
        """
        self.connect()
        self.there.channel.transport.pauseProducing()
        self.assertTrue(self.here.channel.hasRoom)

        def act() -> None:
            for _ in range(200):
                self.here.channel.send(Payload(bytes(40_000)))
                self.turn()
                if self.here.ends:
                    return
                hadRoom.append(self.here.channel.hasRoom)

        hadRoom: list[bool] = []
        (line,) = self.linesOf(act)
        self.assertEqual(line, "the channel to there is closed: it does not read what it is sent")
        self.assertEqual((hadRoom[0], hadRoom[-1]), (True, False))

    def test_endThatDoesNotReadDescriptorsLosesTheChannel(self) -> None:
        self.connect()
        self.there.channel.transport.pauseProducing()
        readable, writable = self.pipe()
        self.here.channel.send(Payload(bytes(700_000)))

        def act() -> None:
            hadRoom = []
            for _ in range(200):
                self.here.channel.send(Note("four"), [writable] * 4)
                hadRoom.append(self.here.channel.hasRoom)
            self.assertEqual((hadRoom[9], hadRoom[60]), (True, False))

        (line,) = self.linesOf(act)
        self.assertIn("does not read", line)
        os.close(writable)
        self.settleUntil(lambda: self.here.ends)
        self.assertTrue(self.isClosed(readable))
