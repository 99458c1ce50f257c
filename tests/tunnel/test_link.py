"""
What is spoken on an open tunnel, in each format.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.doubles.contracts import TimerTestCase
from tests.doubles.twins import MemoryTunnel, RecordingSession
from uotp.errors import PeerError
from uotp.train import Numbering, Train
from uotp.tunnel.heartbeat import BUSY_SECONDS, FIRST_PATIENCE_SECONDS, GIVE_UP_SECONDS, LEAST_PATIENCE_SECONDS
from uotp.tunnel.link import Link, Speaker
from uotp.tunnel.link1 import Format1Link
from uotp.tunnel.link2 import Format2Link
from uotp.tunnel.links import makeLink
from uotp.tunnel.readiness import Readiness
from uotp.tunnel.unacked import ASK_BYTES
from uotp.wire.format1 import Format1Codec
from uotp.wire.format2 import Format2Codec, Kind, controlFrame
from uotp.wire.hello import WireFormat

ROUND_TRIP = 0.0625
"""Of the path, in seconds."""

ONE = Train(3, b"onetwo")
OTHER = Train(5, b"three")

ASKED = bytes(range(8))
"""What a ping of the other end carries."""

PING = controlFrame(Kind.PING, ASKED)
PONG = controlFrame(Kind.PONG, ASKED)
DRAIN = controlFrame(Kind.DRAIN)
BYE = controlFrame(Kind.BYE)


class RecordingSpeaker:
    """
    A tunnel that keeps what its conversation says and tells it.

    @ivar giveUpSeconds: as the heartbeat of a client's end has it.

    @ivar said: frames, write by write.
    @ivar told: "given up", "drains" and "leaves", in order.
    @ivar full: whether the connection holds as much as it wants to.
    @ivar maySayBye: whether the other end may leave.
    @ivar inFlight: what has not been acknowledged.
    @ivar asked: how often somebody wanted to know that.
    @ivar whenTold: called each time.
    """

    def __init__(self) -> None:
        self.giveUpSeconds = GIVE_UP_SECONDS
        self.said: list[bytes] = []
        self.told: list[str] = []
        self.full = False
        self.maySayBye = True
        self.inFlight: int | None = None
        self.asked = 0
        self.whenTold: Callable[[], None] = lambda: None

    def say(self, frames: bytes) -> None:
        """
        Keep it.
        """
        self.said.append(frames)

    def pathRoundTrip(self) -> float:
        """
        Nobody tells.
        """
        return 0.0

    def isFull(self) -> bool:
        """
        As the test has set it.
        """
        return self.full

    def unacknowledged(self) -> int | None:
        """
        As the test has set it.
        """
        self.asked += 1
        return self.inFlight

    def _keep(self, told: str) -> None:
        self.told.append(told)
        self.whenTold()

    def pongGivenUp(self) -> None:
        """
        Keep it.
        """
        self._keep("given up")

    def peerDrained(self) -> None:
        """
        Keep it.
        """
        self._keep("drains")

    def peerLeft(self) -> None:
        """
        Keep it, or find fault with it.
        """
        self._keep("leaves")
        if not self.maySayBye:
            reason = "it may not leave"
            raise PeerError(reason)


_speaker: type[Speaker] = RecordingSpeaker


class _ConversationTestCase(TimerTestCase):
    """
    Tests of one conversation, which is stopped in the end.
    """

    wireFormat: WireFormat

    def setUp(self) -> None:
        """
        Make it, and those around it.
        """
        super().setUp()
        self.clock.advance(1000.0)
        self.speaker = RecordingSpeaker()
        self.session = RecordingSession()
        self.conversation = self.makeLink()

    def makeLink(self, wireFormat: WireFormat | None = None) -> Link:
        """
        @return: another conversation of the same tunnel, which is stopped in the end.
        """
        readiness = Readiness(MemoryTunnel(), self.session, full=False)
        conversation = makeLink(wireFormat or self.wireFormat, self.clock, self.speaker, self.session, readiness)
        self.addCleanup(conversation.stop)
        return conversation


class Format1ConversationTests(_ConversationTestCase):
    """
    Trains, and nothing else.
    """

    wireFormat = WireFormat.ONE

    def test_trainsAreWrittenAsTheFormatHasIt(self) -> None:
        """
        Datagram by datagram, each behind its length.
        """
        self.assertIsInstance(self.conversation, Format1Link)
        self.assertEqual(self.conversation.encode([ONE, OTHER]), b"\0\3one\0\3two\0\5three")

    def test_whatComesIsHandedOn(self) -> None:
        """
        As soon as something is whole, and nobody is called for nothing.
        """
        stream = Format1Codec().encode([ONE, OTHER])
        calls: list[list[Train]] = []
        self.patch(self.session, "trainsFromTunnel", calls.append)
        for start in range(len(stream)):
            self.conversation.received(stream[start : start + 1])
        self.assertEqual(b"".join(train.payload for trains in calls for train in trains), b"onetwothree")
        self.assertNotIn([], calls)
        self.assertEqual(self.session.numbers, [])

    def test_nothingElseCanBeSaid(self) -> None:
        """
        Nobody can be asked whether he lives, and no end be announced; and where there are
        no numbers, nothing is kept.
        """
        self.conversation.encode([ONE])
        self.assertEqual((self.conversation.holdsUnconfirmed(), self.conversation.unconfirmed()), (False, []))
        self.assertEqual(self.conversation.encodeAgain([(5, ONE), (0, OTHER)]), b"")
        self.conversation.start()
        self.conversation.full()
        self.assertEqual(self.session.says, ["free", "full"])
        self.conversation.free()
        self.assertEqual(self.session.says, ["free", "full", "free"])
        self.assertIs(self.conversation.prove(), False)
        self.assertIs(self.conversation.drain(), False)
        self.conversation.bye()
        self.conversation.stop()
        self.assertEqual(self.session.says, ["free", "full", "free", "gone"])
        self.assertEqual((self.speaker.said, self.speaker.told), ([], []))
        self.assertEqual(self.conversation.roundTrip, 0)
        self.assertNoTimer()


class Format2ConversationTests(_ConversationTestCase):
    """
    Numbered trains, pings, and a farewell.
    """

    wireFormat = WireFormat.TWO

    def setUp(self) -> None:
        """
        Be the other end, too.
        """
        super().setUp()
        self.peer = Format2Codec(Numbering(100))

    def receive(self, *frames: bytes) -> None:
        """
        Frames come in one read.
        """
        self.conversation.received(b"".join(frames))

    def heard(self, *frames: bytes) -> list[tuple[Kind, bytes]]:
        """
        @return: the frames without trains that the other end hears, in some bytes.
        """
        return Format2Codec(Numbering()).decode(b"".join(frames)).controls

    def settle(self) -> None:
        """
        The first ping is answered.
        """
        self.conversation.start()
        [(kind, payload)] = self.heard(*self.speaker.said)
        self.assertIs(kind, Kind.PING)
        self.speaker.said.clear()
        self.clock.advance(ROUND_TRIP)
        self.receive(controlFrame(Kind.PONG, payload))

    def test_trainsAreNumberedForTheSession(self) -> None:
        """
        Whichever tunnel they go by; nothing else is written with them.
        """
        self.assertIsInstance(self.conversation, Format2Link)
        self.session.numbering.next = 5
        frames = self.conversation.encode([ONE, OTHER])
        other = self.makeLink().encode([OTHER])
        self.assertEqual(self.peer.decode(frames), ([(5, ONE), (7, OTHER)], [], []))
        self.assertEqual(self.peer.decode(other), ([(8, OTHER)], [], []))

    def test_whatComesIsHandedOnWithItsNumbers(self) -> None:
        """
        In one call for each read, and nobody is called for nothing.
        """
        self.receive(self.peer.encode([ONE, OTHER]))
        self.assertEqual((self.session.numbers, self.session.trains), ([100, 102], [ONE, OTHER]))
        calls: list[object] = []
        self.patch(self.session, "numberedFromTunnel", calls.append)
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
        self.speaker.whenTold = lambda: trains.append(list(self.session.trains))
        self.receive(PING, self.peer.encode([ONE]), DRAIN, BYE)
        self.assertEqual((self.speaker.told, trains), (["drains", "leaves"], [[ONE], [ONE]]))

    def test_pathIsMeasuredAtOnce(self) -> None:
        """
        The session hears when it is known.
        """
        self.assertEqual(self.conversation.roundTrip, 0)
        self.settle()
        self.assertEqual(self.conversation.roundTrip, ROUND_TRIP)
        self.assertEqual((self.session.roundTrips, self.speaker.said), (1, []))

    def test_answerThatNobodyAskedForIsNothing(self) -> None:
        """
        However many there are: they cost the session no work.
        """
        self.receive(PONG * 9)
        self.conversation.start()
        self.receive(PONG * 9)
        self.assertEqual((self.conversation.roundTrip, self.session.roundTrips), (0, 0))

    def test_pingIsAnsweredWithWhatItCarried(self) -> None:
        """
        At once, with one write.
        """
        self.receive(PING)
        self.assertEqual(self.speaker.said, [PONG])
        self.conversation.free()
        self.assertEqual(self.speaker.said, [PONG])

    def test_ofSeveralPingsTheLastIsAnswered(self) -> None:
        """
        Of those that came in one read: nobody makes us write for each.
        """
        self.receive(*(controlFrame(Kind.PING, bytes([number] * 8)) for number in range(9)), PING)
        self.assertEqual(self.speaker.said, [PONG])

    def test_answerWaitsUntilTheConnectionIsFree(self) -> None:
        """
        One at most, the latest, and once.
        """
        self.speaker.full = True
        self.receive(controlFrame(Kind.PING, bytes(8)))
        self.receive(PING)
        self.receive(PONG, DRAIN)
        self.conversation.free()
        self.assertEqual(self.speaker.said, [])
        self.speaker.full = False
        self.conversation.free()
        self.conversation.free()
        self.assertEqual(self.speaker.said, [PONG])

    def test_nothingIsOwedWhereNothingWasAsked(self) -> None:
        """
        A connection becomes free all the time.
        """
        self.conversation.free()
        self.assertEqual(self.speaker.said, [])

    def test_pingRidesWithTheNextTrain(self) -> None:
        """
        When one is due: behind the train, with the same write, and only once.
        """
        self.settle()
        self.clock.advance(BUSY_SECONDS - ROUND_TRIP)
        frames = self.conversation.encode([ONE])
        arrivals, controls, _ = self.peer.decode(frames)
        self.assertEqual((arrivals, [kind for kind, _ in controls]), ([(0, ONE)], [Kind.PING]))
        self.assertEqual(frames[:-18], Format2Codec(Numbering()).encode([ONE]))
        self.assertEqual(self.heard(self.conversation.encode([ONE])), [])
        self.clock.advance(ROUND_TRIP)
        self.receive(controlFrame(Kind.PONG, controls[0][1]))
        self.assertEqual((self.session.roundTrips, self.speaker.said), (2, []))

    def test_tunnelThatCarriesIsAskedInTime(self) -> None:
        """
        Without a train if there is none just then.
        """
        self.settle()
        self.conversation.encode([ONE])
        self.clock.advance(BUSY_SECONDS - ROUND_TRIP)
        self.assertEqual([kind for kind, _ in self.heard(*self.speaker.said)], [Kind.PING])

    def test_whatComesExtendsThePatience(self) -> None:
        """
        Be it a train, a ping, or a part of one.
        """
        for frames in (self.peer.encode([ONE]), PING, PING[:3]):
            self.setUp()
            self.settle()
            self.assertTrue(self.conversation.prove())
            self.receive(frames)
            self.clock.advance(LEAST_PATIENCE_SECONDS)
            self.assertEqual((self.session.says, self.speaker.told), (["free"], []))
            self.clock.advance(LEAST_PATIENCE_SECONDS)
            self.assertEqual((self.session.says, self.speaker.told), (["free", "gone"], ["given up"]))

    def test_whatTheOtherProgramHasReadIsConfirmed(self) -> None:
        """
        By its answer: all that was sent before the question, and not what came after it.
        """
        self.settle()
        self.assertFalse(self.conversation.holdsUnconfirmed())
        self.conversation.encode([ONE, OTHER])
        self.assertTrue(self.conversation.holdsUnconfirmed())
        self.clock.advance(BUSY_SECONDS - ROUND_TRIP)
        [(_, payload)] = self.heard(*self.speaker.said)
        self.conversation.encode([OTHER])
        self.receive(controlFrame(Kind.PONG, payload))
        self.assertEqual(self.conversation.unconfirmed(), [(3, OTHER)])
        self.assertFalse(self.conversation.holdsUnconfirmed())
        self.assertEqual(self.conversation.unconfirmed(), [])

    def test_answerToAPingThatRodeConfirmsItsTrain(self) -> None:
        """
        It stands before the ping.
        """
        self.settle()
        self.clock.advance(BUSY_SECONDS - ROUND_TRIP)
        [(_, payload)] = self.heard(self.conversation.encode([ONE]))
        self.conversation.encode([OTHER])
        self.receive(controlFrame(Kind.PONG, payload))
        self.assertEqual(self.conversation.unconfirmed(), [(2, OTHER)])

    def test_whatTheKernelKnowsToHaveArrivedIsConfirmed(self) -> None:
        """
        It is asked when much is kept, before more is sent.
        """
        train = Train(1000, bytes(10_000))
        while self.speaker.asked == 0:
            self.speaker.inFlight = 25_000
            self.conversation.encode([train])
        self.assertEqual(len(self.conversation.unconfirmed()), 4, "two and a half, and the one sent now")
        self.speaker.inFlight, self.speaker.asked = None, 0
        for _ in range(ASK_BYTES // 10_000 + 9):
            self.conversation.encode([train])
        self.assertEqual(len(self.conversation.unconfirmed()), ASK_BYTES // 10_000 + 9)
        self.assertEqual(self.speaker.asked, 1, "where nobody tells, that is not asked again")

    def test_whatAnotherTunnelWasGivenKeepsItsNumbers(self) -> None:
        """
        The session's go on as if nothing had been sent, and it is not kept again.
        """
        self.conversation.encode([ONE])
        frames = self.conversation.encodeAgain([(70, OTHER), (9, ONE)])
        self.assertEqual(self.peer.decode(frames), ([], [], [(70, OTHER), (9, ONE)]))
        self.assertEqual(self.peer.decode(self.conversation.encode([OTHER])), ([(2, OTHER)], [], []))
        self.assertEqual(self.conversation.unconfirmed(), [(0, ONE), (2, OTHER)])

    def test_whatComesAgainIsHandedOnAsThat(self) -> None:
        """
        Beside what comes for the first time.
        """
        other = self.makeLink()
        self.receive(other.encodeAgain([(7, ONE)]), self.peer.encode([OTHER]), other.encodeAgain([(3, OTHER)]))
        self.assertEqual((self.session.again, self.session.trains), ([(7, ONE), (3, OTHER)], [OTHER]))

    def test_tunnelThatSendsAgainIsAskedInTime(self) -> None:
        """
        As one that carries.
        """
        self.settle()
        self.conversation.encodeAgain([(0, ONE)])
        self.clock.advance(BUSY_SECONDS - ROUND_TRIP)
        self.assertEqual([kind for kind, _ in self.heard(*self.speaker.said)], [Kind.PING])

    def test_silenceIsTold(self) -> None:
        """
        The session hears that the answer is overdue and that it came, the tunnel that it
        is given up.
        """
        self.conversation.start()
        self.clock.advance(FIRST_PATIENCE_SECONDS)
        self.assertEqual((self.session.says, self.speaker.told), (["free", "gone"], []))
        self.clock.advance(GIVE_UP_SECONDS)
        self.assertEqual(self.speaker.told, ["given up"])
        [(_, payload)] = self.heard(*self.speaker.said)
        self.receive(controlFrame(Kind.PONG, payload))
        self.assertEqual((self.session.says, self.speaker.told), (["free", "gone", "free"], ["given up"]))
        self.assertEqual(self.session.roundTrips, 1)

    def test_otherEndCanBeMadeToProveItself(self) -> None:
        """
        With a ping, at once.
        """
        self.settle()
        self.assertTrue(self.conversation.prove())
        self.assertEqual([kind for kind, _ in self.heard(*self.speaker.said)], [Kind.PING])

    def test_drainIsSaidOnce(self) -> None:
        """
        And nothing is asked afterwards, nor sent, since all arrives that was; but the
        other end still gets its answers.
        """
        self.settle()
        self.conversation.encode([ONE])
        self.assertTrue(self.conversation.drain())
        self.assertTrue(self.conversation.drain())
        self.assertEqual((self.speaker.said, self.session.says), ([DRAIN], ["free", "gone"]))
        self.assertEqual(self.conversation.unconfirmed(), [])
        self.assertNoTimer()
        self.conversation.prove()
        self.receive(self.peer.encode([ONE]), PING)
        self.assertEqual((self.speaker.said, self.session.trains), ([DRAIN, PONG], [ONE]))

    def test_farewellIsSaid(self) -> None:
        """
        As the format has it.
        """
        self.conversation.bye()
        self.assertEqual(self.speaker.said, [BYE])

    def test_peersFarewellIsTold(self) -> None:
        """
        Both kinds of it.
        """
        self.receive(DRAIN)
        self.assertEqual(self.speaker.told, ["drains"])
        self.receive(BYE)
        self.assertEqual(self.speaker.told, ["drains", "leaves"])

    def test_whatThePeerMayNotDoIsFoundFaultWith(self) -> None:
        """
        By the format or by the tunnel; it is the tunnel's to end then.
        """
        self.assertRaises(PeerError, self.receive, b"\x7f" + PING)
        self.speaker.maySayBye = False
        self.assertRaises(PeerError, self.makeLink().received, BYE + PING)
        self.assertEqual(self.speaker.said, [])

    def test_conversationMayEndInTheMiddleOfARead(self) -> None:
        """
        Its tunnel is closed when the other end leaves, and no timer is left.
        """
        self.conversation.start()
        [(_, payload)] = self.heard(*self.speaker.said)
        self.speaker.whenTold = self.conversation.stop
        self.receive(BYE, controlFrame(Kind.PONG, payload), DRAIN)
        self.assertEqual((self.speaker.told, self.session.roundTrips), (["leaves", "drains"], 0))
        self.assertNoTimer()

    def test_stoppedConversationAsksNothing(self) -> None:
        """
        And leaves no timer.
        """
        self.settle()
        self.clock.advance(BUSY_SECONDS)
        self.conversation.stop()
        self.conversation.stop()
        self.assertNoTimer()
        self.assertEqual(self.heard(self.conversation.encode([ONE])), [])
        self.assertEqual(self.speaker.said, [])

    def test_everyFormatFitsTheTunnel(self) -> None:
        """
        The tunnel need not know which is spoken.
        """
        conversations = [self.makeLink(wireFormat) for wireFormat in WireFormat]
        self.assertEqual([type(conversation) for conversation in conversations], [Format1Link, Format2Link])
