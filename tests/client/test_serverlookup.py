"""
Where the client dials: fresh addresses, and those that were good before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from uotp.client.lookup.firstlookup import HURRIED_SECONDS, SEARCH_SECONDS
from uotp.client.lookup.lastgood import LastGood
from uotp.client.lookup.serverlookup import LOOK_AGAIN_SECONDS, LOOKUP_PATIENCE_SECONDS, ServerLookup
from uotp.client.reachability import Reachability
from uotp.errors import LookupFailed
from uotp.net.resolver import Addresses, Resolved, SharedResolver
from uotp.telemetry.ratelimit import RateLimit

SERVER = ("vpn.test", 8443)
OLD: Addresses = [IPv4Address("TCP", "192.0.2.1", 8443)]
NEW: Addresses = [IPv6Address("TCP", "2001:db8::7", 8443), IPv4Address("TCP", "192.0.2.7", 8443)]
DEAD = LookupFailed("the name server does not answer (Temporary failure)")
RETRY_SECONDS = 5.0


class _LookupTestCase(SynchronousTestCase):
    """
    Has name servers that answer when a test wants it.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.running: list[Callable[[Resolved], None]] = []
        self.lookups = 0
        self.failingSince: float | None = None
        capture = capturedLogs()
        self.events: Sequence[dict[str, Any]] = capture.__enter__()
        self.addCleanup(capture.__exit__, None, None, None)

    def look(self, _: Callable[[], Resolved], done: Callable[[Resolved], None]) -> None:
        """
        In place of a thread.
        """
        self.lookups += 1
        self.running.append(done)

    def lookup(
        self, server: tuple[str, int] = SERVER, *, once: bool = False, directory: str | None = None
    ) -> ServerLookup:
        """
        @return: one that has been started.
        """
        lookup = ServerLookup(
            server,
            SharedResolver(self.look),
            LastGood(server, directory, self.clock.seconds),
            self.clock,
            RateLimit(self.clock.seconds),
            lambda: self.failingSince,
            once=once,
            retrySeconds=RETRY_SECONDS,
        )
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))
        self.addCleanup(lookup.stop)
        lookup.start()
        return lookup

    def answer(self, found: Resolved) -> None:
        """
        The name servers answer.
        """
        self.running.pop(0)(found)

    def ask(self, lookup: ServerLookup) -> Deferred[Addresses]:
        """
        Somebody dials.
        """
        return lookup.lookUp(*SERVER, "TCP")

    def lines(self, level: LogLevel = LogLevel.warn) -> list[str]:
        return [str(formatEvent(event)) for event in self.events if event["log_level"] is level]


class EachTimeTests(_LookupTestCase):
    """
    Look the name up for each attempt to dial.
    """

    def test_nameIsLookedUpAtTheStartAndForEachAttempt(self) -> None:
        lookup = self.lookup()
        self.assertEqual(self.lookups, 1)
        self.answer(OLD)
        for found in (NEW, OLD):
            asked = self.ask(lookup)
            self.assertNoResult(asked)
            self.answer(found)
            self.assertEqual(self.successResultOf(asked), found)
        self.assertEqual(self.lookups, 3)

    def test_attemptsAtOneTimeShareALookup(self) -> None:
        lookup = self.lookup()
        asked = [self.ask(lookup) for _ in range(8)]
        self.answer(NEW)
        self.assertEqual([self.successResultOf(each) for each in asked], [NEW] * 8)
        self.assertEqual(self.lookups, 1)

    def test_whileNothingIsKnownAFailureIsOne(self) -> None:
        """
        Whoever dials hears the resolver's own words, and it is tried again without him too.
        """
        lookup = self.lookup()
        asked = [self.ask(lookup) for _ in range(2)]
        self.clock.advance(LOOKUP_PATIENCE_SECONDS)
        self.answer(DEAD)
        reasons = [self.failureResultOf(each, LookupFailed).value for each in asked]
        self.assertEqual([str(reason) for reason in reasons], [str(DEAD)] * 2)
        self.assertIsNot(reasons[0], reasons[1])
        self.assertEqual(self.lines(), [f"vpn.test: {DEAD}, trying again"])
        self.clock.advance(RETRY_SECONDS)
        self.assertEqual(self.lookups, 2)
        self.answer(OLD)
        self.clock.advance(10 * RETRY_SECONDS)
        self.assertEqual(self.lookups, 2)

    def test_attemptDoesNotWaitForTheNextTry(self) -> None:
        lookup = self.lookup()
        self.answer(DEAD)
        asked = self.ask(lookup)
        self.answer(OLD)
        self.assertEqual(self.successResultOf(asked), OLD)
        self.clock.advance(10 * RETRY_SECONDS)
        self.assertEqual(self.lookups, 2)

    def test_aFailureDoesNotTakeAKnownAddressAway(self) -> None:
        lookup = self.lookup()
        self.answer(OLD)
        asked = self.ask(lookup)
        self.answer(DEAD)
        self.assertEqual(self.successResultOf(asked), OLD)
        self.assertEqual(self.lines(), [f"vpn.test: {DEAD}; what was good before is dialled: 192.0.2.1"])

    def test_aLookupThatHangsHoldsNobodyUpForLong(self) -> None:
        """
        The first waits for a moment, and those after him not at all, until the name servers answer
        again.
        """
        lookup = self.lookup()
        self.answer(OLD)
        first = self.ask(lookup)
        self.clock.advance(LOOKUP_PATIENCE_SECONDS / 2)
        self.assertNoResult(first)
        self.clock.advance(LOOKUP_PATIENCE_SECONDS / 2)
        self.assertEqual(self.successResultOf(first), OLD)
        self.assertEqual(self.successResultOf(self.ask(lookup)), OLD)
        self.assertEqual(self.lookups, 2)
        self.answer(DEAD)
        self.assertEqual(self.successResultOf(self.ask(lookup)), OLD)  # and asks anew behind him
        self.assertEqual(self.lookups, 3)
        self.answer(NEW)
        self.assertEqual(len(self.lines()), 1)
        again = self.ask(lookup)
        self.assertNoResult(again)
        self.answer(NEW)
        self.assertEqual(self.successResultOf(again), NEW)
        self.assertEqual(self.lines(LogLevel.info), ["the addresses of vpn.test are now 2001:db8::7, 192.0.2.7"])

    def test_aNameWithHundredsOfAddressesFillsNoLog(self) -> None:
        lookup = self.lookup()
        self.answer(OLD)
        self.ask(lookup)
        self.answer([IPv4Address("TCP", f"198.51.100.{number}", 8443) for number in range(250)])
        (said,) = self.lines(LogLevel.info)
        self.assertTrue(said.endswith("198.51.100.7 and 242 more"), said)

    def test_whereATunnelHasOpenedIsDialledFirst(self) -> None:
        lookup = self.lookup()
        self.answer(NEW)
        lookup.opened(NEW[1])
        lookup.opened(IPv6Address("TCP", "fe80::1", 8443, 0, 0))
        asked = self.ask(lookup)
        self.answer(DEAD)
        addresses = self.successResultOf(asked)
        self.assertEqual([each.host for each in addresses], ["fe80::1", "192.0.2.7", "2001:db8::7"])

    def test_whoAsksInsideAnAnswerIsAnsweredToo(self) -> None:
        """
        Each time by one lookup, and each lookup ends.
        """
        lookup = self.lookup()
        asked: list[Deferred[Addresses]] = []
        for found in (DEAD, OLD, DEAD):
            again = self.ask(lookup)
            again.addBoth(lambda _: asked.append(self.ask(lookup)))
            for _ in range(2):
                self.answer(found)
            self.clock.advance(RETRY_SECONDS)
            while self.running:
                self.answer(found)
        self.assertTrue(all(each.called for each in asked))
        self.failureResultOf(asked[0], LookupFailed)
        self.assertEqual([self.successResultOf(each) for each in asked[1:]], [OLD, OLD])

    def test_anotherOrderIsNoNews(self) -> None:
        lookup = self.lookup()
        self.answer(NEW)
        self.ask(lookup)
        self.answer(NEW[::-1])
        self.assertEqual(self.lines(LogLevel.info), [])

    def test_aStopLeavesNoTimerAndNobodyWaiting(self) -> None:
        for found in (OLD, DEAD):
            lookup = self.lookup()
            asked = self.ask(lookup)
            lookup.stop()
            self.answer(found)
            self.assertTrue(asked.called)
            asked.addErrback(lambda _: None)
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_whatIsStoppedCanBeStartedAgain(self) -> None:
        lookup = self.lookup()
        self.answer(DEAD)
        lookup.stop()
        lookup.start()
        self.answer(OLD)
        self.assertTrue(lookup.first.isOver)


class OnceTests(_LookupTestCase):
    """
    Keep what was found.
    """

    def found(self) -> ServerLookup:
        """
        @return: a lookup whose name was found.
        """
        lookup = self.lookup(once=True)
        self.answer(OLD)
        return lookup

    def test_nameIsLookedUpUntilItIsFound(self) -> None:
        lookup = self.lookup(once=True)
        self.answer(DEAD)
        self.failureResultOf(self.attempt(lookup, DEAD), LookupFailed)
        self.assertEqual(self.successResultOf(self.attempt(lookup, OLD)), OLD)
        self.assertEqual(self.successResultOf(self.ask(lookup)), OLD)
        self.assertEqual(self.lookups, 3)

    def attempt(self, lookup: ServerLookup, found: Resolved) -> Deferred[Addresses]:
        """
        Dial, and let the name servers answer.
        """
        asked = self.ask(lookup)
        self.answer(found)
        return asked

    def test_reloadLooksAgain(self) -> None:
        lookup = self.found()
        lookup.lookAgain()
        lookup.lookAgain()
        self.assertEqual(self.lookups, 2)
        asked = self.ask(lookup)
        self.answer(NEW)
        self.assertEqual(self.successResultOf(asked), NEW)
        self.assertEqual(self.successResultOf(self.ask(lookup)), NEW)
        self.assertEqual(self.lookups, 2)

    def test_reloadWithoutNameServersTakesNothingAway(self) -> None:
        lookup = self.found()
        lookup.lookAgain()
        asked = self.ask(lookup)
        self.clock.advance(LOOKUP_PATIENCE_SECONDS)
        self.assertEqual(self.successResultOf(asked), OLD)
        self.answer(DEAD)
        self.assertEqual(self.successResultOf(self.ask(lookup)), OLD)

    def test_outageLooksAgainWithoutHoldingAnybodyUp(self) -> None:
        """
        A server with a dynamic address has another one, and nobody restarts its clients.
        """
        lookup = self.found()
        self.failingSince = self.clock.seconds()
        self.clock.advance(LOOK_AGAIN_SECONDS / 2)
        self.assertEqual(self.successResultOf(self.ask(lookup)), OLD)
        self.assertEqual(self.lookups, 1)
        self.clock.advance(LOOK_AGAIN_SECONDS / 2)
        for _ in range(3):
            self.assertEqual(self.successResultOf(self.ask(lookup)), OLD)
        self.assertEqual(self.lookups, 2)
        self.answer(NEW)
        self.assertEqual(self.successResultOf(self.ask(lookup)), NEW)

    def test_longOutageLooksAgainNowAndThen(self) -> None:
        lookup = self.found()
        self.failingSince = self.clock.seconds()
        for _ in range(60):
            self.clock.advance(1)
            self.assertEqual(self.successResultOf(self.ask(lookup)), OLD)
            while self.running:
                self.answer(DEAD)
        self.assertEqual(self.lookups, 1 + 60 // LOOK_AGAIN_SECONDS)
        self.assertEqual(len(self.lines()), 1)

    def test_whereAllIsWellNobodyLooksAgain(self) -> None:
        lookup = self.found()
        self.clock.advance(10 * LOOK_AGAIN_SECONDS)
        self.assertEqual(self.successResultOf(self.ask(lookup)), OLD)
        self.assertEqual(self.lookups, 1)


class OutageTests(_LookupTestCase):
    """
    Tell an outage by what becomes of tunnels.
    """

    def test_outageLastsFromTheFirstFailureToTheNextTunnel(self) -> None:
        reachability = Reachability(SERVER, self.clock.seconds, RateLimit(self.clock.seconds))
        since: list[float | None] = [reachability.failingSince]
        for event in (
            lambda: reachability.tunnelFailed("refused"),
            lambda: reachability.tunnelFailed("refused"),
            reachability.tunnelUp,
            lambda: reachability.tunnelFailed("another one"),
            reachability.tunnelDown,
            lambda: reachability.tunnelFailed("lost"),
        ):
            self.clock.advance(1)
            event()
            since.append(reachability.failingSince)
        self.assertEqual(since, [None, 1.0, 1.0, None, None, None, 6.0])


class RememberedTests(_LookupTestCase):
    """
    Begin with what an earlier run has left.
    """

    def setUp(self) -> None:
        super().setUp()
        self.directory = self.mktemp()
        before = self.lookup(directory=self.directory)
        self.answer(OLD)
        before.opened(OLD[0])
        before.stop()

    def test_rememberedAddressIsDialledWhenTheLookupFails(self) -> None:
        for once in (False, True):
            lookup = self.lookup(once=once, directory=self.directory)
            asked = self.ask(lookup)
            self.answer(DEAD)
            self.assertEqual(self.successResultOf(asked), OLD)
            self.clock.advance(SEARCH_SECONDS)
            self.assertTrue(lookup.first.isOver)
            self.assertEqual(self.successResultOf(self.ask(lookup)), OLD)
            self.answer(NEW)  # the tunnel has brought the name servers back
            self.assertEqual(self.successResultOf(self.attempt(lookup)), NEW)
            lookup.stop()

    def attempt(self, lookup: ServerLookup) -> Deferred[Addresses]:
        """
        Dial, where name servers answer.
        """
        asked = self.ask(lookup)
        while self.running:
            self.answer(NEW)
        return asked

    def test_rememberedAddressIsDialledWhenTheLookupHangs(self) -> None:
        lookup = self.lookup(directory=self.directory)
        asked, settled = self.ask(lookup), lookup.first.whenOver()
        self.clock.advance(LOOKUP_PATIENCE_SECONDS)
        self.assertEqual(self.successResultOf(asked), OLD)
        self.clock.advance(SEARCH_SECONDS / 2)
        self.assertNoResult(settled)
        self.clock.advance(SEARCH_SECONDS / 2)
        self.assertIsNone(self.successResultOf(settled))
        words = "vpn.test: the name servers have not answered yet; what was good before is dialled: 192.0.2.1"
        self.assertEqual(self.lines(), [words])

    def test_nameIsLookedForAnotherMomentBeforeItsServersMayGo(self) -> None:
        """
        The server may have moved since, and a VPN that waits for this start may take the name servers
        away.  Whoever dials does not wait for that.
        """
        lookup = self.lookup(once=True, directory=self.directory)
        settled = lookup.first.whenOver()
        self.answer(DEAD)
        self.clock.advance(HURRIED_SECONDS)
        self.assertEqual(self.successResultOf(self.ask(lookup)), OLD)
        self.assertNoResult(settled)
        self.answer(NEW)
        self.successResultOf(settled)
        self.assertEqual(self.successResultOf(self.ask(lookup)), NEW)
        self.assertEqual((self.lookups, len(self.lines())), (3, 1))

    def test_thatMomentIsShort(self) -> None:
        lookup = self.lookup(directory=self.directory)
        settled = lookup.first.whenOver()
        self.answer(DEAD)
        for _ in range(2 * round(SEARCH_SECONDS)):
            self.clock.advance(0.5)
            while self.running:
                self.answer(DEAD)
        self.successResultOf(settled)
        asked = self.lookups
        self.clock.advance(600)
        self.assertEqual(self.lookups, asked)
        self.assertEqual(len(self.lines()), 1)

    def test_anotherServersAddressesAreNotTaken(self) -> None:
        lookup = self.lookup(("other.test", 8443), directory=self.directory)
        asked = lookup.lookUp("other.test", 8443, "TCP")
        self.clock.advance(LOOKUP_PATIENCE_SECONDS)
        self.assertNoResult(asked)
        self.answer(NEW)
        self.successResultOf(asked)


class SettledTests(_LookupTestCase):
    """
    Say when there is something to dial.
    """

    def test_anAddressIsThereAtOnce(self) -> None:
        lookup = self.lookup(("192.0.2.1", 8443))
        self.successResultOf(lookup.first.whenOver())
        self.assertEqual((self.lookups, self.successResultOf(lookup.lookUp(*SERVER, "TCP"))), (0, OLD))

    def test_aNameIsThereWhenItIsFound(self) -> None:
        lookup = self.lookup()
        waiting = [lookup.first.whenOver() for _ in range(2)]
        self.answer(DEAD)
        for each in waiting:
            self.assertNoResult(each)
        self.clock.advance(RETRY_SECONDS)
        self.answer(OLD)
        for each in [*waiting, lookup.first.whenOver()]:
            self.successResultOf(each)

    def test_whoHasGivenUpIsNotTold(self) -> None:
        lookup = self.lookup()
        given, patient = lookup.first.whenOver(), lookup.first.whenOver()
        given.addErrback(lambda _: None)
        given.cancel()
        self.answer(OLD)
        self.successResultOf(patient)
