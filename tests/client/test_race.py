"""
The addresses of a server, tried until one has answered.
"""

from __future__ import annotations

import errno
from itertools import pairwise

from twisted.internet import error
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.logger import LogLevel, capturedLogs, formatEvent

from tests.client.slots import REFUSAL, WELCOME, SlotTestCase
from tests.doubles.dialling import Attempt
from uotp.boundaries import Security
from uotp.client.dial.contender import DOUBT_SECONDS, SURE_TIMES
from uotp.client.dial.outcomes import DialOutcome
from uotp.client.dial.patience import MOST_SECONDS, DialStep
from uotp.client.dial.race import MAX_BESIDE, MAX_CONTENDERS, STAGGER_SECONDS
from uotp.client.dial.segmentsize import SMALL_SIZES
from uotp.client.slot import PROVED_SECONDS
from uotp.client.slotstates import SlotState
from uotp.errors import LookupFailed, PeerError
from uotp.path import Flight
from uotp.telemetry.log import Logger
from uotp.wire.negotiation import WireChoice

V6, V4 = IPv6Address("TCP", "2001:db8::1", 8443), IPv4Address("TCP", "192.0.2.1", 8443)
SMALL = SMALL_SIZES[0]


class _RaceTestCase(SlotTestCase):
    """
    Has a server with two addresses, and speaks format 2.
    """

    def setUp(self) -> None:
        super().setUp()
        self.useFormat2()
        self.context.dialer.addresses = [V6, V4]

    def hosts(self) -> list[str]:
        """
        @return: the addresses that were tried so far.
        """
        return [attempt.address.host for attempt in self.context.attempts]

    def welcome(self, attempt: Attempt) -> None:
        """
        Let an attempt succeed, whose TCP is connected.
        """
        attempt.tunnel.handshakeCompleted()
        attempt.tunnel.dataReceived(WELCOME)

    def isGivenUp(self, attempt: Attempt) -> bool:
        return attempt.cancelled or (hasattr(attempt, "transport") and attempt.transport.aborted)


class RaceTests(_RaceTestCase):
    """
    Let addresses answer, as far as they do.
    """

    def test_nextAddressFollowsALittleLater(self) -> None:
        self.slot().dial()
        self.assertEqual(self.hosts(), [V6.host])
        self.clock.advance(STAGGER_SECONDS)
        self.assertEqual(self.hosts(), [V6.host, V4.host])
        self.last.connect()
        self.welcome(self.last)
        self.assertTrue(self.context.attempts[0].cancelled)
        self.assertEqual((self.context.reachability.ups, self.context.reachability.reasons), (1, []))

    def test_nextAddressFollowsAtOnceWhenOneFails(self) -> None:
        self.slot().dial()
        self.last.fail(error.ConnectionRefusedError())
        self.assertEqual(self.hosts(), [V6.host, V4.host])

    def test_addressThatAnswersAtOnceIsAlone(self) -> None:
        self.slot().dial()
        self.last.connect()
        self.welcome(self.last)
        self.clock.advance(100)
        self.assertEqual(self.hosts(), [V6.host])

    def test_addressThatOnlyConnectsDoesNotWin(self) -> None:
        """
        A kernel or a balancer accepts for a server that stands still.
        """
        self.slot().dial()
        hung = self.last
        hung.connect()
        self.clock.advance(STAGGER_SECONDS)
        self.assertEqual(self.hosts(), [V6.host, V4.host])
        self.assertFalse(self.isGivenUp(hung))
        self.last.connect()
        self.welcome(self.last)
        self.assertTrue(self.isGivenUp(hung))
        self.context.settle()
        self.assertEqual((len(self.context.liveTunnels), self.context.reachability.reasons), (1, []))

    def test_addressThatDoesNotAnswerTheHelloDoesNotWin(self) -> None:
        """
        It may be any server with a good certificate.
        """
        self.slot().dial()
        other = self.last
        other.open()
        self.clock.advance(STAGGER_SECONDS)
        self.last.connect()
        self.welcome(self.last)
        self.assertTrue(self.isGivenUp(other))
        self.assertEqual(self.context.reachability.ups, 1)

    def test_addressThatWasLateMayWin(self) -> None:
        self.slot().dial()
        first = self.last
        self.clock.advance(1.0)
        first.connect()
        self.welcome(first)
        self.assertTrue(self.last.cancelled)
        self.assertEqual(self.context.addresses.best, V6)

    def test_addressThatWonIsTriedFirstTheNextTime(self) -> None:
        slot = self.slot()
        slot.dial()
        self.last.connect()
        self.clock.advance(STAGGER_SECONDS)
        self.last.connect()
        self.welcome(self.last)
        slot.renew()
        self.assertEqual(self.hosts()[2:], [V4.host])
        self.last.fail(error.ConnectionRefusedError())
        self.assertEqual(self.hosts()[2:], [V4.host, V6.host])

    def test_addressWhoseTunnelIsLostAtOnceIsNotTriedFirst(self) -> None:
        """
        It may be any server with a good certificate, which closes when it hears what it does not
        understand: in format 1 a tunnel is open before anybody has answered.
        """
        self.context.choose(wire=WireChoice.ONE)
        self.slot().dial()
        self.last.open()
        self.last.transport.lose()
        self.waitForDial()
        self.assertEqual(self.hosts(), [V6.host, V4.host])
        self.last.open()
        self.clock.advance(PROVED_SECONDS)
        self.last.transport.lose()
        self.waitForDial()
        self.assertEqual(self.hosts(), [V6.host, V4.host, V4.host])

    def test_openTunnelsAreWatchedUntilTheyAreReplacedOrLost(self) -> None:
        slot = self.slot()
        slot.dial()
        for renewals in range(3):
            self.last.connect()
            self.welcome(self.last)
            self.assertEqual((renewals, len(self.context.segmentWatch)), (renewals, 1))
            slot.renew()
        slot.leave()
        for attempt in self.context.attempts:
            if hasattr(attempt, "transport"):
                attempt.transport.lose()
        self.assertEqual(len(self.context.segmentWatch), 0)

    def test_addressThatIsKnownToBeSlowIsNotHurried(self) -> None:
        slot = self.slot()
        self.context.dialer.addresses = [V4]
        slot.dial()
        self.clock.advance(1.6)
        self.last.connect()
        self.clock.advance(1.6)
        self.welcome(self.last)
        self.context.dialer.addresses = [V6, V4]
        slot.renew()
        for _ in range(2):
            self.clock.advance(1.7)
            self.assertEqual(self.hosts(), [V4.host] * 2)
            if not hasattr(self.last, "transport"):
                self.last.connect()

    def test_allThatFailedAreNamed(self) -> None:
        self.slot().dial()
        self.last.fail(error.ConnectionRefusedError())
        self.assertReasons()
        self.last.connect()
        self.last.transport.lose(error.ConnectionLost())
        self.assertEqual(len(self.context.reachability.reasons), 1)
        (words,) = self.context.reachability.reasons
        self.assertTrue(words.startswith(f"{V6.host}: connection refused: "), words)
        self.assertIn(f"; {V4.host}: connection lost in the TLS handshake, ", words)

    def test_whatBecomesOfEachAttemptIsCounted(self) -> None:
        """
        Also of those of one race; what was given up for another is none.
        """
        unreachable, timedOut = OSError(errno.EHOSTUNREACH, "No route to host"), error.TCPTimedOutError()
        for failure in (error.ConnectionRefusedError(), unreachable, timedOut, error.ConnectionLost()):
            self.slot().dial()
            self.last.fail(failure)
            self.last.connect()
            self.welcome(self.last)
        self.context.dialer.addresses = [V4]
        self.slot().dial()
        self.last.connect()
        self.last.transport.security = Security(refusal="expired")
        self.last.transport.lose(error.ConnectionLost())
        self.slot().dial()
        self.last.connect()
        self.last.tunnel.handshakeCompleted()
        self.last.tunnel.dataReceived(REFUSAL)
        self.last.transport.lose(error.ConnectionDone())
        self.context.dialer.addresses = [V4]
        self.slot().dial()
        self.last.fail(PeerError("the proxy refuses"))
        self.context.dialer.addresses = LookupFailed("no such name")
        self.slot().dial()
        expected = dict.fromkeys(DialOutcome, 1) | {DialOutcome.DONE: 4}
        del expected[DialOutcome.ELSEWHERE]  # the session of a slot may be at any server
        self.assertEqual(dict(self.context.outcomes), expected)

    def test_lineAboutManyAddressesIsShort(self) -> None:
        self.context.dialer.addresses = [IPv4Address("TCP", f"192.0.2.{number}", 8443) for number in range(100)]
        self.slot().dial()
        for number in range(16):
            self.last.fail(OSError(f"x{number}" * 1000))
        (words,) = self.context.reachability.reasons
        self.assertLess(len(words), 700)
        self.assertTrue(words.endswith("; and 12 addresses more"), words)

    def test_onlySoManyAreTriedAtOnce(self) -> None:
        self.context.dialer.addresses = [IPv4Address("TCP", f"192.0.2.{number}", 8443) for number in range(100)]
        self.slot().dial()
        self.clock.pump([STAGGER_SECONDS] * 8)
        self.assertEqual(len(self.context.attempts), MAX_CONTENDERS)
        self.context.attempts[0].fail(error.ConnectionRefusedError())
        self.assertEqual(len(self.context.attempts), MAX_CONTENDERS + 1)
        self.clock.pump([0.5] * 100)
        alive = [attempt for attempt in self.context.attempts if not attempt.done.called]
        self.assertLessEqual(len(alive), MAX_CONTENDERS)

    def test_stopInTheMiddleLeavesNothing(self) -> None:
        slot = self.slot()
        slot.dial()
        self.last.connect()
        self.clock.advance(STAGGER_SECONDS)
        slot.leave()
        self.assertEqual([self.isGivenUp(attempt) for attempt in self.context.attempts], [True, True])
        self.context.settle()
        self.assertEqual((self.clock.getDelayedCalls(), len(self.context.liveTunnels)), ([], 0))

    def test_refusalIsSaidAndNobodyGetsMoreTimeForIt(self) -> None:
        self.context.dialer.addresses = [V4]
        self.slot().dial()
        self.last.connect()
        self.last.transport.security = Security(refusal="expired")
        self.clock.advance(4.0)
        self.assertReasons("expired")
        self.assertEqual(self.context.patience.seconds(DialStep.TLS), 4.0)


class DebugTests(_RaceTestCase):
    """
    Read in the log how each address has done.
    """

    def test_everyTryIsTold(self) -> None:
        """
        Its address, why it was left, and how long its steps took.
        """
        self.patch(Logger, "threshold", LogLevel.debug)
        with capturedLogs() as events:
            self.slot().dial()
            first = self.last
            first.connect()
            self.clock.advance(STAGGER_SECONDS)
            self.last.fail(error.ConnectionRefusedError())
            self.clock.advance(STAGGER_SECONDS)
            self.welcome(first)
        lines = [formatEvent(event) for event in events if "tunnel to" in event["log_format"]]
        refused = "connection refused: nothing listens there, or a firewall rejects it"
        self.assertEqual(
            lines,
            [
                f"tunnel to {V4.host} port 8443: {refused}; lookup 0.0 ms",
                f"tunnel to {V6.host} port 8443: open; lookup 0.0 ms, connect 0.0 ms, TLS 500.0 ms, hello 0.0 ms",
            ],
        )


class SlowPathTests(_RaceTestCase):
    """
    Let the steps take longer than usual.
    """

    def setUp(self) -> None:
        super().setUp()
        self.context.dialer.addresses = [V4]

    def test_everyStepHasATimeOfItsOwn(self) -> None:
        """
        Over a satellite, each takes a round trip.
        """
        for roundTrip in (1.6, 2.4, 3.9):
            slot = self.slot()
            slot.dial()
            begun = self.clock.seconds()
            ups = self.context.reachability.ups
            attempt = self.last
            self.clock.advance(roundTrip)
            attempt.connect()
            self.clock.advance(roundTrip)
            attempt.tunnel.handshakeCompleted()
            self.clock.advance(roundTrip)
            attempt.tunnel.dataReceived(WELCOME)
            self.assertEqual(self.context.reachability.ups, ups + 1)
            self.assertAlmostEqual(self.clock.seconds() - begun, 3 * roundTrip)
            slot.leave()
        self.assertEqual(self.context.reachability.reasons, [])

    def dialOver(self, roundTrip: float) -> float:
        """
        Dial over a path that is slower than any time-out, as far as each try lives.

        @return: how long it took until a tunnel was open.
        """
        self.slot().dial()
        begun = self.clock.seconds()
        at: dict[Attempt, float] = {}
        while not self.context.reachability.ups:
            self.clock.advance(0.1)
            for attempt in self.context.attempts:
                now = self.clock.seconds()
                if self.isGivenUp(attempt) or now < at.setdefault(attempt, now) + roundTrip:
                    continue
                at[attempt] = now
                if not hasattr(attempt, "transport"):
                    attempt.connect()
                elif attempt.tunnel.wireFormat.value == 1:
                    attempt.tunnel.handshakeCompleted()
                else:
                    attempt.tunnel.dataReceived(WELCOME)
            self.assertLess(self.clock.seconds() - begun, 200)
        return self.clock.seconds() - begun

    def test_stepThatWasNotDoneGetsMoreTheNextTime(self) -> None:
        self.assertLess(self.dialOver(6.0), 30)

    def test_serverThatIsAwayIsTriedAnewThoughTheOldTriesWait(self) -> None:
        """
        The system waits longer and longer between the packets of one connection.
        """
        self.owner.isDown = True
        self.slot().dial()
        begun = [self.clock.seconds()]
        while begun[-1] < 200:
            before = len(self.context.attempts)
            while len(self.context.attempts) == before:
                self.clock.advance(0.05)
            begun.append(self.clock.seconds())
        self.assertLess(max(later - earlier for earlier, later in pairwise(begun)), 4.5)
        self.assertEqual(self.context.patience.seconds(DialStep.CONNECT), MOST_SECONDS)

    def test_tryThatTheSystemGivesUpWasNotDoneInTime(self) -> None:
        self.slot().dial()
        self.clock.advance(3.03)
        self.last.fail(error.TCPTimedOutError())
        self.assertReasons(f"no answer from {V4.host} to the connection after 3 s: ")
        self.assertAlmostEqual(self.context.patience.seconds(DialStep.CONNECT), 6.06)

    def test_tryThatCameLaterMayWin(self) -> None:
        self.slot().dial()
        self.clock.pump([0.1] * 90)  # the second attempt, and one more beside
        beside = self.last
        self.assertEqual(sum(not self.isGivenUp(attempt) for attempt in self.context.attempts), 2)
        beside.connect()
        self.welcome(beside)
        self.assertEqual(sum(not self.isGivenUp(attempt) for attempt in self.context.attempts), 1)
        self.assertEqual(self.context.reachability.ups, 1)

    def test_nameServerThatDoesNotAnswerIsNamed(self) -> None:
        self.context.dialer.addresses = None
        self.slot().dial()
        self.clock.advance(4.0)
        self.assertReasons("the name server has not answered after 4 s")
        self.assertEqual(self.context.patience.seconds(DialStep.LOOKUP), 8.0)
        self.context.dialer.addresses = [V4]
        self.waitForDial()
        self.last.connect()
        self.welcome(self.last)
        self.assertEqual(self.context.patience.seconds(DialStep.LOOKUP), 4.0)

    def test_answerOfANameServerThatIsTooLateIsOver(self) -> None:
        self.context.dialer.addresses = None
        slot = self.slot()
        slot.dial()
        slot.leave()
        (looking,) = self.context.dialer.lookups
        self.assertTrue(looking.called)
        self.assertEqual((self.context.attempts, self.context.reachability.reasons), ([], []))

    def test_nameThatIsNotFoundHasTheResolversWords(self) -> None:
        self.context.dialer.addresses = LookupFailed("the name server does not answer (try again)")
        self.slot().dial()
        self.assertReasons("the name server does not answer (try again)")

    def test_errorOfOursCostsAnAttemptOnly(self) -> None:
        """
        Nothing dies in silence.
        """
        self.patch(self.context.addresses, "order", lambda _: 1 / 0)
        slot = self.slot()
        slot.dial()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertIs(slot.state, SlotState.WAITING)


class SegmentTests(_RaceTestCase):
    """
    Let large segments be swallowed on the way.
    """

    def setUp(self) -> None:
        super().setUp()
        self.context.dialer.addresses = [V4]
        self.slot().dial()
        self.large = self.last
        self.large.connect()

    def sizes(self) -> list[int | None]:
        return [attempt.segmentSize for attempt in self.context.attempts]

    def test_smallSegmentsAreTriedBesideAHandshakeThatLosesSome(self) -> None:
        self.large.transport.underWay = Flight(1448, 1500, 2, 0)
        self.clock.advance(DOUBT_SECONDS)
        self.assertEqual(self.sizes(), [None, SMALL])
        self.last.connect()
        self.welcome(self.last)
        self.assertEqual(self.context.small, [SMALL])
        self.assertTrue(self.isGivenUp(self.large))
        slot = self.slot()
        slot.dial()
        self.assertEqual(self.sizes(), [None, SMALL, SMALL])

    def test_handshakeThatIsOnlySlowWins(self) -> None:
        self.clock.advance(DOUBT_SECONDS)
        self.assertEqual(self.sizes(), [None])
        self.welcome(self.large)
        self.clock.advance(100)
        self.assertEqual((self.sizes(), self.context.small), ([None], []))

    def test_serverThatStandsStillProvesNothing(self) -> None:
        """
        Both handshakes stall, and whichever is done first, large segments are good.
        """
        for _ in range(3):
            self.clock.pump([DOUBT_SECONDS] * SURE_TIMES)
            self.assertEqual(self.sizes()[-2:], [None, SMALL])
            self.last.connect()
            self.welcome(self.last)
            self.slot().dial()
            self.assertIsNone(self.last.segmentSize)
            self.last.connect()
            self.welcome(self.last)
            self.slot().dial()
            self.last.connect()
        self.assertEqual(self.context.small, [])

    def test_handshakeThatStallsAgainAndAgainIsProof(self) -> None:
        for _ in range(2):
            self.clock.pump([DOUBT_SECONDS] * SURE_TIMES)
            self.last.connect()
            self.welcome(self.last)
            self.slot().dial()
            self.last.connect()
        self.assertEqual((self.sizes(), self.context.small), ([None, SMALL, None, SMALL, SMALL], [SMALL]))

    def test_serverThatStandsStillIsSaidToInTime(self) -> None:
        """
        Whatever else is tried beside, and with few connections.
        """
        self.owner.isDown = True
        said: list[int] = []
        for seconds in range(60):
            said.append(len(self.context.reachability.reasons))
            for attempt in self.context.attempts:
                if not (hasattr(attempt, "transport") or attempt.done.called):
                    attempt.connect()
            alive = [each for each in self.context.attempts if not self.isGivenUp(each)]
            self.assertLessEqual((seconds, len(alive)), (seconds, MAX_BESIDE))
            self.clock.advance(1.0)
        self.assertEqual((said[3], said[5]), (0, 1))
        self.assertEqual((said[-1] >= 3, self.context.small), (True, []))
        for words in self.context.reachability.reasons:
            self.assertIn("by TCP, but no TLS handshake after", words)
