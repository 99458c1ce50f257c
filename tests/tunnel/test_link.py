"""
What is spoken on an open tunnel, in each format.
"""

from __future__ import annotations

import math
from functools import partial
from itertools import pairwise

from tests.doubles.contracts import TimerTestCase
from tests.doubles.sessions import RecordingSession
from tests.doubles.streams import RecordingStream
from tests.doubles.tunnels import RecordingLinkOwner
from uotp.path import TROUBLED, PathStats
from uotp.process.memory import Memory
from uotp.process.turns import OWNER_UNITS, READ_UNITS, Turns
from uotp.session.session import Session
from uotp.telemetry.drops import Drops
from uotp.train import LAST_NUMBER, TRAIN_OVERHEAD_BYTES, Arrival, Numbering, Train
from uotp.transport.tcp import READ_BYTES
from uotp.transport.tls import RECORD_BYTES
from uotp.tunnel.accepted import AcceptedTunnel
from uotp.tunnel.heartbeat import (
    ACCEPTED_IDLE_SECONDS,
    BUSY_SECONDS,
    FIRST_PATIENCE_SECONDS,
    GIVE_UP_SECONDS,
    IDLE_SECONDS,
    LEAST_PATIENCE_SECONDS,
    MOST_PATIENCE_SECONDS,
)
from uotp.tunnel.link import MAX_UNDECODED_BYTES, PORTION_UNITS, LinkStatistics, TunnelLink
from uotp.tunnel.link1 import Format1Link
from uotp.tunnel.link2 import MUCH_BYTES, Format2Link
from uotp.tunnel.tunnel import Tunnel
from uotp.tunnel.unacked import ASK_BYTES, MAX_KEPT_BYTES
from uotp.wire.format1 import Format1Codec
from uotp.wire.format2 import HEADER, Format2Codec, Kind, controlFrame, missingFrame
from uotp.wire.hello import WireFormat
from uotp.wire.status import ServerStatus, encodeStatus

ROUND_TRIP = 0.0625
"""Of the path, in seconds."""

ONE = Train(3, b"onetwo")
OTHER = Train(5, b"three")

ASKED = bytes(range(8))
"""What a ping of the other end carries."""

PING = controlFrame(Kind.PING, ASKED)
QUERY = controlFrame(Kind.QUERY)
PONG = controlFrame(Kind.PONG, ASKED)
DRAIN = controlFrame(Kind.DRAIN)
BYE = controlFrame(Kind.BYE)

MEMORY_BYTES = 2 * 1024 * 1024
"""Of a process that has little."""


class _LinkTestCase(TimerTestCase):
    """
    Has one link, which is ended at last.
    """

    wireFormat: WireFormat

    def setUp(self) -> None:
        super().setUp()
        self.clock.advance(1000.0)
        self.owner = RecordingLinkOwner()
        self.stream = RecordingStream()
        self.session = RecordingSession()
        self.link = self.makeLink()

    def makeLink(self, wireFormat: WireFormat | None = None) -> TunnelLink:
        """
        @return: another link of the same tunnel, which is ended at last.
        """
        link: TunnelLink
        if (wireFormat or self.wireFormat) is WireFormat.ONE:
            link = Format1Link(self.stream, self.owner, self.session, self.clock.seconds)
        else:
            link = Format2Link(self.stream, self.owner, self.session, self.clock)
        self.addCleanup(link.end, isLost=False)
        return link

    def sent(self, trains: list[Train], link: TunnelLink | None = None) -> bytes:
        """
        @return: what is written for trains, with one write.
        """
        before = len(self.stream.said)
        (link or self.link).send(trains, self.clock.seconds())
        self.assertEqual(len(self.stream.said), before + 1)
        return self.stream.said.pop()

    def settle(self) -> None:
        """
        Let turns pass until nobody waits for one.
        """
        while self.clock.getDelayedCalls():
            self.clock.turn()

    def sentAgain(self, arrivals: list[Arrival], link: TunnelLink | None = None) -> bytes:
        """
        @return: what is written for trains that were sent before.
        """
        before = len(self.stream.said)
        (link or self.link).sendAgain(arrivals)
        written, self.stream.said = self.stream.said[before:], self.stream.said[:before]
        return b"".join(written)


class Format1LinkTests(_LinkTestCase):
    """
    Speak trains, and nothing else.
    """

    wireFormat = WireFormat.ONE

    def test_trainsAreWrittenAsTheFormatHasIt(self) -> None:
        self.assertIsInstance(self.link, Format1Link)
        self.assertEqual(self.sent([ONE, OTHER]), b"\0\3one\0\3two\0\5three")

    def test_whatComesIsHandedOn(self) -> None:
        """
        As soon as something is whole, and nobody is called for nothing.
        """
        stream = Format1Codec().encode([ONE, OTHER])
        calls: list[list[Train]] = []
        self.patch(self.session, "unnumbered", lambda trains, _: calls.append(trains))
        for start in range(len(stream)):
            self.link.received(stream[start : start + 1])
        self.assertEqual(b"".join(train.payload for trains in calls for train in trains), b"onetwothree")
        self.assertNotIn([], calls)
        self.assertEqual(self.session.numbers, [])

    def test_nothingElseCanBeSaid(self) -> None:
        """
        Nobody can be asked whether he lives, and no end be announced; and where there are
        no numbers, nothing is kept.
        """
        self.sent([ONE])
        self.assertEqual((self.link.holdsUnacked(), self.link.takeUnacked(), self.link.takeUnsent()), (False, [], []))
        self.assertEqual(self.sentAgain([(5, ONE), (0, OTHER)]), b"")
        self.link.start()
        self.link.full()
        self.assertEqual(self.session.says, ["free", "full"])
        self.link.free()
        self.assertEqual(self.session.says, ["free", "full", "free"])
        self.link.nudge()
        self.link.report([(7, 1)])
        self.assertEqual((self.link.numbers, self.link.unackedWithin(0, 99, 99, math.inf)), (False, []))
        self.assertIs(self.link.prove(), False)
        self.assertIs(self.link.drain(), False)
        self.link.bye()
        self.link.end(isLost=False)
        self.assertEqual(self.session.says, ["free", "full", "free", "gone"])
        self.assertEqual((self.stream.said, self.owner.told), ([], []))
        self.assertEqual(self.link.roundTrip, 0)
        self.assertNoTimer()


class Format2LinkTests(_LinkTestCase):
    """
    Speak numbered trains, pings, and a farewell.
    """

    wireFormat = WireFormat.TWO

    def setUp(self) -> None:
        super().setUp()
        self.peer = Format2Codec(Numbering(100))

    def receive(self, *frames: bytes) -> None:
        """
        Frames come in one read.
        """
        self.link.received(b"".join(frames))

    def heard(self, *frames: bytes) -> list[tuple[Kind, bytes]]:
        """
        @return: the frames without trains that the other end hears, in some bytes.
        """
        return Format2Codec(Numbering()).decode(b"".join(frames)).controls

    def settle(self) -> None:
        """
        The first ping is answered.
        """
        self.link.start()
        [(kind, payload)] = self.heard(*self.stream.said)
        self.assertIs(kind, Kind.PING)
        self.stream.said.clear()
        self.clock.advance(ROUND_TRIP)
        self.receive(controlFrame(Kind.PONG, payload))

    def test_trainsAreNumberedForTheSession(self) -> None:
        """
        Whichever tunnel they go by; nothing else is written with them.
        """
        self.assertIsInstance(self.link, Format2Link)
        self.session.outbound.numbering.next = 5
        frames = self.sent([ONE, OTHER])
        other = self.sent([OTHER], self.makeLink())
        self.assertEqual(self.peer.decode(frames), ([(5, ONE), (7, OTHER)], [], []))
        self.assertEqual(self.peer.decode(other), ([(8, OTHER)], [], []))

    def test_whatComesIsHandedOnWithItsNumbers(self) -> None:
        self.receive(self.peer.encode([ONE, OTHER]))
        self.assertEqual((self.session.numbers, self.session.trains), ([100, 102], [ONE, OTHER]))
        calls: list[object] = []
        self.patch(self.session, "numbered", lambda arrivals, _: calls.append(arrivals))
        frames = self.peer.encode([ONE, OTHER])
        self.receive(frames[:5])
        self.receive(frames[5:])
        self.receive(PING)
        self.assertEqual(calls, [[(103, ONE), (105, OTHER)]])

    def test_trainsAreHandedOnBeforeWhatEndsTheTunnel(self) -> None:
        """
        What came in the same read, before it or between.
        """
        trains: list[list[Train]] = []
        self.owner.whenTold = lambda: trains.append(list(self.session.trains))
        self.receive(PING, self.peer.encode([ONE]), DRAIN, BYE)
        self.assertEqual((self.owner.told, trains), (["drains", "leaves"], [[ONE], [ONE]]))

    def test_pathIsMeasuredAtOnce(self) -> None:
        self.assertEqual(self.link.roundTrip, 0)
        self.settle()
        self.assertEqual(self.link.roundTrip, ROUND_TRIP)
        self.assertEqual((self.session.roundTrips, self.stream.said), (1, []))

    def test_answerThatNobodyAskedForIsNothing(self) -> None:
        self.receive(PONG * 9)
        self.link.start()
        self.receive(PONG * 9)
        self.assertEqual((self.link.roundTrip, self.session.roundTrips), (0, 0))

    def test_pingIsAnsweredWithWhatItCarried(self) -> None:
        self.receive(PING)
        self.assertEqual(self.stream.said, [PONG])
        self.link.free()
        self.assertEqual(self.stream.said, [PONG])

    def test_ofSeveralPingsTheLastIsAnswered(self) -> None:
        """
        Of those that came in one read: nobody makes us write for each.
        """
        self.receive(*(controlFrame(Kind.PING, bytes([number] * 8)) for number in range(9)), PING)
        self.assertEqual(self.stream.said, [PONG])

    def test_answerWaitsUntilTheConnectionIsFree(self) -> None:
        self.owner.full = True
        self.receive(controlFrame(Kind.PING, bytes(8)))
        self.receive(PING)
        self.receive(PONG, DRAIN)
        self.link.free()
        self.assertEqual(self.stream.said, [])
        self.owner.full = False
        self.link.free()
        self.link.free()
        self.assertEqual(self.stream.said, [PONG])

    def test_queryIsAnsweredWithHowWeStand(self) -> None:
        """
        Once for all that came together.
        """
        self.owner.tells = ServerStatus(1_000, hasWay=True, refused=2)
        self.receive(QUERY, QUERY)
        self.assertEqual(self.stream.said, [controlFrame(Kind.STATUS, encodeStatus(self.owner.tells))])

    def test_queryWaitsUntilTheConnectionIsFree(self) -> None:
        """
        So no more than one answer waits.
        """
        self.owner.tells = ServerStatus(1_000, hasWay=False)
        self.owner.full = True
        self.receive(QUERY)
        self.receive(QUERY)
        self.assertEqual(self.stream.said, [])
        self.owner.full = False
        self.link.free()
        self.link.free()
        self.assertEqual(len(self.stream.said), 1)

    def test_queryIsAnsweredBeforeAPingBehindIt(self) -> None:
        """
        So its sender knows by the pong whether an answer comes.
        """
        self.owner.tells = ServerStatus(1_000, hasWay=True)
        self.receive(QUERY, PING)
        self.assertEqual(self.stream.said, [controlFrame(Kind.STATUS, encodeStatus(self.owner.tells)), PONG])

    def test_queryIsNotAnsweredByWhoHasNothingToTell(self) -> None:
        self.receive(QUERY)
        self.assertEqual(self.stream.said, [])

    def test_nothingIsOwedWhereNothingWasAsked(self) -> None:
        """
        A connection becomes free all the time.
        """
        self.link.free()
        self.assertEqual(self.stream.said, [])

    def test_pingRidesWithTheNextTrain(self) -> None:
        """
        When one is due: behind the train, with the same write, and only once.
        """
        self.settle()
        self.clock.advance(BUSY_SECONDS - ROUND_TRIP)
        frames = self.sent([ONE])
        arrivals, controls, _ = self.peer.decode(frames)
        self.assertEqual((arrivals, [kind for kind, _ in controls]), ([(0, ONE)], [Kind.PING]))
        self.assertEqual(frames[:-18], Format2Codec(Numbering()).encode([ONE]))
        self.assertEqual(self.heard(self.sent([ONE])), [])
        self.clock.advance(ROUND_TRIP)
        self.receive(controlFrame(Kind.PONG, controls[0][1]))
        self.assertEqual((self.session.roundTrips, self.stream.said), (2, []))

    def test_pingThatRodeIsNotFollowedByAnotherAtOnce(self) -> None:
        """
        Nothing was sent behind it that would have to be asked for.
        """
        self.settle()
        self.clock.advance(BUSY_SECONDS - ROUND_TRIP)
        [(_, payload)] = self.heard(self.sent([ONE]))
        self.clock.advance(ROUND_TRIP)
        self.receive(controlFrame(Kind.PONG, payload))
        self.clock.advance(BUSY_SECONDS)
        self.assertEqual(self.stream.said, [])

    def test_tunnelThatCarriesIsAskedInTime(self) -> None:
        self.settle()
        self.sent([ONE])
        self.clock.advance(BUSY_SECONDS - ROUND_TRIP)
        self.assertEqual([kind for kind, _ in self.heard(*self.stream.said)], [Kind.PING])

    def test_whatComesExtendsThePatience(self) -> None:
        for frames in (self.peer.encode([ONE]), PING, PING[:3]):
            self.setUp()
            self.settle()
            self.assertTrue(self.link.prove())
            self.receive(frames)
            self.clock.advance(LEAST_PATIENCE_SECONDS)
            self.assertEqual((self.session.says, self.owner.told), (["free"], []))
            self.clock.advance(LEAST_PATIENCE_SECONDS)
            self.assertEqual((self.session.says, self.owner.told), (["free", "gone"], ["overdue", "given up"]))

    def test_whatTheOtherProgramHasReadIsConfirmed(self) -> None:
        """
        By its answer: all that was sent before the question, and not what came after it.
        """
        self.settle()
        self.assertFalse(self.link.holdsUnacked())
        self.sent([ONE, OTHER])
        self.assertTrue(self.link.holdsUnacked())
        self.clock.advance(BUSY_SECONDS - ROUND_TRIP)
        [(_, payload)] = self.heard(*self.stream.said)
        self.sent([OTHER])
        self.receive(controlFrame(Kind.PONG, payload))
        self.assertEqual(self.link.takeUnacked(), [(3, OTHER)])
        self.assertFalse(self.link.holdsUnacked())
        self.assertEqual(self.link.takeUnacked(), [])

    def test_answerToAPingThatRodeConfirmsItsTrain(self) -> None:
        self.settle()
        self.clock.advance(BUSY_SECONDS - ROUND_TRIP)
        [(_, payload)] = self.heard(self.sent([ONE]))
        self.sent([OTHER])
        self.receive(controlFrame(Kind.PONG, payload))
        self.assertEqual(self.link.takeUnacked(), [(2, OTHER)])

    def test_whatTheKernelKnowsToHaveArrivedIsConfirmed(self) -> None:
        """
        It is asked when much is kept, before more is sent.
        """
        train = Train(1000, bytes(10_000))
        self.stream.inFlight = 25_000
        for _ in range(4):
            self.sent([train])
        self.stream.asked = 0
        while self.stream.asked == 0:
            self.sent([train])
        self.assertEqual(len(self.link.takeUnacked()), 4, "two and a half, and the one sent now")
        self.stream.inFlight, self.stream.asked = None, 0
        for _ in range(ASK_BYTES // 10_000 + 9):
            self.sent([train])
        self.assertEqual(len(self.link.takeUnacked()), ASK_BYTES // 10_000 + 9)
        self.assertEqual(self.stream.asked, 1, "where nobody tells, that is not asked again")

    def test_whatAnotherTunnelWasGivenKeepsItsNumbers(self) -> None:
        """
        The session's go on as if nothing had been sent, and it is not kept again.
        """
        self.sent([ONE])
        frames = self.sentAgain([(70, OTHER), (9, ONE)])
        self.assertEqual(self.peer.decode(frames), ([], [], [(70, OTHER), (9, ONE)]))
        self.assertEqual(self.peer.decode(self.sent([OTHER])), ([(2, OTHER)], [], []))
        self.assertEqual(self.link.takeUnacked(), [(0, ONE), (2, OTHER)])

    def test_whatComesAgainIsHandedOnAsThat(self) -> None:
        other = self.makeLink()
        self.receive(self.sentAgain([(7, ONE)], other), self.peer.encode([OTHER]), self.sentAgain([(3, OTHER)], other))
        self.assertEqual((self.session.repeated, self.session.trains), ([(7, ONE), (3, OTHER)], [OTHER]))

    def test_tunnelThatSendsAgainIsAskedInTime(self) -> None:
        self.settle()
        self.sentAgain([(0, ONE)])
        self.clock.advance(BUSY_SECONDS - ROUND_TRIP)
        self.assertEqual([kind for kind, _ in self.heard(*self.stream.said)], [Kind.PING])

    def test_silenceIsTold(self) -> None:
        """
        The session hears that the answer is overdue and that it came, the tunnel besides that
        it is given up.
        """
        self.link.start()
        self.clock.advance(FIRST_PATIENCE_SECONDS)
        self.assertEqual((self.session.says, self.owner.told), (["free", "gone"], ["overdue"]))
        self.clock.advance(GIVE_UP_SECONDS)
        self.assertEqual(self.owner.told, ["overdue", "given up"])
        [(_, payload)] = self.heard(*self.stream.said)
        self.receive(controlFrame(Kind.PONG, payload))
        self.assertEqual(self.session.says, ["free", "gone", "free"])
        self.assertEqual(self.owner.told, ["overdue", "given up", "came"])
        self.assertEqual(self.session.roundTrips, 1)

    def test_otherEndCanBeMadeToProveItself(self) -> None:
        self.settle()
        self.assertTrue(self.link.prove())
        self.assertEqual([kind for kind, _ in self.heard(*self.stream.said)], [Kind.PING])

    def test_drainIsSaidOnce(self) -> None:
        self.settle()
        self.sent([ONE])
        self.assertTrue(self.link.drain())
        self.assertTrue(self.link.drain())
        self.assertEqual((self.stream.said, self.session.says), ([DRAIN], ["free", "gone"]))
        self.assertEqual(self.link.takeUnacked(), [])
        self.assertNoTimer()
        self.link.prove()
        self.receive(self.peer.encode([ONE]), PING)
        self.assertEqual((self.stream.said, self.session.trains), ([DRAIN, PONG], [ONE]))

    def test_farewellIsSaid(self) -> None:
        self.link.bye()
        self.assertEqual(self.stream.said, [BYE])

    def test_peersFarewellIsTold(self) -> None:
        self.receive(DRAIN)
        self.assertEqual(self.owner.told, ["drains"])
        self.receive(BYE)
        self.assertEqual(self.owner.told, ["drains", "leaves"])

    def test_whatThePeerMayNotDoIsFoundFaultWith(self) -> None:
        """
        By the format or by the tunnel; it is the tunnel's to end then.
        """
        self.receive(b"\x7f" + PING)
        self.assertEqual(self.owner.faults, ["a frame of kind 127, which there is not"])
        self.owner.maySayBye = False
        self.makeLink().received(BYE + PING)
        self.assertEqual(self.owner.faults[1:], ["it may not leave"])
        self.assertEqual(self.stream.said, [])

    def test_linkMayEndInTheMiddleOfARead(self) -> None:
        """
        Its tunnel is closed when the other end leaves, and no timer is left.
        """
        self.link.start()
        [(_, payload)] = self.heard(*self.stream.said)
        self.owner.whenTold = partial(self.link.end, isLost=False)
        self.receive(BYE, controlFrame(Kind.PONG, payload), DRAIN)
        self.assertEqual((self.owner.told, self.session.roundTrips), (["leaves", "drains"], 0))
        self.assertNoTimer()

    def test_stoppedLinkAsksNothing(self) -> None:
        self.settle()
        self.clock.advance(BUSY_SECONDS)
        self.link.end(isLost=False)
        self.link.end(isLost=False)
        self.assertNoTimer()
        self.link.send([ONE], self.clock.seconds())
        self.link.sendAgain([(0, ONE)])
        self.assertEqual(self.stream.said, [])

    def test_slowPathIsNotTakenForADeadOne(self) -> None:
        """
        The ping waits behind what was written before it, and of that more and more is acknowledged.
        """
        self.settle()
        self.stream.inFlight = 50_000
        self.stream.path = PathStats(9, 0, ROUND_TRIP, ROUND_TRIP, acknowledged=1000)
        self.link.ask()
        for acknowledged in range(2000, 50_000, 4000):
            self.stream.path = PathStats(9, 0, ROUND_TRIP, ROUND_TRIP, acknowledged=acknowledged)
            self.clock.advance(LEAST_PATIENCE_SECONDS)
        self.assertEqual(self.owner.told, [])
        self.clock.advance(LEAST_PATIENCE_SECONDS)
        self.assertEqual(self.owner.told, ["overdue"])

    def test_linkAtRestPassesTheQueueThatTheOthersFill(self) -> None:
        """
        Its own kernel knows nothing of that.
        """
        self.settle()
        self.session.loadedRoundTrip = 1.5
        self.stream.path = PathStats(9, 0, ROUND_TRIP, ROUND_TRIP)
        self.link.ask()
        self.clock.advance(LEAST_PATIENCE_SECONDS)
        self.clock.advance(MOST_PATIENCE_SECONDS - LEAST_PATIENCE_SECONDS - 0.1)
        self.assertEqual(self.owner.told, [])
        self.clock.advance(0.2)
        self.assertEqual(self.owner.told, ["overdue"])

    def test_pingWithTrainsIsMeasuredBehindThem(self) -> None:
        self.settle()
        self.clock.advance(BUSY_SECONDS + IDLE_SECONDS)
        self.stream.path = PathStats(9, 0, ROUND_TRIP, ROUND_TRIP, acknowledged=1000)
        self.stream.inFlight = 50_000
        self.assertIn(Kind.PING, self.sent([ONE]))
        self.stream.path = PathStats(9, 0, ROUND_TRIP, ROUND_TRIP, acknowledged=30_000)
        self.clock.advance(LEAST_PATIENCE_SECONDS)
        self.assertEqual(self.owner.told, [])

    def test_idleLinkIsAskedInTheTimeOfItsOwner(self) -> None:
        """
        Which begins anew when the other end asks.
        """
        self.assertEqual((Tunnel.idleSeconds, AcceptedTunnel.idleSeconds), (IDLE_SECONDS, ACCEPTED_IDLE_SECONDS))
        self.owner.idleSeconds = 100.0
        self.link = self.makeLink()
        self.settle()
        self.clock.advance(BUSY_SECONDS)
        for _ in range(3):
            self.clock.advance(90.0)
            self.stream.said.clear()
            self.receive(PING)
            self.assertEqual(len(self.stream.said), 1)  # the answer
        self.clock.advance(99.0)
        self.assertEqual(len(self.stream.said), 1)
        self.clock.advance(1.0)
        self.assertEqual(len(self.stream.said), 2)

    def test_linkIsAskedUnlessItCarriesNothingAnyMore(self) -> None:
        self.settle()
        self.stream.said.clear()
        self.link.ask()
        self.link.ask()
        self.assertEqual(len(self.stream.said), 1)
        self.link.end(isLost=False)
        self.link.ask()
        self.assertEqual(len(self.stream.said), 1)

    def test_nudgeSaysNothing(self) -> None:
        """
        The other end acknowledges it, and hands nothing on.  A link that is full, or carries
        nothing any more, has no room for it.
        """
        self.settle()
        self.sent([ONE])
        self.link.nudge()
        [nudge] = self.stream.said
        self.assertEqual(nudge, controlFrame(Kind.PADDING))
        self.receive(nudge)
        self.assertEqual((self.session.trains, self.stream.said, self.owner.told), ([], [nudge], []))
        self.owner.full = True
        self.link.nudge()
        self.owner.full = False
        self.link.drain()
        self.link.nudge()
        self.assertEqual(self.stream.said, [nudge, DRAIN])

    def test_kernelLearnsOfALongPathOnce(self) -> None:
        """
        And when the path becomes short again.
        """
        for roundTrip in (0.04, 2.4, 2.5, 4.0, 4.1, 0.5, 0.04):
            self.link.allowSilence(roundTrip)
        self.assertEqual(self.stream.roundTrips, [0.0, 2.4, 4.0, 0.0])

    def test_kernelIsToldARateOnce(self) -> None:
        for rate in (None, 8192, 8192, 4096, None, None):
            self.link.boundRate(rate)
        self.assertEqual(self.stream.rates, [8192, 4096, None])

    def test_kernelIsToldToHaveLittleUnsent(self) -> None:
        for isBounded in (True, False):
            self.link.boundUnsent(isBounded=isBounded)
        self.assertEqual(self.stream.unsentBounds, [True, False])

    def test_whatTheKernelHasNotSentIsTaken(self) -> None:
        """
        Once, and also while the connection repeats something.
        """
        for _ in range(4):
            self.sent([ONE])
        self.sent([OTHER])
        self.patch(self.link, "cost", lambda: TROUBLED + HEADER.size + len(OTHER.payload) + 1)
        self.assertEqual(self.link.takeUnsent(), [(6, ONE), (8, OTHER)])
        self.assertEqual(self.link.takeUnacked(), [(0, ONE), (2, ONE), (4, ONE)])
        self.sent([ONE])
        self.patch(self.link, "cost", lambda: 0)
        self.assertEqual(self.link.takeUnsent(), [])
        self.patch(self.link, "cost", lambda: 1)
        self.link.drain()
        self.assertEqual(self.link.takeUnsent(), [])

    def test_whatHasNotComeIsTold(self) -> None:
        self.link.report([(7, 1), (LAST_NUMBER, 3)])
        self.assertEqual(self.stream.said, [missingFrame([(7, 1), (LAST_NUMBER, 3)])])
        self.stream.said.clear()
        self.owner.full = True
        self.link.report([(7, 1)])
        self.owner.full = False
        self.link.end(isLost=False)
        self.link.report([(7, 1)])
        self.assertEqual(self.stream.said, [])

    def test_whatTheOtherEndMissesIsHandedOn(self) -> None:
        """
        Also between trains, and behind a drain.
        """
        self.receive(self.peer.encode([ONE]), missingFrame([(7, 2)]), self.peer.encode([OTHER]))
        self.receive(missingFrame([(LAST_NUMBER, 2), (5, 1)])[:15])
        self.assertEqual(self.session.missing, [(7, 2)])
        self.receive(missingFrame([(LAST_NUMBER, 2), (5, 1)])[15:], DRAIN, missingFrame([(9, 1)]))
        self.assertEqual(self.session.missing, [(7, 2), (LAST_NUMBER, 2), (5, 1), (9, 1)])

    def test_whatIsMissedIsFoundWhereItWasSent(self) -> None:
        """
        With the numbers that it has; and nothing behind a drain, after which all has arrived or is lost.
        """
        self.assertIs(self.link.numbers, True)
        self.sent([ONE, OTHER])
        self.assertEqual(self.link.unackedWithin(1, 2, 99, math.inf), [(1, Train(3, b"two")), (2, OTHER)])
        self.assertTrue(self.link.holdsUnacked())
        self.link.drain()
        self.assertEqual(self.link.unackedWithin(1, 2, 99, math.inf), [])

    def test_kernelAcknowledgesAtOnceWhatComesWhenAsked(self) -> None:
        """
        Whatever comes: the other end wants to know which connections wait for a repair.  It is not told of what
        is longer than a segment, which it acknowledges at once anyway.
        """
        self.receive(self.peer.encode([ONE]))
        self.assertEqual(self.stream.acknowledges, 0)
        self.session.acknowledgesSoon = True
        self.receive(self.peer.encode([ONE]))
        self.receive(PING)
        self.receive(self.sentAgain([(7, ONE)], self.makeLink()))
        self.assertEqual(self.stream.acknowledges, 3)
        self.receive(self.peer.encode([Train(MUCH_BYTES, bytes(MUCH_BYTES))]))
        self.assertEqual(self.stream.acknowledges, 3)

    def test_kernelAcknowledgesAllAtOnceForWhoGoesThroughAProxy(self) -> None:
        link = Format2Link(self.stream, self.owner, self.session, self.clock, quickAcks=True)
        link.received(self.peer.encode([ONE]))
        link.received(PING)
        self.assertEqual(self.stream.acknowledges, 2)

    def test_kernelIsToldABoundOnce(self) -> None:
        for bound in (None, 8192, 8192, 4096, None, None):
            self.link.boundInFlight(bound)
        self.assertEqual(self.stream.bounds, [8192, 4096, None])

    def test_longPathIsKnownFromTheBeginning(self) -> None:
        self.stream.path = PathStats(9, 0, 2.4, 2.4)
        self.makeLink().start()
        self.assertEqual(self.stream.roundTrips, [2.4])

    def test_kernelIsTheLessPatientOnceTheTunnelIsOpen(self) -> None:
        """
        Also where it does not tell the round trip: before that it waits as long as any path needs.
        """
        for path in (None, PathStats(9, 0, 0.04, 0.04)):
            self.stream.path = path
            self.stream.roundTrips.clear()
            self.makeLink().start()
            self.assertEqual(self.stream.roundTrips, [0.0])

    def test_statisticsTellHowTheLinkStands(self) -> None:
        self.settle()
        carried = len(self.whatCame())
        written = self.link.carried - carried
        path = PathStats(9, 1, 0.125, 0.0625)
        self.stream.path = path
        self.assertEqual(
            self.link.statistics(),
            LinkStatistics(
                bytesOut=written, bytesIn=carried, roundTrip=ROUND_TRIP, unackedBytes=0, queuedBytes=0, path=path
            ),
        )
        frames = self.sent([ONE])
        told = self.link.statistics()
        self.assertEqual((told.bytesOut, told.unackedBytes), (written + len(frames), 6 + TRAIN_OVERHEAD_BYTES))
        self.link.end(isLost=True)
        self.assertEqual(self.link.statistics().unackedBytes, 0)

    def whatCame(self) -> bytes:
        """
        @return: what has come so far: the answer to the first ping.
        """
        return controlFrame(Kind.PONG, bytes(8))


class FloodTests(_LinkTestCase):
    """
    Bring more in one read than one turn is for.
    """

    wireFormat = WireFormat.ONE

    def setUp(self) -> None:
        super().setUp()
        self.session.allowance = self.allowance = Turns(self.clock).allowanceOf("somebody")

    def flood(self, wireFormat: WireFormat, frames: bytes) -> tuple[TunnelLink, list[int]]:
        """
        Let frames come, and turns pass until all of them are worked off.

        @return: the link, and how many datagrams there were after each turn.
        """
        self.session.trains.clear()
        self.session.repeated.clear()
        link = self.makeLink(wireFormat)
        link.received(frames)
        counts = [len(self.session.trains) + len(self.session.repeated)]
        while self.clock.getDelayedCalls():
            self.clock.turn()
            counts.append(len(self.session.trains) + len(self.session.repeated))
        return link, counts

    def test_whatIsTooMuchForOneTurnWaitsForTheNext(self) -> None:
        """
        In either format, whatever is sent, each turn brings something and none brings much.
        """
        numbered = b"".join(HEADER.pack(Kind.TRAIN, 0, 0, 0, number) for number in range(2000))
        again = b"".join(HEADER.pack(Kind.TRAIN, 1, 1, 1, 2 * number) + b"a" for number in range(2000))
        for wireFormat, frames in (
            (WireFormat.ONE, b"\0\0" * 2000),
            (WireFormat.TWO, numbered),
            (WireFormat.TWO, again),
        ):
            _, counts = self.flood(wireFormat, frames)
            self.assertEqual(counts[-1], 2000)
            steps = [after - before for before, after in pairwise(counts)]
            self.assertLessEqual(max(counts[0], *steps), OWNER_UNITS + PORTION_UNITS)
            self.assertTrue(all(after > before for before, after in pairwise(counts) if before < 2000))

    def test_otherFramesAreBoundedToo(self) -> None:
        """
        And a ping among them is answered, once for each portion at the most.
        """
        missing = missingFrame([(7, 1)])
        for frame in (PING, PONG, controlFrame(Kind.PADDING), controlFrame(Kind.PADDING, bytes(5)), missing):
            self.stream.said.clear()
            _, counts = self.flood(WireFormat.TWO, frame * 1000)
            self.assertGreater(len(counts), 1000 // (OWNER_UNITS + PORTION_UNITS))
            self.assertLessEqual(len(self.stream.said), 1000 // PORTION_UNITS + 1)

    def test_searchForWhatIsMissingIsCountedToo(self) -> None:
        """
        Each frame asks for what a long search does not find; so each costs a turn at least.
        """
        session = Session(lambda _: None, Drops(), self.clock, self.allowance)
        links = [Format2Link(self.stream, self.owner, session, self.clock) for _ in range(4)]
        for link in links:
            session.outbound.linkFree(link)
            for _ in range(MAX_KEPT_BYTES // TRAIN_OVERHEAD_BYTES):
                link.send([Train(1, b"a")], self.clock.seconds())
        frame = missingFrame([(number, 1) for number in range(1 << 30, (1 << 30) + 16)])
        turns = 0
        for _ in range(10):
            self.clock.advance(1.0)
            links[0].received(frame)
            links[0].received(controlFrame(Kind.PADDING) * PORTION_UNITS * 2)
            while self.clock.getDelayedCalls() and links[0]._codec.rest:
                self.clock.turn()
                turns += 1
        self.assertGreaterEqual(turns, 10)
        for link in links:
            link.end(isLost=False)
        session.finish(lambda: None)
        self.settle()

    def test_readThatBringsNothingWholeIsCountedToo(self) -> None:
        """
        Whoever sends byte after byte, in many tunnels, has no more than his turn.
        """
        padding = HEADER.pack(Kind.PADDING, 0, 0, 60000, 0)
        for wireFormat, start in (
            (WireFormat.ONE, b"\xff\xff"),
            (WireFormat.TWO, HEADER.pack(Kind.TRAIN, 0, 60000, 60000, 0)),
            (WireFormat.TWO, padding),
        ):
            self.session.allowance = allowance = Turns(self.clock).allowanceOf("somebody")
            links = [self.makeLink(wireFormat) for _ in range(READ_UNITS)]
            for link in links:
                link.received(start)
            self.settle()
            reads = 0
            for link in links:
                if not allowance.owner.isExhausted:
                    link.received(b"x")
                    reads += 1
            self.assertLess(reads, READ_UNITS, wireFormat)
            self.settle()

    def test_whatWaitsIsNotHandedOnAfterTheEnd(self) -> None:
        for wireFormat, frames in (
            (WireFormat.ONE, b"\0\0" * 2000),
            (WireFormat.TWO, HEADER.pack(0, 0, 0, 0, 0) * 2000),
        ):
            self.session.trains.clear()
            link = self.makeLink(wireFormat)
            link.received(frames)
            before = len(self.session.trains)
            link.end(isLost=True)
            while self.clock.getDelayedCalls():
                self.clock.turn()
            self.assertEqual(len(self.session.trains), before)

    def test_aFaultBehindWhatWaitsIsFound(self) -> None:
        link = self.makeLink(WireFormat.TWO)
        link.received(HEADER.pack(0, 0, 0, 0, 0) * 500 + b"\7" * 12)
        self.assertEqual(self.owner.faults, [])
        while self.clock.getDelayedCalls():
            self.clock.turn()
        self.assertEqual(len(self.session.trains), 500 // PORTION_UNITS * PORTION_UNITS)
        self.assertEqual(len(self.owner.faults), 1)

    def test_moreThatComesMeanwhileStandsBehind(self) -> None:
        """
        A stream reads nothing meanwhile; but what was read with the hello comes on its own.
        """
        for wireFormat, frame in ((WireFormat.ONE, b"\0\1%c"), (WireFormat.TWO, HEADER.pack(0, 0, 1, 1, 7) + b"%c")):
            self.session.trains.clear()
            link = self.makeLink(wireFormat)
            link.received(frame % 1 * 300)
            link.received(frame % 2 * 3)
            while self.clock.getDelayedCalls():
                self.clock.turn()
            self.assertEqual(b"".join(train.payload for train in self.session.trains), b"\1" * 300 + b"\2" * 3)


class UndecodedTests(_LinkTestCase):
    """
    Let long frames come in part, and more at one go than can be decoded in a turn.
    """

    wireFormat = WireFormat.ONE

    def links(self, wireFormat: WireFormat, data: bytes, size: int = MEMORY_BYTES) -> tuple[Memory, list[TunnelLink]]:
        """
        @param data: what comes through each of them.
        @param size: of the memory, in bytes.
        @return: the memory of a process, and links of one owner.
        """
        memory = Memory(size)
        turns = Turns(self.clock, memory)
        links = []
        for _ in range(40):
            self.session.allowance = turns.allowanceOf("somebody")
            links.append(self.makeLink(wireFormat))
            links[-1].received(data)
        return memory, links

    def unfinished(self, wireFormat: WireFormat) -> tuple[Memory, list[TunnelLink]]:
        """
        @return: the memory of a process, and links of one owner that have each got most of a frame.
        """
        start = b"\xff\xff" if wireFormat is WireFormat.ONE else HEADER.pack(Kind.TRAIN, 0, 65000, 65000, 0)
        memory, links = self.links(wireFormat, start + bytes(60000))
        self.settle()
        return memory, links

    def test_whatIsUnfinishedCountsInTheMemoryOfItsOwner(self) -> None:
        """
        When there is none left, whoever leaves one more frame unfinished loses its tunnel.
        """
        for wireFormat in WireFormat:
            self.owner.faults.clear()
            memory, links = self.unfinished(wireFormat)
            self.assertLessEqual(memory.used, memory.bytes)
            self.assertGreater(len(self.owner.faults), 10)
            self.assertLess(len(self.owner.faults), 40)
            self.assertIn("no memory is left", self.owner.faults[0])
            length = 65535 if wireFormat is WireFormat.ONE else 65000
            links[0].received(bytes(length - 60000))
            self.assertEqual(len(self.session.trains[-1].payload), length)

    def test_tunnelsThatRestLeaveRoomForIt(self) -> None:
        """
        However many have carried something.
        """
        memory = Memory(MEMORY_BYTES)
        turns = Turns(self.clock, memory)
        for _ in range(64):
            self.session.allowance = turns.allowanceOf("somebody")
            link = self.makeLink(WireFormat.TWO)
            self.sent([ONE], link)
            link.start()
            ping = Format2Codec(Numbering()).decode(self.stream.said.pop()).controls[0][1]
            link.received(controlFrame(Kind.PONG, ping))
            self.clock.turn()
        self.assertEqual(memory.used, 0)
        self.makeLink().received(b"\xff\xff" + bytes(60000))
        self.assertEqual(self.owner.faults, [])

    def test_whatIsLeftToTheNextTurnsCountsToo(self) -> None:
        """
        Until it is worked off.
        """
        for wireFormat, frame in ((WireFormat.ONE, b"\0\0"), (WireFormat.TWO, HEADER.pack(Kind.TRAIN, 0, 0, 0, 0))):
            memory, links = self.links(wireFormat, frame * (9600 // len(frame)), Memory().bytes)
            rests = [len(link._codec.rest) for link in links if isinstance(link, Format1Link | Format2Link)]
            self.assertGreater(sum(rests), 38 * 9000)
            self.assertGreaterEqual(memory.used, sum(rests))
            self.settle()
            self.assertEqual((memory.used, self.owner.faults), (0, []))

    def test_thereIsNoMoreOfItThanThereIsMemory(self) -> None:
        """
        Whoever sends still more of it loses its tunnel, and what others have sent is worked off.
        """
        for wireFormat, frame in ((WireFormat.ONE, b"\0\0"), (WireFormat.TWO, HEADER.pack(Kind.TRAIN, 0, 0, 0, 0))):
            self.owner.faults.clear()
            memory, _ = self.links(wireFormat, frame * (9600 // len(frame)), MEMORY_BYTES // 4)
            self.assertLessEqual(memory.used, memory.bytes)
            self.assertGreater(len(self.owner.faults), 5)
            self.assertLess(len(self.owner.faults), 30)
            self.assertIn("no memory is left", self.owner.faults[0])
            self.settle()
            self.assertEqual(memory.used, 0)

    def test_twoReadsAndALongFrameAreNotTooMuch(self) -> None:
        """
        What was read with the hello may wait when the first read comes.
        """
        self.assertGreater(MAX_UNDECODED_BYTES, 2 * (READ_BYTES + RECORD_BYTES) + 65537)
        memory, [link, *_] = self.links(WireFormat.ONE, b"\0\0", Memory().bytes)
        link.received(b"\xff\xff" + bytes(65534))
        for _ in range(2):
            link.received(bytes(READ_BYTES + RECORD_BYTES))
        self.assertGreater(memory.used, 160_000)
        self.assertEqual(self.owner.faults, [])
        self.settle()

    def test_roomFollowsWhatIsThere(self) -> None:
        """
        A long frame behind a longer one takes no more than it needs.
        """
        memory, [link, *_] = self.links(WireFormat.ONE, b"", Memory().bytes)
        self.settle()
        link.received(b"\xff\xff" + bytes(60000))
        self.assertGreaterEqual(memory.used, 60000)
        link.received(bytes(5535) + b"\xff\xff" + bytes(5000))
        self.assertGreaterEqual(memory.used, 5000)
        self.assertLess(memory.used, 20000)

    def test_finishedFrameTakesNone(self) -> None:
        memory, links = self.unfinished(WireFormat.ONE)
        before = memory.used
        links[0].received(bytes(5535))
        self.assertLess(memory.used, before)
