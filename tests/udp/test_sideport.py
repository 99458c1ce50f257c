"""
A heavy source gets a socket of its own at a crowded port, on a kernel that does what a test
says.
"""

from __future__ import annotations

import errno
import os
import socket
from collections import deque
from collections.abc import Sequence
from typing import Any
from unittest import skipUnless

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.python.failure import Failure

from tests.doubles.contracts import numbered
from tests.doubles.kernel import FakeKernel, LinuxFakeSocket, Message, nameOf
from tests.doubles.udpsockets import trouble
from tests.udp.test_linux import LINUX, LinuxPortTestCase
from uotp.boundaries import Address
from uotp.process.turns import Turns
from uotp.telemetry.drops import Drop
from uotp.udp.crowd import HAND_ON_BYTES
from uotp.udp.statistics import MEMORY, SO_MEMINFO

if LINUX:
    from uotp.udp import sideport
    from uotp.udp.sideport import (
        HEAVY_DATAGRAMS,
        MAX_QUIET_LOOKS,
        MAX_SIDE_PORTS,
        MAX_TURNS_BEHIND,
        OPEN_AGAIN_SECONDS,
        QUIET_LOOK_SECONDS,
        SIDE_READS,
    )

HEAVY, LIGHT = 0, 1
"""Numbers of two sources."""


class FakeSideSocket(LinuxFakeSocket):
    """
    Stands for the socket of one source.

    @ivar peers: whom it was connected to, one after the other.
    @ivar kernelDrops: how many datagrams the kernel says it has dropped here.
    @ivar takenErrors: how many errors were taken.
    """

    def __init__(self, kernel: FakeKernel, descriptor: int, source: Address) -> None:
        super().__init__(kernel)
        self.descriptor = descriptor
        self.peers = [source]
        self.kernelDrops = self.takenErrors = 0
        self.waiting: deque[Message | OSError] = deque()
        kernel.aside[descriptor] = self.waiting

    def fileno(self) -> int:
        return -1 if self.closed else self.descriptor

    def connect(self, address: Address) -> None:
        self.peers.append(address)

    def getsockopt(self, level: int, option: int, size: int = 0) -> Any:
        if option == SO_MEMINFO:
            return MEMORY.pack(0, 0, 0, 0, 0, 0, 0, 0, self.kernelDrops)
        self.takenErrors += option == socket.SO_ERROR
        return 0


@skipUnless(LINUX, "only Linux gives one source a socket of its own")
class SidePortTests(LinuxPortTestCase):
    """
    Have a port that heavy sources share with others.
    """

    def setUp(self) -> None:
        super().setUp()
        if not LINUX:
            return
        self.refusal: OSError | None = None
        self.attempts = 0
        self.sides: list[FakeSideSocket] = []
        self.patch(sideport, "openBeside", self.openBeside)
        self.share()

    def openBeside(self, _: object, first: object, others: Sequence[object], source: Address) -> FakeSideSocket:
        """
        What the port calls.
        """
        self.attempts += 1
        self.assertIs(first, self.socket)
        self.assertEqual(others, [one for one in self.sides if not one.closed])
        if self.refusal is not None:
            raise self.refusal
        self.sides.append(FakeSideSocket(self.kernel, 200 + len(self.sides), source))
        return self.sides[-1]

    def crowd(self, source: int = HEAVY, datagrams: int = 1500) -> None:
        """
        Let one source fill the port, beside another one, and have all of it handed on.
        """
        self.receive(Message(b"light", nameOf(99)), *[Message(numbered(1400), nameOf(source))] * datagrams)
        self.handOnAll()

    def handOnAll(self) -> None:
        """
        Let as many turns pass as are needed.
        """
        self.reactor.pump([0] * 50)

    def side(self) -> Any:
        """
        @return: the reader of the newest side socket.
        """
        (reader,) = [one for one in self.reactor.getReaders() if one.fileno() == self.sides[-1].descriptor]
        return reader

    def sources(self) -> list[int]:
        """
        @return: the sources of what was handed on, train by train.
        """
        return [source[1] - 7000 for _, source in self.receiver.trains]

    def assertNothingLeft(self) -> None:
        """
        No descriptor and no timer.
        """
        self.assertTrue(all(one.closed for one in self.sides))
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_heavySourceGetsASocketOfItsOwn(self) -> None:
        """
        One, however long it is heavy.
        """
        self.crowd()
        self.assertEqual([one.peers for one in self.sides], [[("10.0.0.1", 7000)]])
        self.reactor.advance(0.5)
        self.crowd()
        self.assertEqual(self.attempts, 1)

    def test_lonelySourceGetsNone(self) -> None:
        self.receive(*[Message(numbered(1400), nameOf(HEAVY))] * 1500)
        self.assertEqual(self.attempts, 0)
        self.assertEqual(self.reactor.getReaders(), [self.port])

    def test_portThatIsNotCrowdedOpensNone(self) -> None:
        for _ in range(500):
            self.receive(*(Message(numbered(1400), nameOf(source)) for source in (HEAVY, LIGHT, HEAVY)))
        self.assertEqual(self.attempts, 0)

    def test_smallBufferIsCrowdedBeforeItHoldsABatch(self) -> None:
        """
        Half of what the kernel keeps is much, though one read could bring more.
        """
        self.patch(
            LinuxFakeSocket, "getsockopt", lambda *asked: MEMORY.pack(*[0] * 9) if len(asked) > 3 else 128 * 1024
        )
        self.share()
        self.crowd(datagrams=200)
        for _ in range(20):
            self.receive(*[Message(numbered(1400), nameOf(HEAVY))] * 40)
            self.handOnAll()
        self.assertEqual(self.attempts, 1)

    def test_portIsReadBeforeIt(self) -> None:
        """
        Though only it was reported as readable.  What others have sent to it goes to them.
        """
        self.crowd()
        self.receiver.trains.clear()
        self.sides[0].waiting.extend(Message(b"apart", nameOf(source)) for source in (HEAVY, LIGHT))
        self.kernel.waiting.append(Message(b"first", nameOf(LIGHT)))
        self.side().doRead()
        self.assertEqual(self.sources(), [LIGHT, HEAVY, LIGHT])
        self.assertEqual(self.receiver.datagrams(), [b"first", b"apart", b"apart"])

    def test_olderOnesComeFirst(self) -> None:
        """
        What the source has sent before waits in the port's own socket; but not for ever, if
        that is never found empty.
        """
        self.crowd()
        side = self.side()
        self.sides[0].waiting.append(Message(b"apart"))
        self.patch(self.port, "readMore", lambda: True)
        for _ in range(MAX_TURNS_BEHIND - 1):
            side.doRead()
        self.assertEqual(len(self.sides[0].waiting), 1)
        side.doRead()
        self.assertEqual(len(self.sides[0].waiting), 0)

    def test_turnIsBounded(self) -> None:
        """
        In reads; and what is more than is handed on in one turn stays with the kernel.
        """
        self.crowd()
        side, waiting = self.side(), self.sides[0].waiting
        waiting.extend([Message(b"small")] * 1000)
        self.kernel.asked.clear()
        side.doRead()
        self.assertEqual(len(self.kernel.asked), 1 + SIDE_READS)
        waiting.clear()
        self.handOnAll()
        waiting.extend([Message(numbered(1400))] * 3000)
        self.patch(self.port._intake, "_handOn", lambda: None)  # others use up the turns
        for _ in range(20):
            side.doRead()
        self.assertGreater(len(waiting), 1500)
        self.assertLess(self.port._intake.costOf(nameOf(HEAVY)), 2 * HAND_ON_BYTES)
        self.assertEqual(self.drops.totals[Drop.SOURCE_TOO_MUCH], 0)

    def test_spentTurnReadsNothing(self) -> None:
        turns = Turns(self.reactor)
        self.receiver.allowance = allowance = turns.allowanceOf("somebody")
        self.crowd()
        self.handOnAll()
        while not allowance.isSpent:
            allowance.spend(1)
        self.sides[0].waiting.append(Message(b"apart"))
        self.side().doRead()
        self.assertEqual(len(self.sides[0].waiting), 1)

    def test_fewSourcesGetOne(self) -> None:
        for source in range(MAX_SIDE_PORTS + 2):
            self.reactor.advance(0.5)
            self.crowd(source)
        self.assertEqual(len(self.sides), MAX_SIDE_PORTS)

    def test_forgedPortGetsNone(self) -> None:
        """
        A socket that is connected to port 0 would get what all ports of that host send.
        """
        name = nameOf(HEAVY)
        name = name[:2] + b"\0\0" + name[4:]
        self.receive(Message(b"light", nameOf(99)), *[Message(numbered(1400), name)] * 1500)
        self.assertEqual(self.attempts, 0)

    def look(self, times: int, datagrams: int) -> None:
        """
        Let the source send so many before each look.
        """
        side = self.side()
        for _ in range(times):
            self.sides[-1].waiting.extend([Message(b"small")] * datagrams)
            while self.sides[-1].waiting:
                side.doRead()
                self.handOnAll()
            self.reactor.advance(QUIET_LOOK_SECONDS)

    def test_itIsClosedWhenItsSourceIsQuiet(self) -> None:
        """
        For some seconds, and not between two times at which it is heavy.
        """
        self.crowd()
        self.look(MAX_QUIET_LOOKS - 1, 5)
        self.look(1, HEAVY_DATAGRAMS)
        self.look(MAX_QUIET_LOOKS - 1, 5)
        self.assertFalse(self.sides[0].closed)
        self.look(1, 5)
        self.handOnAll()
        self.assertNothingLeft()
        self.assertEqual(self.reactor.getReaders(), [self.port])
        self.crowd()
        self.assertEqual(len(self.sides), 2)

    def test_whatIsLeftIsReadBeforeItIsClosed(self) -> None:
        """
        First nothing more comes there, and then what is left is handed on, before what has
        come to the port since.
        """
        self.crowd()
        self.look(MAX_QUIET_LOOKS - 1, 0)
        self.receiver.trains.clear()
        self.sides[0].waiting.append(Message(b"rest"))
        self.kernel.waiting.append(Message(b"since"))
        self.reactor.advance(QUIET_LOOK_SECONDS)
        self.handOnAll()
        self.assertEqual(self.sides[0].peers[1:], [self.sides[0].getsockname()])
        self.assertEqual(self.receiver.datagrams(), [b"rest", b"since"])
        self.assertNothingLeft()

    def test_closedPortLeavesNothing(self) -> None:
        """
        Also when it is closed by whoever gets what was read first.
        """
        self.crowd()
        self.port.stopListening()
        self.assertNothingLeft()
        self.share()
        self.crowd()
        side = self.side()
        self.patch(self.receiver, "trainsReceived", lambda *_: self.receiver.stopListening())
        self.kernel.waiting.append(Message(b"first", nameOf(LIGHT)))
        self.sides[-1].waiting.append(Message(b"apart"))
        side.doRead()
        self.assertEqual(len(self.sides[-1].waiting), 1)
        self.assertNothingLeft()
        self.assertEqual(self.reactor.getReaders(), [])

    def test_errorsOfDatagramsCostNothing(self) -> None:
        """
        They are about what was sent; others close it, and the port goes on.
        """
        self.crowd()
        side = self.side()
        for number in (errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.EINTR):
            self.sides[0].waiting.append(trouble(number))
            side.doRead()
        side.connectionLost(Failure(ConnectionDone()))
        self.assertEqual((self.sides[0].takenErrors, self.sides[0].closed), (1, False))
        self.assertIn(side, self.reactor.getReaders())
        self.sides[0].waiting.append(trouble(errno.ENOTCONN))
        side.doRead()
        self.assertNothingLeft()
        self.assertTrue(self.port.connected)

    def test_reactorThatStopsClosesIt(self) -> None:
        self.crowd()
        self.side().connectionLost(Failure(ConnectionLost()))
        self.assertNothingLeft()

    def test_withoutOneAllIsAsBefore(self) -> None:
        """
        Nothing is lost; it is said where details are said, and tried again later.
        """
        self.refusal = trouble(errno.EMFILE)
        said: list[tuple[str, str]] = []

        def sayOnce(level: Any, _: str, reason: str) -> None:
            said.append((level.name, reason))

        self.patch(self.context, "sayOnce", sayOnce)
        self.crowd()
        self.reactor.advance(0.5)
        self.crowd()
        self.assertEqual(self.attempts, 1)
        self.reactor.advance(OPEN_AGAIN_SECONDS)
        self.crowd()
        self.assertEqual(self.attempts, 2)
        self.assertEqual(said, [("debug", os.strerror(errno.EMFILE))] * 2)
        self.assertEqual(self.receiver.count(), 3 * 1501)
        self.assertNothingLeft()

    def test_whatTheKernelDropsThereCounts(self) -> None:
        """
        Also after it was closed.
        """
        self.patch(LinuxFakeSocket, "getsockopt", lambda *asked: MEMORY.pack(*range(9)) if len(asked) > 3 else 1)
        self.crowd()
        self.sides[0].kernelDrops = 100
        self.assertEqual(self.port.statistics().kernelDrops, 108)
        self.side().connectionLost(Failure(ConnectionLost()))
        self.assertEqual(self.port.statistics().kernelDrops, 108)

    def test_whatWasCutOffIsCounted(self) -> None:
        self.crowd()
        self.sides[0].waiting.append(Message(b"bad", flags=int(socket.MSG_TRUNC)))
        self.side().doRead()
        self.assertEqual(self.drops.totals[Drop.CUT_OFF], 1)
