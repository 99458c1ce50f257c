"""
Ports on sockets that another process has bound, and sockets beside them, on a system that does what a test says.
"""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Callable
from typing import Any
from unittest import skipUnless

from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.kernel import ownAddresses
from tests.doubles.udp import Receiver
from tests.doubles.udpsockets import trouble
from tests.udp.test_linux import LINUX
from uotp.net import SocketGroup
from uotp.telemetry.drops import Drops
from uotp.udp import datagramGroupOpener, groupMemberOpener, openers
from uotp.udp.base import PortContext
from uotp.udp.ownaddress import IP_PKTINFO, IPV6_RECVPKTINFO, withOwn
from uotp.udp.portable import PortableDatagramPort

if LINUX:
    from uotp.udp import sideport

HEAVY = ("192.0.2.99", 7000)

V4, V6 = (socket.IPPROTO_IP, IP_PKTINFO), (socket.IPPROTO_IPV6, IPV6_RECVPKTINFO)
"""What has the kernel tell which address something was sent to."""


class OptionedSocket:
    """
    Keeps what it is told, and fails where a test wants it to.

    @ivar options: what is set, by level and number.
    @ivar journal: what was done with it, with C{SO_REUSEPORT} as it was then.
    @ivar name: where it is bound.
    @ivar chosen: to which address the kernel binds one that is bound to none and connected.
    @ivar strays: what comes before it is connected.
    @ivar refusal: raised instead of binding, if it is set.
    """

    family = socket.AF_INET

    def __init__(self) -> None:
        self.options: dict[tuple[int, int], Any] = {}
        self.journal: list[tuple[Any, ...]] = []
        self.name: tuple[Any, ...] = ("192.0.2.7", 4711)
        self.chosen = "192.0.2.7"
        self.strays = 0
        self.refusal: OSError | None = None
        self.closed = False

    def setblocking(self, flag: bool) -> None:  # noqa: FBT001 - the module's signature
        assert not flag

    def setsockopt(self, level: int, option: int, value: Any) -> None:
        self.options[level, option] = value

    def getsockopt(self, level: int, option: int, size: int = 0) -> int:
        if size:
            raise OSError(errno.ENOPROTOOPT, "it tells nothing of its memory")
        return int(self.options.get((level, option), 0))

    def getsockname(self) -> tuple[Any, ...]:
        return self.name

    def _note(self, *what: Any) -> None:
        self.journal.append((*what, self.options.get((socket.SOL_SOCKET, socket.SO_REUSEPORT), 0)))

    def bind(self, address: tuple[Any, ...]) -> None:
        if self.refusal is not None:
            raise self.refusal
        self._note("bind", address)
        self.name = address

    def connect(self, address: tuple[Any, ...]) -> None:
        self._note("connect", address)
        if self.name[0] == "0.0.0.0":  # noqa: S104 - nothing listens
            self.name = (self.chosen, self.name[1])

    def recv(self, _: int) -> bytes:
        if not self.strays:
            raise trouble(errno.EAGAIN)
        self.strays -= 1
        return b""

    def recvmsg(self, *_: object) -> None:
        raise trouble(errno.EAGAIN)

    def sendto(self, *_: object) -> None:
        """
        Nothing is sent.
        """

    send = sendmsg = sendto

    def fileno(self) -> int:
        return -1 if self.closed else 77

    def close(self) -> None:
        self.closed = True


class GroupOpenerTests(SynchronousTestCase):
    """
    Have a parent open sockets, and a worker a port on one of them.
    """

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.asked: list[tuple[Any, ...]] = []

    def group(self, address: tuple[str, int], count: int, prepare: Callable[[Any], None]) -> SocketGroup:
        """
        In place of L{uotp.net.datagramGroup}.
        """
        sockets: list[Any] = [OptionedSocket() for _ in range(count)]
        for each in sockets:
            if ":" in address[0]:
                each.family = socket.AF_INET6
            prepare(each)
        self.asked.append((address, count))
        return SocketGroup(sockets)

    def opened(self, host: str) -> list[Any]:
        """
        @return: the sockets of a group of two.
        """
        self.patch(openers, "datagramGroup", self.group)
        return list(datagramGroupOpener(self.reactor, Drops(), 1 << 20)((host, 5), 2).sockets)

    def test_eachSocketIsPreparedBeforeItIsBound(self) -> None:
        """
        As a port of one process is: what comes before somebody reads it tells its address too.
        """
        if not LINUX:
            return
        for host, told in (
            ("127.0.0.1", set()),
            ("0.0.0.0", {V4}),  # noqa: S104 - nothing listens
            ("::", {V4, V6}),
        ):
            with capturedLogs() as events:
                sockets = self.opened(host)
            self.assertEqual(self.asked[-1], ((host, 5), 2))
            for each in sockets:
                self.assertIn(1 << 20, each.options.values())
                self.assertEqual(told, {V4, V6} & set(each.options))
            self.assertEqual(len(events), 1)  # this system gives less
            self.assertIn("bytes of buffer instead of", events[0]["log_format"])

    def test_otherSystemsPrepareNothing(self) -> None:
        self.patch(sys, "platform", "other")
        self.assertNotIn(V4, self.opened("0.0.0.0")[0].options)  # noqa: S104

    def test_portOnSuchASocket(self) -> None:
        """
        It is read at once, and closes nothing but its own descriptor.  Buffers were asked for already.
        """
        self.patch(sys, "platform", "other")
        given: Any = OptionedSocket()
        receiver = Receiver()
        with capturedLogs() as events:
            port: Any = groupMemberOpener(self.reactor, Drops(), 1 << 20)(given, receiver)
        self.assertIsInstance(port, PortableDatagramPort)
        self.assertEqual(self.reactor.getReaders(), [port])
        self.assertEqual((port.getHost().host, port.getHost().port), ("192.0.2.7", 4711))
        self.assertEqual((given.options, given.journal, events), ({}, [], []))
        receiver.stopListening()
        self.assertEqual((given.closed, self.reactor.getReaders()), (True, []))


@skipUnless(LINUX, "only Linux gives one source a socket of its own")
class SideSocketOfAGroupTests(SynchronousTestCase):
    """
    Open a socket beside one of a group.
    """

    def setUp(self) -> None:
        self.made: list[OptionedSocket] = []
        self.chosen = "192.0.2.7"
        self.refusal: OSError | None = None
        self.first: Any = OptionedSocket()
        self.first.options[socket.SOL_SOCKET, socket.SO_REUSEPORT] = 1
        self.context = PortContext(MemoryReactorClock(), Drops(), shared=True, grouped=True)
        if LINUX:
            self.patch(socket, "socket", self.make)

    def make(self, *_: object) -> OptionedSocket:
        """
        In place of the system's.
        """
        made = OptionedSocket()
        made.chosen, made.refusal, made.strays = self.chosen, self.refusal, 3
        self.made.append(made)
        return made

    def open(self, source: tuple[Any, ...] = HEAVY) -> Any:
        return sideport.openBeside(self.context, self.first, [], source)

    def test_itAllowsSharingUntilItIsConnected(self) -> None:
        """
        And nothing is changed on the group's own.
        """
        side = self.open()
        self.assertEqual(side.journal, [("bind", self.first.name, 1), ("connect", HEAVY, 1)])
        self.assertEqual(side.options[socket.SOL_SOCKET, socket.SO_REUSEPORT], 0)
        self.assertEqual(side.options[socket.SOL_SOCKET, socket.SO_REUSEADDR], 1)
        self.assertEqual(self.first.options, {(socket.SOL_SOCKET, socket.SO_REUSEPORT): 1})
        self.assertEqual(side.strays, 3)

    def test_boundToNoAddressItIsConnectedToTheRightOne(self) -> None:
        """
        Where the kernel chooses another one, it is bound to the one that the source sends to, and what has come to it
        from others is left out.
        """
        self.first.name = ("0.0.0.0", 4711)  # noqa: S104 - nothing listens
        source = withOwn(HEAVY, ownAddresses("192.0.2.7")[-1])
        side = self.open(source)
        self.assertEqual(side.journal, [("bind", self.first.name, 1), ("connect", HEAVY, 1)])
        self.assertEqual(side.strays, 3)
        self.chosen = "192.0.2.8"
        side = self.open(source)
        self.assertEqual([one.closed for one in self.made], [False, True, False])
        self.assertEqual(side.journal, [("bind", ("192.0.2.7", 4711), 1), ("connect", HEAVY, 1)])
        self.assertEqual(side.strays, 0)

    def test_oneThatCannotBeHadLeavesNothing(self) -> None:
        self.refusal = trouble(errno.EADDRINUSE)
        self.assertRaises(OSError, self.open)
        self.assertEqual([one.closed for one in self.made], [True])
