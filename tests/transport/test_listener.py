"""
Where connections come in: what one costs that says nothing, and what happens when the system
has nothing left.
"""

from __future__ import annotations

import errno
import os
import socket
from collections import deque
from types import SimpleNamespace
from typing import Any

from twisted.internet import main, tcp
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.reactors import MemoryReactor
from tests.doubles.sockets import Diarist, FakeSocket, broken
from uotp.boundaries import StreamFacts
from uotp.errors import PeerError
from uotp.net.sockopts import TunnelSocketOptions
from uotp.transport import listener as listeners
from uotp.transport.accepted import AcceptedTcpStream
from uotp.transport.handshakes import HandshakeQueue
from uotp.transport.listener import (
    ACCEPT_SECONDS,
    MAX_ACCEPTED,
    REST_SECONDS,
    Listener,
    Newcomer,
    listenOn,
    peerAddress,
)
from uotp.transport.proxyheader import SIGNATURE
from uotp.transport.watch import ReactorWatch

PEER = ("192.0.2.1", 4711)


class FakeListeningSocket:
    """
    Has connections for whoever accepts.

    @ivar coming: the connections, each with its address, or errors.
    """

    def __init__(self, reactor: MemoryReactor, seconds: float) -> None:
        """
        @param seconds: how long it takes to accept one.
        """
        self.coming: deque[tuple[FakeSocket, tuple[Any, ...]] | OSError] = deque()
        self._reactor = reactor
        self._seconds = seconds

    def fileno(self) -> int:
        return 98

    def accept(self) -> tuple[FakeSocket, tuple[Any, ...]]:
        self._reactor.rightNow += self._seconds
        if not self.coming:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        came = self.coming.popleft()
        if isinstance(came, OSError):
            raise came
        return came

    def shutdown(self, how: int) -> None:
        """
        With the port.
        """

    def close(self) -> None:
        """
        With the port.
        """


class NamedSocket(FakeSocket):
    """
    Is a connection at a port for both families.
    """

    def __init__(self, own: tuple[Any, ...], peer: tuple[Any, ...]) -> None:
        """
        @param own: our address, as the socket module has it, as for the peer's.
        """
        super().__init__()
        self._own, self._peer = own, peer

    def getsockname(self) -> tuple[Any, ...]:
        return self._own

    def getpeername(self) -> tuple[Any, ...]:
        return self._peer


class RecordingReception(Factory):
    """
    Writes down what it is told about connections.

    @ivar begun: those that had their turn.
    @ivar gone: those that have left.
    @ivar said: why nothing could be accepted.
    @ivar spare: how many connections it can give up.
    @ivar error: raised for the next connection, if it is set.
    @ivar balancer: who has to say for whom he comes.
    @ivar announcements: those that have said so, and who they were before.
    @ivar refusals: why others were refused.
    @ivar takesAway: whether whoever has said so goes elsewhere.
    """

    noisy = False

    def __init__(self, reactor: MemoryReactor) -> None:
        self.handshakes = HandshakeQueue(reactor)
        self.newcomers: list[Newcomer] = []
        self.begun: list[Newcomer] = []
        self.gone: list[Newcomer] = []
        self.said: list[str] = []
        self.spare = 0
        self.error: Exception | None = None
        self.diaries: list[Diarist] = []
        self.balancer = ""
        self.announcements: list[tuple[Newcomer, str]] = []
        self.refusals: list[str] = []
        self.takesAway = False

    def mustAnnounce(self, host: str) -> bool:
        return host == self.balancer

    def announced(self, newcomer: Newcomer, before: str) -> None:
        self.announcements.append((newcomer, before))
        if self.takesAway:
            newcomer.surrender()

    def refused(self, newcomer: Newcomer, error: PeerError) -> None:
        self.refusals.append(str(error))

    def arrived(self, newcomer: Newcomer) -> None:
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        self.newcomers.append(newcomer)

    def begin(self, newcomer: Newcomer) -> None:
        self.begun.append(newcomer)
        self.diaries.append(Diarist())

        def make(*arguments: Any) -> AcceptedTcpStream:
            return AcceptedTcpStream(self.handshakes, TunnelSocketOptions(), *arguments)

        newcomer.become(make, self.diaries[-1])

    def left(self, newcomer: Newcomer) -> None:
        self.gone.append(newcomer)

    def giveOneUp(self) -> bool:
        self.spare -= 1
        return self.spare >= 0

    def cannotAccept(self, reason: str) -> None:
        self.said.append(reason)


class _ListenerTestCase(SynchronousTestCase):
    """
    Has a listener whose socket is the test's.
    """

    seconds = 0.0

    def setUp(self) -> None:
        """
        Make it; no timer is left in the end.
        """
        self.reactor = MemoryReactor()
        self.reception = RecordingReception(self.reactor)
        self.listener = Listener(("127.0.0.1", 8443), self.reception, self.reception.handshakes, 5, self.reactor)
        self.socket = FakeListeningSocket(self.reactor, self.seconds)
        self.listener.socket = self.socket
        self.listener.fileno = self.socket.fileno  # type: ignore[method-assign]
        self.listener.connected = True
        self.listener._realPortNumber = 8443
        self.listener.startReading()
        self.listener.watch = ReactorWatch(self.reactor)
        self.sockets: list[FakeSocket] = []
        self.addCleanup(self.end)

    def end(self) -> None:
        """
        Close it.
        """
        self.listener.stopListening()
        self.reactor.advance(0)
        self.assertEqual([str(call) for call in self.reactor.getDelayedCalls()], [])
        self.assertEqual(len(self.reception.handshakes), 0)

    def come(self, count: int = 1, address: tuple[Any, ...] = PEER) -> None:
        """
        Let connections come in.
        """
        for _ in range(count):
            self.sockets.append(FakeSocket())
            self.socket.coming.append((self.sockets[-1], address))

    def newcomer(self) -> tuple[Newcomer, FakeSocket]:
        """
        @return: a connection that was accepted, and its socket.
        """
        self.come()
        self.reactor.happen(self.listener, read=True)
        return self.reception.newcomers[-1], self.sockets[-1]


class AcceptingTests(_ListenerTestCase):
    """
    Accept connections.
    """

    def test_oneTurnAcceptsSoManyAtTheMost(self) -> None:
        self.come(MAX_ACCEPTED + 5)
        self.listener.doRead()
        self.assertEqual(len(self.reception.newcomers), MAX_ACCEPTED)
        self.listener.doRead()
        self.assertEqual(len(self.reception.newcomers), MAX_ACCEPTED + 5)

    def test_newcomerIsKnownByWhereAndWhen(self) -> None:
        self.reactor.advance(7)
        for address, owner in ((PEER, "192.0.2.1"), (("2001:db8::5:6", 1, 0, 0), "2001:db8::/64")):
            self.come(address=address)
            self.listener.doRead()
            newcomer = self.reception.newcomers[-1]
            self.assertEqual((newcomer.host, newcomer.owner, newcomer.since), (address[0], owner, 7))

    def test_whoComesByIPv4IsKnownBySuchAnAddress(self) -> None:
        """
        Also at a port for both families, and there he has the same owner.
        """
        found = []
        for address in (PEER, (f"::ffff:{PEER[0]}", PEER[1], 0, 0)):
            self.come(address=address)
            self.listener.doRead()
            newcomer = self.reception.newcomers[-1]
            self.reception.begin(newcomer)
            stream = self.reception.diaries[-1].transport
            found.append((newcomer.host, newcomer.owner, stream.getPeer(), stream.party, repr(stream)))
            newcomer.abort()
        self.assertEqual(found[1], found[0])
        self.assertEqual(found[0][:3], (PEER[0], PEER[0], IPv4Address("TCP", *PEER)))

    def test_ourEndOfSuchAConnectionIsOneOfIPv4Too(self) -> None:
        """
        For the log, and for whoever asks as Twisted's protocols do.
        """
        six = ("2001:db8::5", 8443, 0, 0)
        for own, told, words in (
            (("::ffff:192.0.2.9", 8443, 0, 0), IPv4Address("TCP", "192.0.2.9", 8443), "192.0.2.9:8443"),
            (six, IPv6Address("TCP", *six), "[2001:db8::5]:8443"),
        ):
            peer = ("::ffff:192.0.2.1", 4711, 0, 0)
            self.socket.coming.append((NamedSocket(own, peer), peer))
            self.listener.doRead()
            self.reception.begin(self.reception.newcomers[-1])
            stream = self.reception.diaries[-1].transport
            self.assertEqual((stream.getHost(), stream.facts()), (told, StreamFacts(words, "192.0.2.1:4711")))
            self.reception.newcomers[-1].abort()

    def test_addressThatNeedsItHasItsInterface(self) -> None:
        self.assertEqual(peerAddress(PEER), PEER)
        self.assertEqual(peerAddress(("2001:db8::1", 1, 0, 0)), ("2001:db8::1", 1, 0, 0))
        self.patch(socket, "getnameinfo", lambda address, _: (f"{address[0]}%eth{address[3]}", "1"))
        self.assertEqual(peerAddress(("fe80::1", 1, 0, 3)), ("fe80::1%eth3", 1, 0, 3))

    def test_connectionThatHasGoneCostsNobodyElse(self) -> None:
        self.socket.coming.append(OSError(errno.ECONNABORTED, "gone"))
        self.come()
        self.listener.doRead()
        self.assertEqual((len(self.reception.newcomers), self.reception.said), (1, []))

    def test_errorOfOursCostsOneConnectionAndNotThePort(self) -> None:
        self.reception.error = LookupError("a bug")
        self.come(2)
        self.listener.doRead()
        self.assertEqual([each.closed for each in self.sockets], [True, False])
        self.assertEqual(len(self.flushLoggedErrors(LookupError)), 1)

    def test_withoutDescriptorsAcceptingRests(self) -> None:
        """
        Those who come wait in the kernel, and do not wake us again and again.
        """
        for number in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
            self.socket.coming.append(OSError(number, os.strerror(number)))
            self.come()
            self.reactor.happen(self.listener, read=True)
            self.assertNotIn(self.listener, self.reactor.readers)
            self.reactor.advance(REST_SECONDS)
            self.assertIn(self.listener, self.reactor.readers)
            self.assertEqual(self.reception.said.pop(), os.strerror(number))
            self.reactor.happen(self.listener, read=True)
        self.assertEqual((len(self.reception.newcomers), self.reception.said), (4, []))

    def test_whereSomebodyCanGoAcceptingGoesOn(self) -> None:
        self.reception.spare = 1
        self.socket.coming.append(OSError(errno.EMFILE, os.strerror(errno.EMFILE)))
        self.come()
        self.reactor.happen(self.listener, read=True)
        self.assertIn(self.listener, self.reactor.readers)
        self.reactor.happen(self.listener, read=True)
        self.assertEqual(len(self.reception.newcomers), 1)

    def test_nobodyGoesForSomebodyWhoIsNotThere(self) -> None:
        """
        The last descriptor went to the connection that was accepted; the kernel says that there is none left before
        it looks whether anybody waits.
        """
        self.reception.spare = 1
        self.come()
        self.socket.coming.append(OSError(errno.EMFILE, os.strerror(errno.EMFILE)))
        self.reactor.happen(self.listener, read=True)
        self.assertEqual((len(self.reception.newcomers), self.reception.spare, self.reception.said), (1, 1, []))
        self.assertIn(self.listener, self.reactor.readers)

    def test_portThatIsClosedWhileItRestsStaysClosed(self) -> None:
        self.socket.coming.append(OSError(errno.EMFILE, os.strerror(errno.EMFILE)))
        self.reactor.happen(self.listener, read=True)
        self.listener.stopListening()
        self.reactor.advance(2 * REST_SECONDS)
        self.assertNotIn(self.listener, self.reactor.readers)


class PlaceTests(_ListenerTestCase):
    """
    Listen where one cannot.
    """

    def test_interfaceThatIsNotThereIsSaid(self) -> None:
        listener = Listener(("fe80::1%wlan7", 8443), self.reception, self.reception.handshakes, 5, self.reactor)
        error = self.assertRaises(CannotListenError, listener.startListening)
        self.assertEqual(error.socketError.strerror, "this machine has no network interface wlan7 now")

    def test_whatCannotListenWatchesNothing(self) -> None:
        """
        And whoever has no descriptor for a watch does not listen.
        """
        closed: list[str] = []
        self.patch(listeners, "newWatch", lambda _: SimpleNamespace(close=lambda: closed.append("watch")))

        def fail(_: Any) -> None:
            raise CannotListenError(place[0], place[1], OSError(98, os.strerror(98)))

        place = ("127.0.0.1", 0)
        self.patch(tcp.Port, "startListening", fail)
        one = Listener(place, self.reception, self.reception.handshakes, 5, self.reactor)
        self.assertRaises(CannotListenError, one.startListening)
        self.assertEqual(closed, ["watch"])

        def noDescriptor(_: Any) -> None:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

        self.patch(listeners, "newWatch", noDescriptor)
        self.assertRaises(CannotListenError, one.startListening)
        self.assertFalse(one.connected)


class SegmentTests(SynchronousTestCase):
    """
    Say how large the segments of connections may be.
    """

    def test_sizeIsSetOnTheSocketThatListens(self) -> None:
        """
        Connections take it over, and the other end is told in the first packet.
        """
        self.patch(tcp.Port, "createInternetSocket", lambda _: FakeSocket())
        reactor = MemoryReactor()
        for size, options in ((1200, [(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1200)]), (None, [])):
            listener = Listener(("127.0.0.1", 0), Factory(), HandshakeQueue(reactor), 5, reactor, size)
            self.assertEqual(listener.createInternetSocket().options, options)


class GivenSocket(FakeSocket):
    """
    Is a socket that listens already.
    """

    name: tuple[Any, ...] = ("192.0.2.100", 8443)
    blocks: object = True

    def setblocking(self, flag: object) -> None:
        self.blocks = flag

    def getsockname(self) -> tuple[Any, ...]:
        return self.name


class GivenTests(SynchronousTestCase):
    """
    Listen on a socket that another process has bound.
    """

    def listenOn(self, *name: Any) -> tuple[Listener, GivenSocket, MemoryReactor]:
        """
        @param name: where it is bound.
        @return: what listens on it, the socket, and the reactor.
        """
        reactor = MemoryReactor()
        self.patch(Listener, "createInternetSocket", lambda _: self.fail("it makes one of its own"))
        self.patch(listeners, "bindable", lambda _: self.fail("it is bound"))
        given: Any = GivenSocket()
        given.name = name
        reception = RecordingReception(reactor)
        listener = listenOn(given, reception, reception.handshakes, reactor)
        self.addCleanup(listener.watch.close)
        return listener, given, reactor

    def test_itIsBoundAlready(self) -> None:
        """
        It accepts at once, and others may do so too: so it must not block.
        """
        listener, given, reactor = self.listenOn("192.0.2.100", 8443)
        self.assertIs(listener.socket, given)
        self.assertFalse(given.blocks)
        self.assertIn(listener, reactor.readers)
        self.assertEqual(listener.getHost(), IPv4Address("TCP", "192.0.2.100", 8443))

    def test_itMayBeOneOfIPv6(self) -> None:
        """
        Whose name has four parts.
        """
        listener, _, _ = self.listenOn("2001:db8::1", 8443, 0, 0)
        self.assertEqual(listener.getHost(), IPv6Address("TCP", "2001:db8::1", 8443, 0, 0))

    def test_itIsOursToClose(self) -> None:
        listener, given, reactor = self.listenOn("192.0.2.100", 8443)
        listener.stopListening()
        reactor.advance(0)
        self.assertTrue(given.closed)
        self.assertNotIn(listener, reactor.readers)


class SlowAcceptingTests(_ListenerTestCase):
    """
    Accept connections, each of which takes its time.
    """

    seconds = ACCEPT_SECONDS / 2.5

    def test_oneTurnIsBoundedInTime(self) -> None:
        self.come(7)
        self.listener.doRead()
        self.assertEqual(len(self.reception.newcomers), 3)


class NewcomerTests(_ListenerTestCase):
    """
    Say something, or nothing.
    """

    def test_whoSaysNothingIsASocketThatIsWatched(self) -> None:
        """
        Nothing is set up for it, and it has no timer.
        """
        newcomer, made = self.newcomer()
        self.assertEqual((made.options, self.reception.begun), ([], []))
        self.assertEqual((self.reactor.readers, self.reactor.writers), ({self.listener, newcomer}, set()))
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertFalse(hasattr(newcomer, "__dict__"))
        newcomer.abort()

    def test_firstBytesAreReadInItsTurn(self) -> None:
        """
        By the stream that it becomes then; until then it does not wake us again.
        """
        newcomer, made = self.newcomer()
        made.coming.append(b"hello")
        newcomer.doRead()
        self.assertEqual((self.reactor.readers, self.reception.begun), ({self.listener}, []))
        self.reactor.advance(0)
        self.assertEqual(self.reception.begun, [newcomer])
        (diary,) = self.reception.diaries
        self.assertEqual((diary.says, diary.heard), (["made"], [b"hello"]))
        self.assertIn(diary.transport, self.reactor.readers)
        self.assertTrue(made.options)
        newcomer.abort()
        self.reactor.advance(0)
        self.assertEqual((diary.says[-1], made.closed), ("lost", True))

    def test_wakingForNothingChangesNothing(self) -> None:
        newcomer, made = self.newcomer()
        self.reactor.happen(newcomer, read=True)
        self.assertIn(newcomer, self.reactor.readers)
        newcomer.abort()
        self.assertTrue(made.closed)

    def test_whoGoesSilentlyIsForgotten(self) -> None:
        """
        Health checks do that, and scanners.
        """
        for last in (b"", broken()):
            newcomer, made = self.newcomer()
            made.coming.append(last)
            self.reactor.happen(newcomer, read=True)
            self.assertEqual((self.reception.gone.pop(), made.closed), (newcomer, True))
            self.assertEqual(self.reactor.readers, {self.listener})
            isReset = socket.SO_LINGER in [option for _, option, _ in made.options]
            self.assertEqual(isReset, last != b"", "who goes in good order is answered in good order")

    def test_whoIsSilentMayBeCalledIn(self) -> None:
        """
        It has its turn then as if something had come, once.
        """
        newcomer, _ = self.newcomer()
        self.assertFalse(newcomer.hasWaited)
        for _ in range(2):
            newcomer.comeIn()
        self.assertEqual((newcomer.hasWaited, self.reactor.readers), (True, {self.listener}))
        self.reactor.advance(0)
        self.assertEqual(self.reception.begun, [newcomer])
        newcomer.comeIn()
        self.reactor.advance(0)
        self.assertEqual(self.reception.begun, [newcomer])

    def test_whoIsGoneIsNotCalledIn(self) -> None:
        newcomer, _ = self.newcomer()
        newcomer.abort()
        newcomer.comeIn()
        self.reactor.advance(0)
        self.assertEqual((newcomer.hasWaited, self.reception.begun), (False, []))

    def test_whoIsLostIsForgottenOnce(self) -> None:
        newcomer, made = self.newcomer()
        for _ in range(2):
            newcomer.connectionLost(Failure(main.CONNECTION_LOST))
        self.assertEqual((self.reception.gone, made.closed), ([newcomer], True))
        self.assertEqual(newcomer.fileno(), -1)

    def test_whoIsAbortedIsResetAndHasNoTurn(self) -> None:
        """
        The kernel keeps nothing of it, and nobody is told, since whoever did it knows.
        """
        newcomer, made = self.newcomer()
        made.coming.append(b"hello")
        newcomer.doRead()
        for _ in range(2):
            newcomer.abort()
        self.reactor.advance(0)
        self.assertEqual((self.reception.begun, self.reception.gone, made.closed), ([], [], True))
        self.assertEqual([option for _, option, _ in made.options], [socket.SO_LINGER])

    def test_socketThatTakesNoOptionIsClosedAllTheSame(self) -> None:
        newcomer, _ = self.newcomer()
        made = FakeSocket(socket.SO_LINGER)
        newcomer._socket = made  # type: ignore[assignment]
        newcomer.abort()
        self.assertTrue(made.closed)

    def test_reactorKnowsWhoItIs(self) -> None:
        newcomer, _ = self.newcomer()
        self.assertEqual((newcomer.logPrefix(), newcomer.fileno()), ("Newcomer", 99))
        newcomer.abort()


BALANCER = ("198.51.100.7", 999)
CLIENT_LINE = b"PROXY TCP4 203.0.113.5 198.51.100.9 40000 8443\r\n"


class AnnouncingTests(_ListenerTestCase):
    """
    A balancer says for whom it has dialled.
    """

    def setUp(self) -> None:
        super().setUp()
        self.reception.balancer = BALANCER[0]

    def balanced(self) -> tuple[Newcomer, FakeSocket]:
        """
        @return: a connection of the balancer's, and its socket.
        """
        self.come(address=BALANCER)
        self.listener.doRead()
        return self.reception.newcomers[-1], self.sockets[-1]

    def hears(self, newcomer: Newcomer, made: FakeSocket, *pieces: bytes) -> None:
        """
        Let pieces come, each in a turn of its own.
        """
        for piece in pieces:
            made.coming.append(piece)
            if newcomer in self.reactor.readers:
                self.reactor.happen(newcomer, read=True)

    def test_connectionIsTheClientsFromThenOn(self) -> None:
        """
        For whoever asks: its host, its owner, its turns, its stream and the log.
        """
        newcomer, made = self.balanced()
        self.assertEqual((newcomer.awaitsHeader, newcomer.owner), (True, BALANCER[0]))
        self.hears(newcomer, made, CLIENT_LINE + b"hello")
        self.reactor.advance(0)
        self.assertEqual(self.reception.announcements, [(newcomer, BALANCER[0])])
        self.assertEqual((newcomer.awaitsHeader, newcomer.host, newcomer.owner), (False, "203.0.113.5", "203.0.113.5"))
        (diary,) = self.reception.diaries
        stream = diary.transport
        self.assertEqual(diary.heard, [b"hello"])
        self.assertEqual((stream.getPeer(), stream.party), (IPv4Address("TCP", "203.0.113.5", 40000), "203.0.113.5"))
        self.assertIn("203.0.113.5", repr(stream))
        newcomer.abort()

    def test_itsFactsAreTheClientsAndOurOwn(self) -> None:
        self.socket.coming.append((NamedSocket(("192.0.2.9", 8443), BALANCER), BALANCER))
        self.listener.doRead()
        newcomer = self.reception.newcomers[-1]
        made: Any = newcomer._socket
        self.hears(newcomer, made, b"PROXY TCP6 2001:db8::5 2001:db8::9 40000 8443\r\n", b"hello")
        self.reactor.advance(0)
        stream = self.reception.diaries[-1].transport
        self.assertEqual(stream.facts(), StreamFacts("192.0.2.9:8443", "[2001:db8::5]:40000"))
        self.assertEqual(stream.getPeer(), IPv6Address("TCP", "2001:db8::5", 40000))
        self.assertEqual(newcomer.owner, "2001:db8::/64")
        newcomer.abort()

    def test_headerMayComeInPieces(self) -> None:
        """
        And until more comes behind it, nobody has a turn.
        """
        newcomer, made = self.balanced()
        self.hears(newcomer, made, *(CLIENT_LINE[at : at + 1] for at in range(len(CLIENT_LINE))))
        self.assertEqual((newcomer.host, newcomer.port), ("203.0.113.5", 40000))
        self.assertEqual((self.reception.begun, len(self.reception.handshakes)), ([], 0))
        self.hears(newcomer, made, b"hello")
        self.reactor.advance(0)
        self.assertEqual(self.reception.diaries[-1].heard, [b"hello"])
        newcomer.abort()

    def test_healthChecksKeepTheAddressOfTheBalancer(self) -> None:
        """
        They say that they come for nobody, or nothing at all, and go; nothing is said of that.
        """
        for said in ((b"PROXY UNKNOWN\r\n", b""), (SIGNATURE + b"\x20\0\0\0", b""), (b"",), (b"PROX", b"")):
            newcomer, made = self.balanced()
            self.hears(newcomer, made, *said)
            self.assertEqual((newcomer.host, self.reception.gone.pop()), (BALANCER[0], newcomer))
            self.assertTrue(made.closed)
        self.assertEqual((self.reception.refusals, self.reception.begun), ([], []))

    def test_whoSaysSomethingElseIsRefused(self) -> None:
        """
        At once, and nothing of it is heard by anybody.
        """
        for said in (
            b"\x16\x03\x01",
            b"GET / HTTP/1.1\r\n",
            b"PROXY TCP4 nowhere 192.0.2.1 1 2\r\nhello",
            b"P" + b"x" * 200,
        ):
            newcomer, made = self.balanced()
            self.hears(newcomer, made, said)
            self.assertEqual((len(self.reception.refusals), made.closed), (1, True))
            self.reception.refusals.clear()
            self.assertEqual(self.reactor.readers, {self.listener})
        self.assertEqual((self.reception.begun, self.reception.gone), ([], []))

    def test_connectionThatBreaksIsForgotten(self) -> None:
        newcomer, made = self.balanced()
        made.coming.append(broken())
        self.reactor.happen(newcomer, read=True)
        self.assertEqual((self.reception.gone, self.reception.refusals), ([newcomer], []))

    def test_whoIsTakenAwayDoesNotGoOnHere(self) -> None:
        """
        Its socket stays open, for whoever has it now.
        """
        self.reception.takesAway = True
        newcomer, made = self.balanced()
        self.hears(newcomer, made, CLIENT_LINE + b"hello")
        self.reactor.advance(0)
        self.assertEqual((self.reception.begun, made.closed, list(made.coming)), ([], False, [b"hello"]))
        self.assertEqual(self.reactor.readers, {self.listener})
        newcomer.abort()
        self.assertFalse(made.closed)

    def test_othersAreNotAsked(self) -> None:
        """
        What they say of themselves is none of ours.
        """
        newcomer, made = self.newcomer()
        self.hears(newcomer, made, CLIENT_LINE)
        self.reactor.advance(0)
        self.assertEqual((newcomer.host, self.reception.announcements), (PEER[0], []))
        self.assertEqual(self.reception.diaries[-1].heard, [CLIENT_LINE])
        newcomer.abort()

    def test_whatAnotherProcessHasAcceptedNeedsNoSecondHeader(self) -> None:
        """
        Also of a client that has an address among those of balancers.
        """
        made = FakeSocket()
        self.listener.receive(made, BALANCER[0], 5)  # type: ignore[arg-type]
        newcomer = self.reception.newcomers[-1]
        self.hears(newcomer, made, b"hello")
        self.reactor.advance(0)
        self.assertEqual((newcomer.awaitsHeader, self.reception.diaries[-1].heard), (False, [b"hello"]))
        newcomer.abort()
        self.listener.receive(FakeSocket(), "2001:db8::7", 5)  # type: ignore[arg-type]
        self.assertEqual(self.reception.newcomers[-1].owner, "2001:db8::/64")
        self.reception.newcomers[-1].abort()
