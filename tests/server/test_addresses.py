"""
A target whose name has several addresses, or gets others; and one that refuses what it is sent.
"""

from __future__ import annotations

import errno
import itertools
import os
import socket
from collections.abc import Callable, Iterable
from typing import Any
from unittest.mock import patch

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.logger import capturedLogs, formatEvent

from tests.doubles.contracts import TimerTestCase
from tests.doubles.dialling import neverLookUp
from tests.doubles.targets import targetMaker
from tests.doubles.udp import MemoryUdp, Receiver, localTo
from uotp.boundaries import Address
from uotp.errors import LookupFailed
from uotp.net.resolver import InBackground, Resolved, SharedResolver
from uotp.server.finder import LOOKUP_GAP_SECONDS, MAX_TARGET_ADDRESSES
from uotp.server.search import (
    BESIDE_SECONDS,
    COPIES_BYTES,
    MOST_PAUSE_SECONDS,
    OPEN_UNITS,
    RACE_SECONDS,
    RETRY_SECONDS,
    AddressSearch,
)
from uotp.server.silence import TARGET_UNHEARD_SECONDS, TargetSilence
from uotp.server.target import Target
from uotp.telemetry.ratelimit import QUIET_SECONDS
from uotp.train import Train

PORT = 51820
SIX: Address = ("::1", PORT, 0, 0)
FOUR: Address = ("127.0.0.1", PORT)
OTHER: Address = ("127.0.0.2", PORT)
PONG = Train(4, b"pong")


def textOf(datagram: str) -> Train:
    """
    @return: a train of one datagram.
    """
    return Train(len(datagram), datagram.encode())


class AddressesTestCase(TimerTestCase):
    """
    Talk with targets in memory, whose name leads to what a test says.
    """

    def setUp(self) -> None:
        super().setUp()
        self.network = MemoryUdp()
        self.network.tells = True
        self.received: list[Train] = []
        self.targets: dict[Address, Receiver] = {}
        self.found: list[Address] | None = [SIX, FOUR]
        self.lookups = 0
        self.noRoute: set[Address] = set()
        resolver = SharedResolver(lambda _, done: done(self.lookUp()))
        self.makeNamed = self.maker("target.test", resolver)
        self.seen = 0
        capture = capturedLogs()
        self.events = capture.__enter__()
        self.addCleanup(capture.__exit__, None, None, None)

    def maker(self, host: str, resolver: SharedResolver) -> Callable[[], Target]:
        make = targetMaker((host, PORT), self.network.open, resolver, self.clock, self.network.drops, self.routeTo)
        self.addCleanup(make.args[0].stop)
        return make

    def routeTo(self, destination: Address) -> Address:
        if destination in self.noRoute:
            raise OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH))
        return localTo(destination)

    def lookUp(self) -> Resolved:
        self.lookups += 1
        if self.found is None:
            return LookupFailed("host name not found (the resolver's words)")
        return [(IPv6Address if ":" in address[0] else IPv4Address)("UDP", *address[:2]) for address in self.found]

    def listen(self, *addresses: Address) -> None:
        """
        Let the target listen at addresses.
        """
        for address in addresses:
            self.targets[address] = Receiver()
            self.network.open(address, self.targets[address])

    def leave(self, address: Address) -> None:
        """
        Let the target listen there no more.
        """
        self.targets[address].stopListening()

    def open(self, make: Callable[[], Target] | None = None) -> Target:
        target = (make or self.makeNamed)()
        self.addCleanup(target.close)
        target.open(self.received.extend, lambda _: None)
        return target

    def ask(self, target: Target, word: str) -> None:
        """
        Send a datagram, and let what is due happen.
        """
        target.send([textOf(word)])
        self.settle()

    def settle(self) -> None:
        self.network.settle()
        self.clock.advance(0)
        self.network.settle()
        self.clock.advance(0)

    def got(self, address: Address) -> list[str]:
        """
        @return: what has come to an address.
        """
        self.network.settle()
        return [datagram.decode() for datagram in self.targets[address].datagrams()]

    def answer(self, address: Address, train: Train = PONG) -> None:
        """
        Let the target answer whoever sent there last.
        """
        target = self.targets[address]
        target.sendTrains([train], target.trains[-1][1])
        self.settle()

    def said(self) -> list[str]:
        """
        @return: what the log has said since this was called last.
        """
        lines = [formatEvent(event) for event in self.events]
        new, self.seen = lines[self.seen :], len(lines)
        return new


class SeveralAddressesTests(AddressesTestCase):
    """
    A name has several addresses.
    """

    def test_addressThatRefusesIsLeftAtOnce(self) -> None:
        """
        The next one gets what the first one has refused, and nothing is said.
        """
        self.listen(FOUR)
        target = self.open()
        self.ask(target, "one")
        self.assertEqual(self.got(FOUR), ["one"])
        self.answer(FOUR)
        self.ask(target, "two")
        self.assertEqual((self.got(FOUR), self.received, self.said()), (["one", "two"], [PONG], []))
        self.assertNoTimer()

    def test_addressThatIsSilentHasCompany(self) -> None:
        """
        It gets everything, and the next one gets copies; the one that answers is kept, and the socket of the other
        is closed.
        """
        self.network.silent.add(SIX)
        self.listen(FOUR)
        target = self.open()
        self.ask(target, "one")
        self.clock.advance(RACE_SECONDS * 0.9)
        self.assertEqual(self.got(FOUR), [])
        self.clock.advance(RACE_SECONDS * 0.2)
        self.ask(target, "two")
        self.assertEqual(self.got(FOUR), ["one", "two"])
        self.answer(FOUR)
        self.ask(target, "three")
        self.assertEqual((self.got(FOUR), self.received, len(self.network.ports)), (["one", "two", "three"], [PONG], 2))
        self.assertNoTimer()

    def test_targetThatOnlyTakesGetsEverythingOnce(self) -> None:
        """
        It never answers, so the other address gets copies now and then, ever more seldom.
        """
        self.listen(SIX, FOUR)
        target = self.open()
        sent = [f"{number}" for number in range(400)]
        for word in sent:
            self.ask(target, word)
            self.clock.advance(1)
        self.assertEqual(self.got(SIX), sent)
        copies = [int(word) for word in self.got(FOUR)]
        self.assertEqual(sorted(set(copies)), sorted(copies))
        self.assertLess(len(copies), 80)
        gaps = [after - before for before, after in itertools.pairwise(copies)]
        self.assertLessEqual(max(gaps), MOST_PAUSE_SECONDS + 5)
        self.assertGreater(max(gaps), MOST_PAUSE_SECONDS / 2)

    def test_eachAddressHasItsTurn(self) -> None:
        """
        Only two sockets are open at a time, however many addresses there are.
        """
        addresses: list[Address] = [(f"127.0.0.{number + 1}", PORT) for number in range(MAX_TARGET_ADDRESSES + 3)]
        self.found = addresses
        self.listen(*addresses)
        target = self.open()
        self.ask(target, "one")
        for _ in range(60):
            self.clock.advance(0.25)
            self.assertLessEqual(len(self.network.ports), len(addresses) + 2)
        got = [self.got(address) for address in addresses]
        self.assertEqual(got, [["one"]] * MAX_TARGET_ADDRESSES + [[]] * 3)

    def test_sessionsLearnFromEachOther(self) -> None:
        """
        The next one begins with the address that has answered.
        """
        self.listen(FOUR)
        self.ask(self.open(), "one")
        self.answer(FOUR)
        self.clock.advance(10)
        other = self.open()
        other.send([textOf("two")])
        self.assertEqual(self.got(FOUR), ["one", "two"])

    def test_addressThatCannotBeUsedIsPassedOver(self) -> None:
        """
        A host without IPv6 has no socket for it, or no route.
        """
        self.noRoute = {SIX}
        self.listen(FOUR)
        self.ask(self.open(), "one")
        self.assertEqual((self.got(FOUR), self.said()), (["one"], []))

    def test_addressThatLosesItsRouteIsLeft(self) -> None:
        self.listen(SIX, FOUR)
        target = self.open()
        self.ask(target, "one")
        self.answer(SIX)
        self.noRoute = {SIX}
        assert target._search.main is not None
        target._search.main.routeFailed()
        self.settle()
        self.ask(target, "two")
        self.assertEqual(self.got(FOUR), ["two"])

    def test_noAddressThatCanBeUsedIsSaidAndTriedAgain(self) -> None:
        self.noRoute = {SIX, FOUR}
        self.listen(FOUR)
        target = self.open()
        self.ask(target, "one")
        self.assertEqual(self.said(), ["no way to the target target.test port 51820: Network is unreachable"])
        self.noRoute = {SIX}
        self.clock.advance(RETRY_SECONDS)
        self.assertEqual(self.got(FOUR), ["one"])

    def test_sourcePortStaysTheSame(self) -> None:
        """
        For each family of addresses.
        """
        self.listen(SIX, FOUR)
        target = self.open()
        self.ask(target, "one")
        self.answer(SIX)
        self.leave(SIX)
        self.ask(target, "two")
        self.ask(target, "three")
        self.answer(FOUR)
        self.leave(FOUR)
        self.listen(SIX)
        self.ask(target, "four")
        self.ask(target, "five")
        (source,) = {source for _, source in self.targets[SIX].trains}
        self.assertEqual(source[1], 50001)

    def test_addressThatAnsweredAndRefusesIsLeftForAnother(self) -> None:
        """
        And comes back when it answers again and the other does not.
        """
        self.listen(FOUR)
        target = self.open()
        self.ask(target, "one")
        self.answer(FOUR)
        self.leave(FOUR)
        self.network.silent.add(SIX)
        self.ask(target, "lost")
        self.listen(FOUR)
        for number in range(12):
            self.ask(target, f"{number}")
            self.clock.advance(RACE_SECONDS)
        self.assertNotEqual(self.got(FOUR), [])
        self.answer(FOUR)
        self.assertEqual(self.received, [PONG, PONG])

    def test_addressThatRefusesItsCopiesIsPassedOverAtOnce(self) -> None:
        self.found = [SIX, OTHER, FOUR]
        self.network.silent.add(SIX)
        self.listen(FOUR)
        target = self.open()
        self.ask(target, "one")
        self.clock.advance(RACE_SECONDS)
        self.settle()
        self.assertEqual(self.got(FOUR), ["one"])

    def test_socketForCopiesMayBeLost(self) -> None:
        self.found = [SIX, OTHER, FOUR]
        self.network.silent.update((SIX, OTHER))
        self.listen(FOUR)
        target = self.open()
        self.ask(target, "one")
        self.clock.advance(RACE_SECONDS)
        assert target._search._beside is not None
        beside: Any = target._search._beside.transport
        beside.lose("it broke")
        self.assertEqual(self.got(FOUR), ["one"])

    def test_lateAnswerOfTheFirstEndsTheRound(self) -> None:
        """
        The copies end, and their socket is closed.
        """
        self.listen(SIX, FOUR)
        target = self.open()
        self.ask(target, "one")
        self.clock.advance(RACE_SECONDS)
        self.answer(SIX)
        self.ask(target, "two")
        self.assertEqual((self.got(SIX), self.got(FOUR)), (["one", "two"], ["one"]))
        self.assertEqual(len(self.network.ports), 3)
        self.assertNoTimer()

    def test_socketThatIsLostInARoundEndsIt(self) -> None:
        self.network.silent.add(SIX)
        self.listen(FOUR)
        target = self.open()
        self.ask(target, "one")
        self.clock.advance(RACE_SECONDS)
        assert target._search.main is not None
        main: Any = target._search.main.transport
        main.lose("it broke")
        self.assertEqual(list(self.network.ports), [FOUR])
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.clock.advance(RETRY_SECONDS)
        self.ask(target, "two")
        self.clock.advance(RACE_SECONDS)
        self.assertEqual(self.got(FOUR), ["one", "two"])

    def test_addressIsTriedOnceHoweverOftenItIsFound(self) -> None:
        """
        The system may find it once for each kind of socket.
        """
        self.found = [SIX, SIX, SIX, FOUR]
        self.network.silent.add(SIX)
        self.listen(FOUR)
        self.ask(self.open(), "one")
        self.clock.advance(RACE_SECONDS)
        self.assertEqual(self.got(FOUR), ["one"])

    def test_whateverGoesWrongIsTriedAgain(self) -> None:
        """
        Also what nobody has thought of: with a lookup that is over at once, in a later turn, and where it is asked for.
        """
        self.listen(FOUR)
        found: Resolved = [IPv4Address("UDP", *FOUR)]
        answers: list[Callable[[Resolved], None]] = []

        def raising(*_: Any) -> None:
            reason = "nobody has thought of it"
            raise KeyError(reason)

        ways: tuple[tuple[type, str, InBackground], ...] = (
            (AddressSearch, "_openTo", lambda _, done: done(found)),
            (AddressSearch, "_openTo", lambda _, done: answers.append(done)),
            (SharedResolver, "lookUp", lambda _, done: done(found)),
        )
        for number, (kind, method, inBackground) in enumerate(ways):
            with patch.object(kind, method, raising):
                target = self.open(self.maker("other.test", SharedResolver(inBackground)))
                while answers:
                    answers.pop()(found)
            target.send([textOf(f"{number}")])
            (said,) = self.said()
            self.assertEqual(said, "no way to the target other.test port 51820: KeyError: 'nobody has thought of it'")
            self.clock.advance(RETRY_SECONDS)
            while answers:
                answers.pop()(found)
            self.clock.advance(0)
            self.assertEqual(self.got(FOUR)[-1], f"{number}")

    def test_manyNewSessionsShareALookup(self) -> None:
        self.listen(FOUR)
        for _ in range(20):
            self.open()
        self.assertEqual(self.lookups, 1)

    def test_refusingAddressWhoseOnlyNeighbourCannotBeUsedIsTriedAgain(self) -> None:
        self.found = [FOUR, OTHER]
        self.noRoute = {OTHER}
        target = self.open()
        self.ask(target, "one")
        self.listen(FOUR)
        self.clock.advance(RETRY_SECONDS)
        self.ask(target, "two")
        self.assertEqual(self.got(FOUR), ["two"])

    def test_socketsAreOpenedAtTheCostOfWhoeverSends(self) -> None:
        """
        All addresses refuse, so each is tried again and again, which takes others their time.
        """
        target = self.open()
        spent: list[int] = []
        self.patch(target._allowance, "spend", spent.append)
        self.ask(target, "one")
        self.ask(target, "two")
        self.assertEqual(spent, [OPEN_UNITS])

    def test_manyAddressesOfOneFamilyDoNotHideTheOther(self) -> None:
        """
        The system puts those of IPv6 first, and not all are tried.
        """
        self.found = [*((f"2001:db8::{number}", PORT, 0, 0) for number in range(1, 20)), FOUR]
        self.network.silent.update(self.found[:-1])
        self.listen(FOUR)
        target = self.open()
        self.assertEqual(len(target._search._addresses), MAX_TARGET_ADDRESSES)
        for _ in range(2 * MAX_TARGET_ADDRESSES):
            self.ask(target, "one")
            self.clock.advance(BESIDE_SECONDS)
        self.assertNotEqual(self.got(FOUR), [])

    def test_copiesAreBounded(self) -> None:
        self.network.silent.add(SIX)
        self.listen(FOUR)
        target = self.open()
        for _ in range(500):
            target.send([Train(1000, bytes(1000))])
        self.assertLessEqual(target._search._kept.bytes, COPIES_BYTES)
        self.clock.advance(RACE_SECONDS)
        self.assertGreater(len(self.got(FOUR)), 20)
        self.assertEqual(self.network.drops.totals, {})

    def test_closedInARoundMeansClosed(self) -> None:
        self.network.silent.add(SIX)
        self.listen(FOUR)
        for seconds in (0.0, RACE_SECONDS, RACE_SECONDS + BESIDE_SECONDS):
            target = self.open()
            self.ask(target, "one")
            self.clock.advance(seconds)
            target.close()
            self.assertEqual(list(self.network.ports), [FOUR])
            self.assertNoTimer()


class RefusalTests(AddressesTestCase):
    """
    Nothing listens at the target.
    """

    def test_oneLineSaysSoAtOnce(self) -> None:
        """
        For all sessions, and one more when it answers again.
        """
        make = self.maker("127.0.0.1", SharedResolver(neverLookUp))
        targets = [self.open(make), self.open(make)]
        for target in targets:
            for word in ("one", "two"):
                self.ask(target, word)
        self.assertEqual(self.said(), ["nothing listens at the target, 127.0.0.1 port 51820: is it started?"])
        self.listen(FOUR)
        self.ask(targets[0], "three")
        self.assertEqual(self.got(FOUR), ["three"])
        self.answer(FOUR)
        self.answer(FOUR)
        self.assertEqual(self.said(), ["the target, 127.0.0.1 port 51820, answers again"])
        self.assertEqual(self.received, [PONG, PONG])
        self.assertNoTimer()
        self.clock.advance(QUIET_SECONDS)
        self.leave(FOUR)
        self.ask(targets[0], "four")
        self.listen(FOUR)
        self.ask(targets[0], "five")
        self.answer(FOUR)
        self.assertEqual(len(self.said()), 2)

    def test_allAddressesRefuse(self) -> None:
        """
        That is said once, with all of them; and the flow begins within a second of the target's start.
        """
        target = self.open()
        for number in range(400):
            self.ask(target, f"{number}")
            self.clock.advance(0.1)
        self.assertEqual(
            self.said(), ["nothing listens at the target, target.test port 51820 (::1, 127.0.0.1): is it started?"]
        )
        for address in (FOUR, SIX):
            self.listen(address)
            for number in range(12):
                self.ask(target, f"{number}")
                self.clock.advance(0.1)
            self.assertNotEqual(self.got(address), [])
            self.answer(address)
            self.leave(address)

    def test_otherReasonsAreSaidInTheirWords(self) -> None:
        make = self.maker("127.0.0.1", SharedResolver(neverLookUp))
        for number, words in (
            (errno.EHOSTUNREACH, "No route to host; is its host up"),
            (errno.EPERM, "a rule of this host"),
            (errno.EACCES, "a firewall forbids"),
        ):
            target = self.open(make)
            assert target._search.main is not None
            target._search.main.refused(FOUR, number)
            target._search.main.refused(FOUR, number)
            self.settle()
            (line,) = self.said()
            self.assertIn(words, line)

    def test_whatConcernsOthersIsPassedOver(self) -> None:
        """
        A datagram that was too long for the path says nothing of the target, nor does what was sent elsewhere.
        """
        target = self.open(self.maker("127.0.0.1", SharedResolver(neverLookUp)))
        assert target._search.main is not None
        target._search.main.refused(FOUR, errno.EMSGSIZE)
        target._search.main.refused(OTHER, errno.ECONNREFUSED)
        self.assertNoTimer()
        self.assertEqual(self.said(), [])

    def test_refusalBehindTheCloseIsNone(self) -> None:
        target = self.open(self.maker("127.0.0.1", SharedResolver(neverLookUp)))
        target.send([PONG])
        target.close()
        self.assertNoTimer()


class MovingTests(AddressesTestCase):
    """
    A name gets another address while a session lives.
    """

    def setUp(self) -> None:
        super().setUp()
        self.found = [FOUR]
        self.listen(FOUR)
        self.target = self.open()
        self.ask(self.target, "one")
        self.answer(FOUR)
        self.sent = self.heard = self.clock.seconds()

    def pass_(self, seconds: float, *, sends: bool = True) -> None:
        """
        Let time pass, in which something is sent.
        """
        for _ in range(round(seconds)):
            self.clock.advance(1)
            if sends:
                self.sent = self.clock.seconds()
                self.ask(self.target, "more")
            self.target.review(self.sent, self.heard)

    def test_refusedSessionFindsTheNewAddress(self) -> None:
        """
        By the same source port; one line says so, and what was sent meanwhile is not lost.
        """
        self.leave(FOUR)
        self.found = [OTHER]
        self.listen(OTHER)
        self.ask(self.target, "lost")
        self.ask(self.target, "two")
        self.assertEqual(self.got(OTHER), ["two"])
        self.answer(OTHER)
        self.assertEqual(self.targets[OTHER].trains[0][1][1], 50001)
        self.assertEqual(
            self.said(),
            [
                "nothing listens at the target, target.test port 51820 (127.0.0.1): is it started?",
                "the target target.test has moved from 127.0.0.1 to 127.0.0.2",
                "the target, target.test port 51820 (127.0.0.2), answers again",
            ],
        )
        self.assertEqual(self.received, [PONG, PONG])

    def test_whatIsSentDuringTheLookupIsNotLost(self) -> None:
        answers: list[Callable[[Resolved], None]] = []
        self.target = self.open(self.maker("target.test", SharedResolver(lambda _, done: answers.append(done))))
        answers.pop()(self.lookUp())
        self.leave(FOUR)
        self.found = [OTHER]
        self.listen(OTHER)
        for word in ("lost", "two", "three"):
            self.ask(self.target, word)
        answers.pop()(self.lookUp())
        self.ask(self.target, "four")
        self.assertEqual(self.got(OTHER), ["two", "three", "four"])

    def test_silentSessionFindsTheNewAddress(self) -> None:
        self.leave(FOUR)
        self.network.silent.add(FOUR)
        self.found = [OTHER]
        self.listen(OTHER)
        self.pass_(TARGET_UNHEARD_SECONDS + 2)
        self.assertIn("more", self.got(OTHER))
        self.assertEqual(self.said(), ["the target target.test has moved from 127.0.0.1 to 127.0.0.2"])

    def test_silenceAloneIsNoReason(self) -> None:
        """
        The name still leads there: the target has nothing to say.  It is asked for ever more seldom.
        """
        before = self.lookups
        self.found = [OTHER, FOUR]
        self.pass_(300)
        self.assertEqual(self.got(FOUR), ["one", *["more"] * 300])
        self.assertLess(self.lookups - before, 12)
        self.assertEqual(self.said(), [])

    def test_silentTargetThatSpeaksAgainIsAsked(self) -> None:
        """
        Copies went to another address meanwhile, and end.
        """
        self.found = [OTHER, FOUR]
        self.listen(OTHER)
        self.pass_(TARGET_UNHEARD_SECONDS + 2)
        self.clock.advance(RACE_SECONDS)
        self.assertIn("more", self.got(OTHER))
        self.answer(FOUR)
        self.ask(self.target, "last")
        self.assertEqual((self.got(FOUR)[-1], self.got(OTHER)[-1]), ("last", "more"))
        self.assertEqual(len(self.network.ports), 3)

    def test_targetThatMovesAgainIsFoundAsSoon(self) -> None:
        """
        However long it was silent before.
        """
        third: Address = ("127.0.0.3", PORT)
        self.network.silent.update((FOUR, OTHER))
        self.leave(FOUR)
        self.pass_(200)
        self.found = [OTHER]
        while self.target._search._addresses == [FOUR]:
            self.pass_(1)
        self.found = [third]
        self.listen(third)
        self.pass_(TARGET_UNHEARD_SECONDS + 2)
        self.assertIn("more", self.got(third))

    def test_nameThatLeadsElsewhereEachTimeIsAskedForSeldom(self) -> None:
        """
        A target that only takes says nothing wherever it is, and each move costs a socket.
        """
        self.leave(FOUR)
        before = self.lookups
        for number in range(300):
            self.found = [(f"127.0.1.{number % 250}", PORT)]
            self.network.silent.update(self.found)
            self.pass_(1)
        self.assertLess(self.lookups - before, 20)

    def test_lookupThatFindsTheSameLeavesNothingBehind(self) -> None:
        """
        What was sent meanwhile is kept no longer, and what follows goes straight to the socket.
        """
        self.leave(FOUR)
        for _ in range(3):
            self.ask(self.target, "lost")
        assert self.target._search.main is not None
        self.assertEqual((self.target.send, self.target._search._kept.bytes), (self.target._search.main.send, 0))

    def test_whoSendsNothingAsksForNothing(self) -> None:
        before = self.lookups
        self.pass_(300, sends=False)
        self.assertEqual(self.lookups, before)

    def test_nameThatIsGoneKeepsTheOldAddress(self) -> None:
        """
        While a container is started anew its name may have no address.
        """
        self.leave(FOUR)
        self.found = None
        self.pass_(10)
        self.found = [OTHER]
        self.listen(OTHER)
        self.pass_(4)
        self.assertIn("more", self.got(OTHER))
        said = self.said()
        self.assertIn(
            "the target target.test cannot be looked up now, so it is taken to be at 127.0.0.1, as before: "
            "host name not found (the resolver's words)",
            said,
        )

    def test_newSessionTakesTheOldAddressWhileTheNameIsGone(self) -> None:
        self.found = None
        self.clock.advance(10)
        self.ask(self.open(), "two")
        self.assertEqual(self.got(FOUR), ["one", "two"])

    def test_lookupsOfManySessionsAreFew(self) -> None:
        """
        However many are refused.
        """
        targets = [self.open() for _ in range(50)]
        before = self.lookups
        self.leave(FOUR)
        for _ in range(20):
            for target in targets:
                self.ask(target, "two")
            self.clock.advance(0.5)
        self.assertLessEqual(self.lookups - before, 10 / LOOKUP_GAP_SECONDS + 1)
        self.found = [OTHER]
        self.listen(OTHER)
        for _ in range(6):
            for target in targets:
                self.ask(target, "three")
            self.clock.advance(0.5)
        self.assertEqual(len({source for _, source in self.targets[OTHER].trains}), 50)
        self.assertEqual(sum("has moved" in line for line in self.said()), 1)

    def test_lookupThatWaitsForItsTimeEndsWithTheServer(self) -> None:
        self.leave(FOUR)
        self.ask(self.target, "lost")
        self.clock.advance(1)
        self.ask(self.target, "lost")
        self.target.close()
        finder: Any = self.target._finder
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        finder.stop()
        finder.stop()
        self.successResultOf(finder.findAgain())
        self.assertNoTimer()

    def test_closedWhileItLooksAgainStaysClosed(self) -> None:
        self.leave(FOUR)
        self.ask(self.target, "lost")
        self.ask(self.target, "lost")
        self.found = [OTHER]
        self.target.close()
        self.clock.advance(10)
        self.assertEqual(list(self.network.ports), [])


class LinkTests(AddressesTestCase):
    """
    The target's address names a link, which may be made anew.
    """

    def test_linkThatIsMadeAnewIsFound(self) -> None:
        numbers = {"wg0": 3}

        def numberOf(name: str) -> int:
            if name not in numbers:
                raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
            return numbers[name]

        self.patch(socket, "if_nametoindex", numberOf)
        old, new = (("fe80::1", PORT, 0, number) for number in (3, 8))
        target = self.open(self.maker("fe80::1%wg0", SharedResolver(neverLookUp)))
        assert target._search.main is not None
        self.assertEqual(target._search.main.address, old)
        del numbers["wg0"]
        self.noRoute = {old}
        for _ in range(3):
            target._search.main.routeFailed()
            self.settle()
            self.clock.advance(RETRY_SECONDS)
        numbers["wg0"] = 8
        target._search.main.routeFailed()
        self.settle()
        self.assertEqual(target._search.main.address, new)
        self.assertEqual(self.said()[-1], "the link of the target fe80::1%wg0 was made anew")

    def test_linkThatIsNotThereYetIsWaitedFor(self) -> None:
        target = self.open(self.maker("fe80::1%nosuchlink", SharedResolver(neverLookUp)))
        target.send([PONG])
        (said,) = self.said()
        self.assertIn("no way to the target fe80::1%nosuchlink port 51820: its address cannot be used: ", said)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)


class UnsentTests(AddressesTestCase):
    """
    What was not sent is known.
    """

    def test_whatWaitedInVainIsUnsent(self) -> None:
        self.found = None
        target = self.open()
        for _ in range(3):
            target.send([textOf("four")])
        self.assertEqual(target.unsentBytes, 12)
        self.found = [FOUR]
        self.listen(FOUR)
        self.clock.advance(RETRY_SECONDS)
        self.assertEqual((target.unsentBytes, self.got(FOUR)), (0, ["four"] * 3))
        target.close()
        self.assertEqual(target.unsentBytes, 0)

    def test_whatASocketHasNotSentIsUnsent(self) -> None:
        """
        Also when another one has come in its place.
        """
        self.found = [FOUR]
        self.listen(FOUR)
        target = self.open()
        assert target._search.main is not None
        target._search.main.unsentBytes = 7
        self.assertEqual(target.unsentBytes, 7)
        main: Any = target._search.main.transport
        main.lose("it broke")
        self.clock.advance(RETRY_SECONDS)
        self.assertEqual(target.unsentBytes, 7)

    def test_itStaysUnsentAfterTheClose(self) -> None:
        self.found = None
        target = self.open()
        target.send([textOf("four")])
        target.close()
        self.assertEqual(target.unsentBytes, 4)


class SilenceTests(TimerTestCase):
    """
    When it is time to look for a target.
    """

    def looks(self, moments: Iterable[float], heardAt: float = 0.0) -> list[float]:
        """
        @param moments: when something is sent.
        @return: when it is looked for.
        """
        silence = TargetSilence()
        return [moment for moment in moments if silence.isLong(moment, heardAt, moment)]

    def test_itGetsMoreSeldom(self) -> None:
        self.assertEqual(self.looks(range(1, 200)), [5, 13, 29, 61, 121, 181])

    def test_keepalivesOfAnIdlePeerAreSilenceToo(self) -> None:
        self.assertEqual(self.looks(range(25, 200, 25)), [50, 75, 100, 150])

    def test_oneThatAnswersIsNeverLookedFor(self) -> None:
        silence = TargetSilence()
        self.assertFalse(any(silence.isLong(moment, moment + 0.01, moment + 0.02) for moment in range(500)))
