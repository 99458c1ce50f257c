"""
Who is accepted at a control socket, and how many.
"""

from __future__ import annotations

import errno
import gc
import os
import socket
import weakref
from typing import Any

from twisted.internet.protocol import connectionDone
from twisted.logger import capturedLogs, formatEvent

from tests.doubles.reactors import MemoryReactor
from tests.monitoring.test_controlsocket import SocketTestCase
from uotp.monitoring import controlport
from uotp.monitoring.controlport import (
    ACCEPT_AGAIN_SECONDS,
    MOST_CONNECTIONS,
    ControlPort,
    ReportingProtocol,
    peerOf,
)


class Transport:
    """
    Is aborted.
    """

    isAborted = False

    def abortConnection(self) -> None:
        self.isAborted = True


class AdoptingReactor(MemoryReactor):
    """
    Adopts connections, which are not read.

    @ivar adopted: the protocols of those.
    @ivar error: raised in place of that, if it is set.
    """

    def __init__(self) -> None:
        super().__init__()
        self.adopted: list[Any] = []
        self.error: OSError | None = None

    def adoptStreamConnection(self, fileDescriptor: int, addressFamily: int, factory: Any) -> None:
        if self.error is not None:
            raise self.error
        os.fstat(fileDescriptor)
        protocol = factory.buildProtocol(None)
        protocol.transport = Transport()
        self.adopted.append(protocol)


class LeavingProtocol(ReportingProtocol):
    """
    Says that it is gone.
    """

    def connectionLost(self, reason: object = connectionDone) -> None:
        self.whenGone()


class ControlPortTests(SocketTestCase):
    """
    Connect through the kernel, and let the reactor take its turns.
    """

    def setUp(self) -> None:
        super().setUp()
        self.reactor = AdoptingReactor()
        self.port = ControlPort(self.listen().socket, LeavingProtocol, self.reactor)
        self.port.start()
        self.addCleanup(lambda: self.assertEqual(self.reactor.getDelayedCalls(), []))
        self.addCleanup(self.port.stop)

    def turns(self, number: int) -> None:
        """
        Let it accept while it wants to, at most so often.
        """
        for _ in range(number):
            if self.port in self.reactor.getReaders():
                self.port.doRead()

    def test_whoMayIsServed(self) -> None:
        self.connect()
        self.turns(3)
        self.assertEqual(len(self.reactor.adopted), 1)

    def test_othersAreNot(self) -> None:
        """
        Root may always.
        """
        self.patch(controlport, "peerOf", lambda _: 12345)
        with capturedLogs() as events:
            for _ in range(3):
                self.connect()
            self.turns(5)
        self.assertEqual(self.reactor.adopted, [])
        self.assertEqual([formatEvent(each) for each in events], ["control socket: user 12345 may not ask"])
        for user in (0, os.geteuid(), None):
            self.patch(controlport, "peerOf", lambda _, user=user: user)
            self.connect()
            self.turns(1)
        self.assertEqual(len(self.reactor.adopted), 3)
        self.patch(os, "geteuid", lambda: 1000)  # root is another one now, and may all the same
        self.patch(controlport, "peerOf", lambda _: 0)
        self.connect()
        self.turns(1)
        self.assertEqual(len(self.reactor.adopted), 4)

    def test_theSystemTellsWhoItIs(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX)
        with ours, theirs:
            self.assertEqual(peerOf(ours), os.geteuid() if hasattr(socket, "SO_PEERCRED") else None)
            if hasattr(socket, "SO_PEERCRED"):
                self.patch(socket, "SO_PEERCRED", None)
            self.assertIsNone(peerOf(ours))

    def test_aFewAreServedAtATime(self) -> None:
        """
        The others wait, and are accepted when one is gone.
        """
        for _ in range(MOST_CONNECTIONS + 3):
            self.connect()
        self.turns(1000)
        self.assertEqual(len(self.reactor.adopted), MOST_CONNECTIONS)
        self.assertEqual(self.reactor.getReaders(), [])
        for gone in range(1, 4):
            self.reactor.adopted[gone].connectionLost()
            self.turns(1000)
            self.assertEqual(len(self.reactor.adopted), MOST_CONNECTIONS + gone)

    def test_whoIsGoneLeavesNothingToTheCollector(self) -> None:
        """
        Somebody may ask each second for a week.
        """
        self.connect()
        self.turns(1)
        self.addCleanup(gc.enable)
        gc.disable()
        left = weakref.ref(self.reactor.adopted[0])
        self.reactor.adopted.pop().connectionLost()
        self.assertIsNone(left())

    def test_thousandsAtOnceAreServedInTheEnd(self) -> None:
        """
        Whoever finds no room in the kernel's queue is told so by that.
        """
        served = refused = 0
        for _ in range(1000):
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as one:
                one.setblocking(False)
                try:
                    one.connect(self.path)
                except BlockingIOError:
                    refused += 1
                    self.turns(1)
                    while len(self.reactor.adopted) > served:
                        self.reactor.adopted[served].connectionLost()
                        served += 1
        self.turns(1000)
        self.assertGreater(refused, 0)
        self.assertGreater(served, 0)
        self.assertLessEqual(len(self.port._open), MOST_CONNECTIONS)

    def test_withoutADescriptorItTriesAgainLater(self) -> None:
        """
        The reactor would call it again and again at once.
        """

        class Short:
            def accept(self) -> Any:
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

        listening, self.port._socket = self.port._socket, Short()  # type: ignore[assignment]
        self.connect()
        with capturedLogs() as events:
            self.turns(5)
        self.assertEqual(self.reactor.getReaders(), [])
        said = "control socket: no connection can be accepted: Too many open files"
        self.assertEqual([formatEvent(each) for each in events], [said])
        self.port._socket = listening
        self.reactor.advance(ACCEPT_AGAIN_SECONDS)
        self.turns(1)
        self.assertEqual(len(self.reactor.adopted), 1)

    def test_nobodyThereIsNoError(self) -> None:
        self.port.doRead()
        self.assertEqual(self.reactor.adopted, [])
        self.assertIn(self.port, self.reactor.getReaders())

    def test_oneThatCannotBeAdoptedIsLost(self) -> None:
        self.reactor.error = OSError(errno.EMFILE, "Too many open files")
        theirs = self.connect()
        with capturedLogs() as events:
            self.turns(1)
        self.assertEqual(theirs.recv(1), b"")
        said = "control socket: a connection was lost: Too many open files"
        self.assertEqual([formatEvent(each) for each in events], [said])
        self.assertEqual(self.port._open, set())

    def test_stoppingEndsWhatIsOpen(self) -> None:
        self.connect()
        self.turns(1)
        self.port.stop()
        self.assertTrue(self.reactor.adopted[0].transport.isAborted)
        self.reactor.adopted[0].connectionLost()
        self.assertEqual(self.reactor.getReaders(), [])
