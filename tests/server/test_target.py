"""
A session's way to the target: its socket, what waits for it, and what is done when it cannot be had.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.logger import LogLevel, capturedLogs, formatEvent

from tests.doubles.contracts import TimerTestCase
from tests.doubles.targets import targetMaker
from tests.doubles.udp import MemoryDatagramPort, MemoryUdp, Receiver, localTo
from uotp.boundaries import Address
from uotp.errors import LookupFailed
from uotp.net.resolver import Resolved, SharedResolver
from uotp.server.target import Target
from uotp.server.targetsocket import MAX_STRANGE, ROUTE_SECONDS, SELDOM_SECONDS, TargetSocket
from uotp.session.backlog import MAX_AGE_SECONDS, MAX_BACKLOG_BYTES
from uotp.telemetry.drops import Drop
from uotp.train import TakeTrains, Train

TARGET = ("127.0.0.1", 51820)
PING = Train(4, b"ping")
PONG = Train(4, b"pong")


def mainOf(target: Target) -> TargetSocket:
    """
    @return: the socket to which everything goes.
    """
    assert target._search.main is not None
    return target._search.main


class TargetTests(TimerTestCase):
    """
    Talk with a target in memory by one session's socket, when it can be had.
    """

    def setUp(self) -> None:
        super().setUp()
        self.network = MemoryUdp()
        self.drops = self.network.drops
        self.target = Receiver()
        self.received: list[Train] = []
        self.ways: list[TakeTrains] = []
        self.answers: list[Callable[[Resolved], None]] = []
        self.makers: dict[str, Callable[[], Target]] = {}
        self.resolver = SharedResolver(lambda _, done: self.answers.append(done))
        self.local: Address | OSError | None = None  # what leads to the target, if not loopback
        self.chance = 0.5

    def listen(self, address: Address = TARGET) -> None:
        """
        Let the target listen.
        """
        self.port = self.network.open(address, self.target)

    def open(self, host: str = TARGET[0]) -> Target:
        """
        @return: an open way, closed in the end.
        """
        if host not in self.makers:
            self.makers[host] = targetMaker(
                (host, TARGET[1]), self.network.open, self.resolver, self.clock, self.drops, self.routeTo, self.jitter
            )
        protocol = self.makers[host]()
        self.addCleanup(protocol.close)
        protocol.open(self.received.extend, self.ways.append)
        return protocol

    def routeTo(self, destination: Address) -> Address:
        if isinstance(self.local, OSError):
            raise self.local
        return self.local or localTo(destination)

    def jitter(self) -> float:
        return self.chance

    def sources(self) -> list[Address]:
        self.network.settle()
        return [source for _, source in self.target.trains]

    def test_datagramsGoToTheTargetAndBack(self) -> None:
        """
        At once when the target is an address; every session from a port of its own.
        """
        self.listen()
        one, two = self.open(), self.open()
        one.send([PING])
        two.send([Train(0, b"")])
        first, second = self.sources()
        self.assertNotEqual(first, second)
        self.port.sendTrains([PONG], first)
        self.network.settle()
        self.assertEqual(self.received, [PONG])

    def test_targetMayBeOfIPv6(self) -> None:
        self.listen(("::1", TARGET[1]))
        self.open("0:0:0:0:0:0:0:1").send([PING])
        (source,) = self.sources()
        self.port.sendTrains([PONG], source)
        self.network.settle()
        self.assertEqual(self.received, [PONG])

    def test_anyTransportMayDriveIt(self) -> None:
        """
        Datagram by datagram, and though it names the target without flow and scope.
        """
        self.listen(("::1", TARGET[1]))
        protocol = self.open("::1")
        mainOf(protocol).datagramReceived(b"pong", ("::1", TARGET[1]))
        mainOf(protocol).datagramReceived(b"else", ("::1", TARGET[1] + 1))
        self.assertEqual(self.received, [PONG])
        self.assertEqual(self.drops.totals, {Drop.SOURCE_UNKNOWN: 1})

    def test_onlyTheTargetIsHeard(self) -> None:
        self.listen()
        self.open().send([PING])
        (session,) = self.sources()
        for stranger in (("127.0.0.1", 51821), ("127.0.0.2", TARGET[1])):
            self.network.open(stranger, Receiver()).sendTrains([Train(2, b"xxyyz")], session)
        self.network.settle()
        self.assertEqual(self.received, [])
        self.assertEqual(self.drops.totals, {Drop.SOURCE_UNKNOWN: 6})

    def test_socketIsBoundToWhatLeadsToTheTarget(self) -> None:
        """
        Nobody else on the network can reach it.
        """
        self.listen()
        for address in ("127.0.0.1", "192.0.2.7"):
            self.local = (address, 0)
            protocol = self.open()
            port: Any = mainOf(protocol).transport
            self.assertEqual(port.getHost().host, address)

    def test_nobodyElseReachesItAfterTheFirstAnswer(self) -> None:
        self.listen()
        protocol = self.open()
        protocol.send([PING])
        (session,) = self.sources()
        stranger = self.network.open(("127.0.0.1", 51821), Receiver())
        stranger.sendTrains([PONG], session)
        self.port.sendTrains([PONG], session)
        stranger.sendTrains([PONG], session)
        self.network.settle()
        self.assertEqual(self.drops.totals, {Drop.SOURCE_UNKNOWN: 2})  # these came before it was connected
        stranger.sendTrains([PONG], session)
        self.assertFalse(self.network.ports[session].waiting)
        self.ways[-1]([PING])
        self.port.sendTrains([PONG], session)
        self.assertEqual(self.sources(), [session, session])
        self.assertEqual((self.received, len(self.ways), self.ways[-1]), ([PONG, PONG], 2, protocol.send))

    def test_strangersAreCountedAsLongAsTheyTellSomething(self) -> None:
        """
        A target that answers from another address shows in the counts; a flood is dropped by the kernel then.
        """
        self.listen()
        self.open().send([PING])
        (session,) = self.sources()
        other = self.network.open(("127.0.0.2", TARGET[1]), Receiver())
        for _ in range(MAX_STRANGE + 100):
            other.sendTrains([PONG], session)
            self.network.settle()
        self.assertEqual(self.drops.totals, {Drop.SOURCE_UNKNOWN: MAX_STRANGE})
        self.port.sendTrains([PONG], session)
        self.network.settle()
        self.assertEqual(self.received, [PONG])

    def test_transportThatCannotBeConnectedStaysAsItIs(self) -> None:
        """
        Twisted's own would be lost with the first datagram that nobody takes.
        """
        self.patch(MemoryDatagramPort, "connectTo", property())
        self.listen()
        protocol = self.open()
        protocol.send([PING])
        (session,) = self.sources()
        for _ in range(3):
            self.port.sendTrains([PONG], session)
            self.network.settle()
        self.assertEqual((len(self.received), len(self.ways)), (3, 1))

    def test_socketMovesWithTheWayToTheTarget(self) -> None:
        """
        It keeps its port; datagrams that come meanwhile are not lost, and one line says so.
        """
        self.listen()
        one, two = self.open(), self.open()
        for protocol in (one, two):
            protocol.send([PING])
        first, second = self.sources()
        self.port.sendTrains([PONG], first)
        self.network.settle()
        self.local = ("192.0.2.7", 0)
        with capturedLogs() as events:
            for protocol in (one, two):
                mainOf(protocol).routeFailed()
                mainOf(protocol).routeFailed()
                self.assertEqual(len(self.clock.getDelayedCalls()), 1)
                self.clock.advance(0)
                protocol.send([PONG])
        self.assertEqual(self.sources()[2:], [("192.0.2.7", first[1]), ("192.0.2.7", second[1])])
        self.assertEqual(len(self.network.ports), 3)
        self.assertEqual(
            [formatEvent(event) for event in events],
            ["the way to the target 127.0.0.1 port 51820 leads from 192.0.2.7 now, and no longer from 127.0.0.1"],
        )
        moved = ("192.0.2.7", first[1])
        self.port.sendTrains([PONG], moved)
        self.network.settle()
        self.assertEqual(self.received, [PONG, PONG])
        self.assertFalse(self.network.ports[moved].hears(("192.0.2.8", 1)))

    def test_portThatIsTakenAtTheOtherAddressIsAnotherOne(self) -> None:
        self.listen()
        protocol = self.open()
        protocol.send([PING])
        (session,) = self.sources()
        self.network.open(("192.0.2.7", session[1]), Receiver())
        self.local = ("192.0.2.7", 0)
        protocol.checkRoute()
        protocol.send([PING])
        (_, moved) = self.sources()
        self.assertEqual(moved[0], "192.0.2.7")
        self.assertNotEqual(moved[1], session[1])

    def test_socketStaysWhileNoOtherWayLeadsToTheTarget(self) -> None:
        """
        The old one may come back; it is looked for once a second, while nothing can be sent.
        """
        self.listen()
        protocol = self.open()
        protocol.send([PING])
        (session,) = self.sources()
        self.local = OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH))
        mainOf(protocol).routeFailed()
        self.clock.advance(0)
        self.local = ("192.0.2.7", 0)
        self.clock.advance(ROUTE_SECONDS * 0.9)
        mainOf(protocol).routeFailed()
        self.assertNoTimer()
        self.assertIn(session, self.network.ports)
        self.clock.advance(ROUTE_SECONDS * 0.2)
        socket = mainOf(protocol)
        socket.routeFailed()
        protocol.close()
        self.assertNoTimer()
        socket.routeFailed()
        self.assertNoTimer()

    def test_socketWaitsForAWayToTheTarget(self) -> None:
        self.listen()
        self.local = OSError(errno.ENETUNREACH, "Network is unreachable")
        protocol = self.open()
        protocol.send([PING])
        protocol.checkRoute()
        self.assertEqual(len(self.network.ports), 1)
        self.local = None
        self.clock.advance(1)
        self.assertEqual(len(self.sources()), 1)

    def test_transportThatClosesLaterIsWaitedFor(self) -> None:
        """
        As Twisted's own does.
        """
        self.listen()
        closed: list[Deferred[None]] = []
        stop = MemoryDatagramPort.stopListening

        def stopLater(port: MemoryDatagramPort) -> Deferred[None]:
            closed.append(Deferred())
            return closed[-1].addCallback(lambda _: stop(port))

        protocol, other = self.open(), self.open()
        self.patch(MemoryDatagramPort, "stopListening", stopLater)
        self.local = ("192.0.2.7", 0)
        protocol.checkRoute()
        other.checkRoute()
        protocol.send([PING])
        other.close()
        self.assertEqual(self.sources(), [])
        for done in closed:
            done.callback(None)
        ((host, _),) = self.sources()
        self.assertEqual((host, len(self.network.ports)), ("192.0.2.7", 2))
        protocol.close()
        closed[-1].callback(None)

    def test_socketOfAStuckSessionIsReadSeldom(self) -> None:
        """
        And as ever as soon as the session takes something.
        """
        self.listen()
        protocol = self.open()
        protocol.send([PING])
        (session,) = self.sources()
        port = self.network.ports[session]
        for self.chance in (0.5, 0.0, 1.0):
            protocol.readSeldom()
            protocol.readSeldom()
            self.port.sendTrains([PONG], session)
            self.network.settle()
            self.assertEqual((self.received, port.paused, port.keepsLittle), ([], True, True))
            wait = SELDOM_SECONDS * (0.5 + self.chance)
            self.clock.advance(0.99 * wait)
            self.network.settle()
            self.assertEqual((self.received, port.paused), ([], True))
            self.clock.advance(0.01 * wait)
            self.network.settle()
            self.assertEqual((self.received, port.paused), ([PONG], False))
            self.received.clear()
        protocol.readSeldom()
        protocol.readAgain()
        protocol.readAgain()
        self.assertNoTimer()
        self.assertEqual((port.paused, port.keepsLittle), (False, False))

    def test_socketThatIsReplacedIsReadAsEver(self) -> None:
        self.listen()
        protocol = self.open()
        protocol.readSeldom()
        self.local = ("192.0.2.7", 0)
        protocol.checkRoute()
        self.assertNoTimer()
        port: Any = mainOf(protocol).transport
        self.assertEqual((port.paused, port.keepsLittle), (False, False))
        protocol.readSeldom()
        self.assertTrue(port.paused)
        protocol.close()
        protocol.readSeldom()
        protocol.readAgain()
        self.assertNoTimer()

    def test_nameIsLookedUpAndDatagramsWaitMeanwhile(self) -> None:
        self.listen()
        protocol = self.open("target.test")
        protocol.send([PING])
        protocol.send([PONG])
        self.assertEqual(len(self.network.ports), 1)
        self.answers[0]([IPv4Address("UDP", *TARGET), IPv6Address("UDP", "::1", 1)])
        protocol.send([PING])
        self.network.settle()
        self.assertEqual(self.target.datagrams(), [b"ping", b"pong", b"ping"])
        self.assertEqual(len(self.answers), 1)

    def test_nameThatIsNotFoundIsLookedUpAgain(self) -> None:
        """
        After a second, for as long as it takes; and the flow begins.
        """
        self.listen()
        protocol = self.open("target.test")
        protocol.send([PING])
        self.answers[0](LookupFailed("host name not found"))
        self.clock.advance(0.9)
        self.assertEqual(len(self.answers), 1)
        self.clock.advance(0.2)
        self.assertEqual(len(self.answers), 2)
        self.answers[1](LookupFailed("host name not found"))
        self.clock.advance(1)
        self.answers[2]([IPv4Address("UDP", *TARGET)])
        self.assertEqual(len(self.sources()), 1)
        self.assertNoTimer()

    def test_socketThatCannotBeHadIsTriedAgain(self) -> None:
        """
        There are no more descriptors, and a second later there are.
        """
        self.listen()
        self.network.refusal = OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        with capturedLogs() as events:
            protocol = self.open()
            protocol.send([PING])
            self.clock.pump([1.0] * 3)
        self.assertEqual(
            [(event["log_level"], formatEvent(event)) for event in events],
            [(LogLevel.error, "no way to the target 127.0.0.1 port 51820: Too many open files")],
        )
        self.network.refusal = None
        self.clock.advance(1)
        self.assertEqual(len(self.sources()), 1)
        self.assertNoTimer()

    def test_socketThatIsLostIsReplaced(self) -> None:
        self.listen()
        protocol = self.open()
        protocol.send([PING])
        (before,) = self.sources()
        self.network.ports[before].lose("it broke")
        protocol.send([PING])
        self.assertEqual(len(self.sources()), 1)
        self.clock.advance(1)
        self.assertEqual(self.sources(), [before, before])
        self.port.sendTrains([PONG], before)
        self.network.settle()
        self.assertEqual(self.received, [PONG])

    def test_whoeverSendsIsToldOfEachSocket(self) -> None:
        """
        Straight to the port while there is one, and to what waits while there is none.
        """
        self.listen()
        protocol = self.open()
        self.assertEqual(self.ways, [protocol.send])
        self.ways[-1]([PING])
        (source,) = self.sources()
        port = self.network.ports[source]
        straight = self.ways[-1]
        assert isinstance(straight, partial)
        self.assertEqual((straight.func, straight.keywords), (port.sendTrains, {"destination": TARGET}))
        port.lose("it broke")
        self.ways[-1]([PONG])
        self.assertEqual((len(self.ways), protocol._waiting.bytes > 0), (2, True))
        self.clock.advance(1)
        self.ways[-1]([PING])
        self.network.settle()
        self.assertEqual((len(self.ways), self.ways[-1]), (3, protocol.send))
        straight([PING])  # by the socket that is lost
        self.network.settle()
        self.assertEqual(self.target.datagrams(), [b"ping", b"pong", b"ping"])

    def test_flowResumesWhenTheTargetComesUp(self) -> None:
        protocol = self.open()
        protocol.send([PING])
        self.network.settle()
        self.listen()
        protocol.send([PING])
        protocol.send([PING])
        self.assertEqual(len(set(self.sources())), 1)
        self.assertEqual(len(self.target.datagrams()), 2)

    def test_whatWaitsIsBoundedAndTheOldestGoesFirst(self) -> None:
        self.listen()
        protocol = self.open("target.test")
        for number in range(1000):
            protocol.send([Train(1024, number.to_bytes(2, "big") * 512)])
        self.answers[0]([IPv4Address("UDP", *TARGET)])
        self.network.settle()
        got = self.target.datagrams()
        self.assertLessEqual(len(b"".join(got)), MAX_BACKLOG_BYTES)
        self.assertEqual(got[-1][:2], (999).to_bytes(2, "big"))
        self.assertEqual(len(got) + self.drops.totals[Drop.BACKLOG_FULL], 1000)

    def test_whatWaitedTooLongIsNotSent(self) -> None:
        """
        Who sent it has asked again meanwhile.
        """
        self.listen()
        protocol = self.open("target.test")
        protocol.send([PING])
        self.clock.advance(MAX_AGE_SECONDS + 0.1)
        protocol.send([PONG])
        self.answers[0]([IPv4Address("UDP", *TARGET)])
        self.network.settle()
        self.assertEqual(self.target.datagrams(), [b"pong"])
        self.assertEqual(self.drops.totals, {Drop.BACKLOG_STALE: 1})

    def test_closedMeansClosed(self) -> None:
        """
        Nothing is sent, nothing waits, and the socket is gone.
        """
        self.listen()
        protocol = self.open()
        protocol.send([PING])
        (session,) = self.sources()
        protocol.close()
        protocol.close()
        protocol.send([PING])
        self.port.sendTrains([PONG], session)
        self.network.settle()
        self.assertEqual((len(self.sources()), self.received, len(self.network.ports)), (1, [], 1))
        self.assertEqual(protocol._waiting.bytes, 0)

    def test_closedWithALookupUnderWayStaysClosed(self) -> None:
        self.listen()
        for answer in (LookupFailed("host name not found"), [IPv4Address("UDP", *TARGET)]):
            protocol = self.open("target.test")
            protocol.send([PING])
            protocol.close()
            self.answers.pop()(answer)
            self.assertEqual((len(self.network.ports), self.target.trains), (1, []))
            self.assertNoTimer()

    def test_closedWhileWaitingToTryAgainLeavesNoTimer(self) -> None:
        protocol = self.open("target.test")
        self.answers.pop()(LookupFailed("host name not found"))
        protocol.close()
        self.assertNoTimer()
        self.assertEqual(self.answers, [])

    def test_portLostAfterTheCloseIsNotReplaced(self) -> None:
        """
        The reactor may say so when it stops.
        """
        protocol = self.open()
        socket = mainOf(protocol)
        protocol.close()
        socket.portLost("the reactor has closed it")
        self.assertNoTimer()

    def test_troubleOfManySessionsIsSaidOnce(self) -> None:
        with capturedLogs() as events:
            for _ in range(20):
                self.open("target.test")
            for _ in range(30):
                if self.answers:
                    self.answers.pop()(LookupFailed("host name not found"))
                self.clock.advance(1)
        self.assertEqual(
            [formatEvent(event) for event in events],
            ["no way to the target target.test port 51820: host name not found"],
        )
