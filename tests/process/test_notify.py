"""
What a service manager is told.
"""

from __future__ import annotations

import os
import socket
import time
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from uotp.process.notify import STATUS_LETTERS, VARIABLE, ServiceNotifier


class FakeUnixSocket:
    """
    Writes down where it is connected, and what is sent.
    """

    def __init__(self, refusal: OSError | None) -> None:
        self.connected = ""
        self.sent: list[bytes] = []
        self.isBlocking = True
        self.isClosed = False
        self.refusal = refusal

    def setblocking(self, flag: bool) -> None:  # noqa: FBT001 - the socket module's signature
        self.isBlocking = flag

    def connect(self, name: str) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.connected = name

    def send(self, datagram: bytes) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.sent.append(datagram)

    def close(self) -> None:
        self.isClosed = True


class ServiceNotifierTests(SynchronousTestCase):
    """
    Tell it.
    """

    def setUp(self) -> None:
        self.made: list[FakeUnixSocket] = []
        self.refusal: OSError | None = None
        self.patch(socket, "socket", self.make)
        self.patch(time, "monotonic_ns", lambda: 7_000_999)

    def make(self, *_: Any) -> FakeUnixSocket:
        """
        In place of the system's.
        """
        self.made.append(FakeUnixSocket(self.refusal))
        return self.made[-1]

    def test_lifeOfAService(self) -> None:
        notifier = ServiceNotifier({VARIABLE: "/run/notify"})
        self.assertTrue(notifier.isHeard)
        notifier.waiting("looking")
        notifier.ready("running")
        notifier.reloading()
        notifier.reloaded()
        notifier.stopping()
        self.assertEqual((self.made[0].connected, self.made[0].isBlocking), ("/run/notify", False))
        self.assertEqual(
            self.made[0].sent,
            [
                b"STATUS=looking",
                b"READY=1\nSTATUS=running",
                b"RELOADING=1\nMONOTONIC_USEC=7000",
                b"READY=1",
                b"STOPPING=1",
            ],
        )

    def test_aReloadDuringTheStartDoesNotMakeItReady(self) -> None:
        notifier = ServiceNotifier({VARIABLE: "/run/notify"})
        notifier.reloading()
        notifier.reloaded()
        self.assertEqual(self.made[0].sent, [])

    def test_aStatusIsOneLine(self) -> None:
        """
        Another line would be an order to the manager, and words may come from the name of a file.
        """
        ServiceNotifier({VARIABLE: "/run/notify"}).tell("not taken up\nMAINPID=1" + "x" * 1000)
        (sent,) = self.made[0].sent
        self.assertTrue(sent.startswith(b"STATUS=not taken up?MAINPID=1xx"))
        self.assertEqual((len(sent.splitlines()), len(sent)), (1, len("STATUS=") + STATUS_LETTERS))

    def test_signsOfLifeAreForWhoeverWantsThem(self) -> None:
        """
        A process that was started by the one that is watched has its environment too.
        """
        ours = str(os.getpid())
        for variables, seconds in (
            ({}, None),
            ({"WATCHDOG_USEC": "30000000"}, 30.0),
            ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": ours}, 0.5),
            ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": ours + "1"}, None),
            ({"WATCHDOG_USEC": "0"}, None),
            ({"WATCHDOG_USEC": "soon"}, None),
            ({"WATCHDOG_USEC": "-1"}, None),
        ):
            self.assertEqual(ServiceNotifier({VARIABLE: "/run/notify", **variables}).watchdogSeconds, seconds)
        self.assertIsNone(ServiceNotifier({"WATCHDOG_USEC": "30000000"}).watchdogSeconds)
        ServiceNotifier({VARIABLE: "/run/notify"}).isAlive()
        self.assertEqual(self.made[-1].sent, [b"WATCHDOG=1"])

    def test_abstractSocketsHaveNoPath(self) -> None:
        ServiceNotifier({VARIABLE: "@manager"})
        self.assertEqual(self.made[0].connected, "\0manager")

    def test_whereNobodyWantsToKnowNothingIsDone(self) -> None:
        for environment in ({}, {VARIABLE: ""}, {VARIABLE: "vsock:2:1234"}):
            notifier = ServiceNotifier(environment)
            self.assertFalse(notifier.isHeard)
            notifier.ready("running")
            notifier.stopping()
        self.assertEqual(self.made, [])

    def test_aManagerThatIsGoneCostsNothing(self) -> None:
        notifier = ServiceNotifier({VARIABLE: "/run/notify"})
        self.made[0].refusal = ConnectionRefusedError(111, "refused")
        notifier.ready("running")
        self.refusal = FileNotFoundError(2, "none")
        self.assertFalse(ServiceNotifier({VARIABLE: "/run/notify"}).isHeard)
        self.assertTrue(self.made[1].isClosed)
