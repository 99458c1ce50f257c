"""
Host names, looked up in the background and never twice at a time.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.reactors import ThreadReactor
from uotp.errors import LookupFailed
from uotp.net.resolver import MAX_FOUND, Addresses, Resolved, SharedResolver, backgroundThread, systemLookup

HOST = "server.test"
FOUND: Addresses = [IPv6Address("TCP", "2001:db8::1", 8443), IPv4Address("TCP", "192.0.2.1", 8443)]
PATIENCE_SECONDS = 5.0
"""For a thread that has nothing to wait for."""


class SharedResolverTests(SynchronousTestCase):
    """
    Ask for names, and see who is asked.
    """

    def setUp(self) -> None:
        self.asked: list[tuple[str, int, str]] = []
        self.found: Resolved = FOUND
        self.running: list[tuple[Callable[[], Resolved], Callable[[Resolved], None]]] = []

    def resolver(self) -> SharedResolver:
        """
        @return: a resolver.
        """
        return SharedResolver(lambda call, done: self.running.append((call, done)), lookup=self.lookup)

    def lookup(self, host: str, port: int, semantics: str) -> Resolved:
        """
        In place of the system's.
        """
        self.asked.append((host, port, semantics))
        return self.found

    def finish(self) -> None:
        """
        Let the oldest lookup come to its end.
        """
        call, done = self.running.pop(0)
        done(call())

    def test_answerHasAllAddressesInTheSystemsOrder(self) -> None:
        answer = self.resolver().lookUp(HOST, 8443, "TCP")
        self.assertNoResult(answer)
        self.finish()
        self.assertEqual(self.successResultOf(answer), FOUND)
        self.assertEqual(self.asked, [(HOST, 8443, "TCP")])

    def test_lookupsAtOneTimeAreShared(self) -> None:
        resolver = self.resolver()
        answers = [resolver.lookUp(HOST, 8443, "TCP") for _ in range(8)]
        self.assertEqual(len(self.running), 1)
        self.finish()
        self.assertEqual([self.successResultOf(answer) for answer in answers], [FOUND] * 8)

    def test_differentQuestionsAreNotMixed(self) -> None:
        resolver = self.resolver()
        resolver.lookUp(HOST, 8443, "TCP")
        resolver.lookUp(HOST, 8443, "UDP")
        resolver.lookUp(HOST, 443, "TCP")
        resolver.lookUp("other.test", 8443, "TCP")
        while self.running:
            self.finish()
        self.assertEqual(
            self.asked, [(HOST, 8443, "TCP"), (HOST, 8443, "UDP"), (HOST, 443, "TCP"), ("other.test", 8443, "TCP")]
        )

    def test_nameIsLookedUpAgainAtEachCall(self) -> None:
        resolver = self.resolver()
        for found in (FOUND[:1], FOUND[1:]):
            self.found = found
            answer = resolver.lookUp(HOST, 8443, "TCP")
            self.finish()
            self.assertEqual(self.successResultOf(answer), found)

    def test_failureIsForgotten(self) -> None:
        resolver = self.resolver()
        self.found = LookupFailed("nobody knows it")
        failed = resolver.lookUp(HOST, 8443, "TCP")
        self.finish()
        self.assertEqual(str(self.failureResultOf(failed, LookupFailed).value), "nobody knows it")
        self.found = FOUND
        answer = resolver.lookUp(HOST, 8443, "TCP")
        self.finish()
        self.assertEqual(self.successResultOf(answer), FOUND)

    def test_addressNeedsNoLookup(self) -> None:
        """
        It is answered at once, for either use, with its link if it has one.
        """
        resolver = self.resolver()
        self.patch(socket, "if_nametoindex", {"eth0": 2}.__getitem__)
        for host in ("192.0.2.1", "2001:db8::1", "fe80::1%eth0"):
            kind = IPv6Address if ":" in host else IPv4Address
            answer = self.successResultOf(resolver.lookUp(host, 8443, "UDP"))
            self.assertEqual(answer, [kind("UDP", host, 8443)])
        mapped = self.successResultOf(resolver.lookUp("::ffff:192.0.2.1", 8443, "UDP"))
        self.assertEqual(mapped, [IPv4Address("UDP", "192.0.2.1", 8443)])
        self.assertEqual(self.running, [])

    def test_addressOnAnInterfaceThatIsNotThereHasWords(self) -> None:
        """
        It may come: whoever asks again finds it then.
        """

        def missing(_: str) -> int:
            raise OSError(19, "No such device")

        self.patch(socket, "if_nametoindex", missing)
        failed = self.failureResultOf(self.resolver().lookUp("fe80::1%wlan7", 8443, "TCP"), LookupFailed)
        self.assertEqual(str(failed.value), "this machine has no network interface wlan7 now")

    def test_whoAsksInsideAnAnswerIsAnsweredToo(self) -> None:
        resolver = self.resolver()
        later: list[Any] = []
        resolver.lookUp(HOST, 8443, "TCP").addCallback(lambda _: later.append(resolver.lookUp(HOST, 8443, "TCP")))
        self.finish()
        self.finish()
        self.assertEqual(self.successResultOf(later[0]), FOUND)

    def test_whoHasGivenUpIsNotToldAndHoldsNobodyUp(self) -> None:
        resolver = self.resolver()
        impatient, patient = (resolver.lookUp(HOST, 8443, "TCP") for _ in range(2))
        impatient.addErrback(lambda _: None)
        impatient.cancel()
        self.finish()
        self.assertEqual(self.successResultOf(patient), FOUND)

    def test_allWhoShareALookupHearWhyItFailed(self) -> None:
        resolver = self.resolver()
        self.found = LookupFailed("nobody knows it")
        answers = [resolver.lookUp(HOST, 8443, "TCP") for _ in range(2)]
        self.finish()
        reasons = [self.failureResultOf(answer, LookupFailed).value for answer in answers]
        self.assertEqual([str(reason) for reason in reasons], ["nobody knows it"] * 2)
        self.assertIsNot(reasons[0], reasons[1])

    def test_whatWasFoundAheadIsTheAnswerWhenNothingElseIs(self) -> None:
        """
        In a chroot no lookup finds anything.
        """
        resolver = self.resolver()
        self.assertIsNone(resolver.lookUpAhead(HOST, 8443, "TCP"))
        self.found = LookupFailed("the name server does not answer")
        answers = [resolver.lookUp(HOST, 8443, "TCP"), resolver.lookUp(HOST, 8444, "TCP")]
        self.finish()
        self.finish()
        self.assertEqual(self.successResultOf(answers[0]), FOUND)
        self.failureResultOf(answers[1], LookupFailed)
        self.found = FOUND[1:]
        answer = resolver.lookUp(HOST, 8443, "TCP")
        self.finish()
        self.assertEqual(self.successResultOf(answer), FOUND[1:])

    def test_lookingAheadTellsWhatItHasNotFound(self) -> None:
        resolver = self.resolver()
        self.found = LookupFailed("host name not found")
        self.assertIs(resolver.lookUpAhead(HOST, 8443, "TCP"), self.found)
        self.asked.clear()
        self.assertIsNone(resolver.lookUpAhead("192.0.2.1", 8443, "TCP"))
        self.assertEqual(self.asked, [])


class SystemLookupTests(SynchronousTestCase):
    """
    Let the system answer in all its ways.
    """

    def getaddrinfo(self, result: Any) -> None:
        """
        Let the system answer this, or raise it.
        """

        def answer(*args: object, **kwargs: object) -> Any:
            self.asked = (args, kwargs)
            if isinstance(result, Exception):
                raise result
            return result

        self.patch(socket, "getaddrinfo", answer)

    def test_addressesOfBothFamiliesAreTaken(self) -> None:
        self.getaddrinfo(
            [
                (socket.AF_INET6, 0, 0, "", ("2001:db8::1", 8443, 0, 0)),
                (12345, 0, 0, "", ("?", 8443)),
                (socket.AF_INET, 0, 0, "", ("192.0.2.1", 8443)),
            ]
        )
        self.assertEqual(systemLookup(HOST, 8443, "TCP"), FOUND)
        self.assertEqual(self.asked, ((HOST.encode(), 8443), {"type": socket.SOCK_STREAM}))
        self.assertEqual(
            systemLookup(HOST, 8443, "UDP"),
            [IPv6Address("UDP", "2001:db8::1", 8443), IPv4Address("UDP", "192.0.2.1", 8443)],
        )
        self.assertEqual(self.asked, ((HOST.encode(), 8443), {"type": socket.SOCK_DGRAM}))

    def test_linkLocalAddressKeepsItsLink(self) -> None:
        self.getaddrinfo([(socket.AF_INET6, 0, 0, "", ("fe80::1", 8443, 0, 2))])
        found = systemLookup(HOST, 8443, "TCP")
        assert not isinstance(found, LookupFailed)
        (address,) = found
        self.assertEqual(address.host, "fe80::1%2")

    def test_answerWithThousandsOfAddressesIsCutShort(self) -> None:
        self.getaddrinfo([(socket.AF_INET, 0, 0, "", ("192.0.2.1", 8443))] * 4000)
        found = systemLookup(HOST, 8443, "TCP")
        assert not isinstance(found, LookupFailed)
        self.assertEqual(len(found), MAX_FOUND)

    def test_namesAreAskedForAsDnsHasThem(self) -> None:
        """
        The codec of Python knows older rules, and refuses or changes some of them.
        """
        self.getaddrinfo([(socket.AF_INET, 0, 0, "", ("192.0.2.1", 8443))])
        for word, asked in (("Stra\u00dfe.test.", b"xn--strae-oqa.test."), ("wg_server", b"wg_server")):
            systemLookup(word, 8443, "TCP")
            self.assertEqual(self.asked[0], (asked, 8443))
        self.assertIn("has at most 63 letters", str(systemLookup("a" * 64, 8443, "TCP")))

    def test_resolversOwnWordsAreKept(self) -> None:
        """
        Why there is no address decides what the user has to do.
        """
        for trouble, words in (
            (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "host name not found (Name or service"),
            (socket.gaierror(socket.EAI_AGAIN, "Temporary failure"), "the name server does not answer (Temporary"),
            (socket.gaierror(socket.EAI_FAIL, "Non-recoverable failure"), "the lookup failed (Non-recoverable"),
            (OSError(24, "Too many open files"), "the lookup failed: Too many open files"),
            (ValueError("embedded null byte"), "the host name cannot be looked up: embedded null byte"),
        ):
            self.getaddrinfo(trouble)
            self.assertIn(words, str(systemLookup(HOST, 8443, "TCP")))

    def test_nameWithoutAnAddressOfOursIsAFailure(self) -> None:
        self.getaddrinfo([(12345, 0, 0, "", ("?", 8443))])
        self.assertIn("no address", str(systemLookup(HOST, 8443, "TCP")))


class BackgroundThreadTests(SynchronousTestCase):
    """
    Look names up in another thread.
    """

    def test_lookupThatRaisesEndsAllTheSame(self) -> None:
        """
        As where the codec of international names cannot be loaded any more.
        """
        reactor = ThreadReactor()

        def lookup() -> Resolved:
            reason = "unknown encoding: idna"
            raise LookupError(reason)

        backgroundThread(reactor)(lookup, lambda _: None)
        self.assertTrue(reactor.came.wait(PATIENCE_SECONDS))
        (failed,) = reactor.calls[0][1]
        self.assertEqual(str(failed), "the lookup failed: LookupError: unknown encoding: idna")

    def test_lookupForWhichThereIsNoThreadEndsInALaterTurn(self) -> None:
        def start(_: threading.Thread) -> None:
            reason = "can't start new thread"
            raise RuntimeError(reason)

        self.patch(threading.Thread, "start", start)
        clock = Clock()
        ended: list[Resolved] = []
        backgroundThread(clock)(lambda: FOUND, ended.append)
        self.assertEqual(ended, [])
        clock.advance(0)
        self.assertIn("no thread", str(ended[0]))

    def test_callRunsElsewhereAndItsResultComesBackHere(self) -> None:
        reactor = ThreadReactor()
        ran: list[threading.Thread] = []
        got: list[tuple[threading.Thread, Resolved]] = []

        def lookup() -> Resolved:
            ran.append(threading.current_thread())
            return FOUND

        run = backgroundThread(reactor)
        run(lookup, lambda addresses: got.append((threading.current_thread(), addresses)))
        self.assertTrue(reactor.came.wait(PATIENCE_SECONDS))
        self.assertEqual(got, [])
        ((call, arguments),) = reactor.calls
        call(*arguments)
        self.assertEqual(got, [(threading.current_thread(), FOUND)])
        self.assertIsNot(ran[0], threading.current_thread())
        self.assertTrue(ran[0].daemon)
