"""
Host names, looked up in the background and never twice at a time.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IHostnameResolver
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.doubles.reactors import ThreadReactor
from uotp.net.resolver import Addresses, SharedResolver, backgroundThread, lookUp, systemLookup

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
        self.found: Addresses = FOUND
        self.running: list[tuple[Callable[[], Addresses], Callable[[Addresses], None]]] = []

    def resolver(self, *, once: bool = False) -> SharedResolver:
        """
        @return: a resolver.
        """
        return SharedResolver(lambda call, done: self.running.append((call, done)), once=once, lookup=self.lookup)

    def lookup(self, host: str, port: int, semantics: str) -> Addresses:
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
        answer = lookUp(self.resolver(), HOST, 8443, "TCP")
        self.assertNoResult(answer)
        self.finish()
        self.assertEqual(self.successResultOf(answer), FOUND)
        self.assertEqual(self.asked, [(HOST, 8443, "TCP")])

    def test_lookupsAtOneTimeAreShared(self) -> None:
        resolver = self.resolver()
        answers = [lookUp(resolver, HOST, 8443, "TCP") for _ in range(8)]
        self.assertEqual(len(self.running), 1)
        self.finish()
        self.assertEqual([self.successResultOf(answer) for answer in answers], [FOUND] * 8)

    def test_differentQuestionsAreNotMixed(self) -> None:
        resolver = self.resolver()
        lookUp(resolver, HOST, 8443, "TCP")
        lookUp(resolver, HOST, 8443, "UDP")
        lookUp(resolver, HOST, 443, "TCP")
        lookUp(resolver, "other.test", 8443, "TCP")
        while self.running:
            self.finish()
        self.assertEqual(
            self.asked, [(HOST, 8443, "TCP"), (HOST, 8443, "UDP"), (HOST, 443, "TCP"), ("other.test", 8443, "TCP")]
        )

    def test_nameIsLookedUpAgainAtEachCall(self) -> None:
        resolver = self.resolver()
        for found in (FOUND[:1], FOUND[1:]):
            self.found = found
            answer = lookUp(resolver, HOST, 8443, "TCP")
            self.finish()
            self.assertEqual(self.successResultOf(answer), found)

    def test_onceKeepsTheFirstAnswer(self) -> None:
        resolver = self.resolver(once=True)
        lookUp(resolver, HOST, 8443, "TCP")
        self.finish()
        self.found = []
        self.assertEqual(self.successResultOf(lookUp(resolver, HOST, 8443, "TCP")), FOUND)
        self.assertEqual((len(self.asked), self.running), (1, []))

    def test_onceForgetsAFailure(self) -> None:
        resolver = self.resolver(once=True)
        self.found = []
        failed = lookUp(resolver, HOST, 8443, "TCP")
        self.finish()
        self.assertEqual(self.successResultOf(failed), [])
        self.found = FOUND
        answer = lookUp(resolver, HOST, 8443, "TCP")
        self.finish()
        self.assertEqual(self.successResultOf(answer), FOUND)

    def test_addressNeedsNoLookup(self) -> None:
        """
        It is answered at once, for either use, with its link if it has one.
        """
        resolver = self.resolver()
        for host in ("192.0.2.1", "2001:db8::1", "fe80::1%eth0"):
            kind = IPv6Address if ":" in host else IPv4Address
            answer = self.successResultOf(lookUp(resolver, host, 8443, "UDP"))
            self.assertEqual(answer, [kind("UDP", host, 8443)])
        self.assertEqual(self.running, [])

    def test_whoAsksInsideAnAnswerIsAnsweredToo(self) -> None:
        resolver = self.resolver()
        later: list[Any] = []
        lookUp(resolver, HOST, 8443, "TCP").addCallback(lambda _: later.append(lookUp(resolver, HOST, 8443, "TCP")))
        self.finish()
        self.finish()
        self.assertEqual(self.successResultOf(later[0]), FOUND)

    def test_whoHasGivenUpIsNotToldAndHoldsNobodyUp(self) -> None:
        resolver = self.resolver()
        impatient, patient = (lookUp(resolver, HOST, 8443, "TCP") for _ in range(2))
        impatient.addErrback(lambda _: None)
        impatient.cancel()
        self.finish()
        self.assertEqual(self.successResultOf(patient), FOUND)

    def test_lookupThatCannotBeginHoldsNobodyUpLater(self) -> None:
        """
        There was no thread to be had; the next to ask asks the system again.
        """

        def begin(call: Callable[[], Addresses], done: Callable[[Addresses], None]) -> None:
            if not attempts:
                attempts.append(1)
                reason = "can't start new thread"
                raise RuntimeError(reason)
            done(call())

        attempts: list[int] = []
        resolver = SharedResolver(begin, lookup=self.lookup)
        with contextlib.suppress(RuntimeError):
            lookUp(resolver, HOST, 8443, "TCP").addErrback(lambda _: None)
        self.assertEqual(self.successResultOf(lookUp(resolver, HOST, 8443, "TCP")), FOUND)

    def test_resolverIsAsTwistedWantsIt(self) -> None:
        self.assertTrue(verifyObject(IHostnameResolver, self.resolver()))


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
        self.assertEqual(self.asked, ((HOST, 8443), {"type": socket.SOCK_STREAM}))
        self.assertEqual(
            systemLookup(HOST, 8443, "UDP"),
            [IPv6Address("UDP", "2001:db8::1", 8443), IPv4Address("UDP", "192.0.2.1", 8443)],
        )
        self.assertEqual(self.asked, ((HOST, 8443), {"type": socket.SOCK_DGRAM}))

    def test_linkLocalAddressKeepsItsLink(self) -> None:
        self.getaddrinfo([(socket.AF_INET6, 0, 0, "", ("fe80::1", 8443, 0, 2))])
        (address,) = systemLookup("fe80::1%eth0", 8443, "TCP")
        self.assertEqual(address.host, "fe80::1%2")

    def test_nameThatCannotBeFoundHasNoAddress(self) -> None:
        for trouble in (
            socket.gaierror(socket.EAI_NONAME, "unknown"),
            OSError(24, "Too many open files"),
            UnicodeError("label too long"),
        ):
            self.getaddrinfo(trouble)
            self.assertEqual(systemLookup(HOST, 8443, "TCP"), [])


class BackgroundThreadTests(SynchronousTestCase):
    """
    Look names up in another thread.
    """

    def test_lookupThatRaisesEndsAllTheSame(self) -> None:
        self.patch(threading, "excepthook", lambda _: None)
        reactor = ThreadReactor()

        def lookup() -> Addresses:
            raise MemoryError

        backgroundThread(reactor)(lookup, lambda _: None)
        self.assertTrue(reactor.came.wait(PATIENCE_SECONDS))
        self.assertEqual([arguments for _, arguments in reactor.calls], [([],)])

    def test_callRunsElsewhereAndItsResultComesBackHere(self) -> None:
        reactor = ThreadReactor()
        ran: list[threading.Thread] = []
        got: list[tuple[threading.Thread, Addresses]] = []

        def lookup() -> Addresses:
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
