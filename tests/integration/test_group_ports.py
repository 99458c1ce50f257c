"""
UDP ports of several processes at one address, on real sockets: each source keeps its port, whatever sockets
come and go beside them.  Here all of them are in one process, with descriptors of their own.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any
from unittest import skipUnless

from twisted.internet import reactor

from bench.rig.programs import HANG_SECONDS
from tests.doubles.udp import Receiver
from tests.integration.harness import needed
from tests.integration.test_datagram_port import SocketPortTestCase
from uotp.boundaries import Address, DatagramPortOpener
from uotp.net import steeringTrouble
from uotp.udp import datagramGroupOpener, datagramPortOpener, groupMemberOpener
from uotp.udp.ownaddress import withoutOwn

if sys.platform == "linux":
    from uotp.udp import sideport

MEMBERS = 3
SOURCES = 48
"""So many that each port has some: that one has none comes about once in a hundred million times."""

FLOODS = 200
"""So often a source sends very much until it has a socket of its own."""

OTHER_USER = 65534

BIND_AS_OTHER = """
import os, socket, sys
os.setgid({user}); os.setuid({user})
one = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
try:
    one.bind((sys.argv[1], int(sys.argv[2])))
except OSError as error:
    print(error.errno)
else:
    print("bound")
"""


@skipUnless(sys.platform == "linux", "only Linux can tell each source its socket")
class GroupPortTests(SocketPortTestCase):
    """
    Have ports of one group, and sources that send to them.

    @cvar bound: where they are bound.
    """

    bound = "127.0.0.1"

    def setUp(self) -> None:
        trouble = steeringTrouble()
        if trouble is not None:
            needed(trouble)
        super().setUp()
        self.patch(sideport, "QUIET_LOOK_SECONDS", 0.02)
        self.patch(sideport, "MAX_QUIET_LOOKS", sys.maxsize)  # however slow the test is
        self.group = datagramGroupOpener(reactor, self.drops)((self.bound, 0), MEMBERS)
        self.addCleanup(self.group.close)
        self.receivers = [Receiver() for _ in range(MEMBERS)]
        self.ports: list[Any] = [self.openMember(number) for number in range(MEMBERS)]
        self.received: list[list[bytes]] = [[] for _ in range(MEMBERS)]
        self.asked = 0
        self.sources = [self.sender() for _ in range(SOURCES)]
        self.members = self.whereEachArrives()

    def makeOpener(self) -> DatagramPortOpener:
        """
        For none: these ports are opened on sockets.
        """
        return datagramPortOpener(reactor, self.drops)

    def openMember(self, number: int) -> Any:
        """
        @return: a port on a descriptor of its own, as another process has it.
        """
        given = socket.socket(fileno=os.dup(self.group.sockets[number].fileno()))
        port: Any = groupMemberOpener(reactor, self.drops)(given, self.receivers[number])
        self.addCleanup(port.stopListening)
        return port

    def sender(self) -> socket.socket:
        """
        @return: a plain socket, that knows the way to the ports.
        """
        made = socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(made.close)
        made.settimeout(HANG_SECONDS)
        made.connect((self.host, self.group.pair[1]))
        return made

    def whereEachArrives(self) -> list[int]:
        """
        Let each source send once.

        @return: at which port that has arrived, in the order of the sources.
        """
        self.asked += 1
        for number, source in enumerate(self.sources):
            source.send(b"asked %d %d" % (self.asked, number))
        found: dict[int, int] = {}
        self.until(lambda: len(self.arrivals()) >= SOURCES, "all have arrived")
        for number, member in self.arrivals():
            self.assertNotIn(number, found)
            found[number] = member
        for receiver, came in zip(self.receivers, self.received, strict=True):
            came.extend(receiver.datagrams())
            receiver.trains.clear()
        return [found[number] for number in range(SOURCES)]

    def arrivals(self) -> list[tuple[int, int]]:
        """
        @return: the sources of what has come since they were asked last, and the port.
        """
        words = b"asked %d " % self.asked
        return [
            (int(datagram.removeprefix(words)), member)
            for member, receiver in enumerate(self.receivers)
            for datagram in receiver.datagrams()
            if datagram.startswith(words)
        ]

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """
        Let turns pass until something is so.
        """
        deadline = time.monotonic() + HANG_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                self.fail(f"not so: {what}")
            self.turn()

    def sourcesOf(self, member: int) -> list[socket.socket]:
        """
        @return: those that a port has.
        """
        return [source for source, of in zip(self.sources, self.members, strict=True) if of == member]

    def whatWaits(self, one: socket.socket) -> list[bytes]:
        """
        @return: what the kernel has for a socket, which is taken.
        """
        came: list[bytes] = []
        with contextlib.suppress(BlockingIOError):
            while True:
                came.append(one.recv(2000))
        return came

    def sides(self, member: int) -> list[Any]:
        """
        @return: what there is beside a port.
        """
        return list(self.ports[member]._sides._bySource.values())

    def crowd(self, member: int, heavy: int = 0) -> None:
        """
        Let a source of a port send very much beside another one, until it has a socket of its own.
        """
        source, light = self.sourcesOf(member)[heavy], self.sourcesOf(member)[-1]
        before = len(self.sides(member))
        for _ in range(FLOODS):
            light.send(b"light")
            for _ in range(250):
                source.send(bytes(1400))
            self.turn()
            if len(self.sides(member)) > before:
                break
        else:
            self.fail("it got none")

    def test_allHaveSources(self) -> None:
        self.assertEqual(set(self.members), set(range(MEMBERS)))

    def test_socketsThatComeAndGoBesideAPortChangeNothing(self) -> None:
        """
        In whichever process, and in whatever order; and what heavy sources send arrives at their own port.
        """
        for member, heavy in ((1, 0), (0, 0), (2, 0), (1, 1)):
            self.crowd(member, heavy)
            self.assertEqual(self.whereEachArrives(), self.members)
        self.assertEqual([len(self.sides(member)) for member in range(MEMBERS)], [1, 2, 1])
        flooding = self.sourcesOf(2)[0]
        flooding.send(b"apart")
        self.assertEqual(self.whatWaits(self.sides(2)[0].socket)[-1], b"apart")
        for member in (1, 2, 0, 1):
            self.ports[member]._sides.close(self.sides(member)[0])
            self.assertEqual(self.whereEachArrives(), self.members)
        self.crowd(0)
        self.assertEqual(self.whereEachArrives(), self.members)

    def test_heavySourceIsAnsweredFromWhereItSendsTo(self) -> None:
        """
        Which a connected socket checks.
        """
        self.crowd(1)
        receiver, heavy = self.receivers[1], self.sourcesOf(1)[0]
        heavy.send(b"question")
        self.until(lambda: b"question" in receiver.datagrams(), "the question is there")
        receiver.sendTrains(
            *next(([train], source) for train, source in receiver.trains if train.payload == b"question")
        )
        self.assertEqual(heavy.recv(100), b"question")

    def test_whatOthersSendNeverComesToAnotherPort(self) -> None:
        """
        Also not while a socket beside that is bound and not connected yet, the first one or another.
        """
        heavy: set[socket.socket] = set()

        def othersSend(source: Address) -> Any:
            for number, other in enumerate(self.sources):
                if other not in heavy:
                    other.send(b"other %d" % self.members[number])
            return withoutOwn(source)

        self.patch(sideport, "withoutOwn", othersSend)  # which is called when a socket is bound, and not connected
        for member, number in ((0, 0), (1, 0), (2, 0), (1, 1)):
            heavy.add(self.sourcesOf(member)[number])
            self.crowd(member, number)
        self.whereEachArrives()
        for member, came in enumerate(self.received):
            others = {datagram for datagram in came if datagram.startswith(b"other")}
            self.assertEqual(others, {b"other %d" % member})

    def test_nobodyElseMayBindThePort(self) -> None:
        """
        No other user, whatever he allows, and nobody who does not share.
        """
        self.crowd(0)
        for option in (None, socket.SO_REUSEADDR):
            with socket.socket(self.group.sockets[0].family, socket.SOCK_DGRAM) as other:
                if option is not None:
                    other.setsockopt(socket.SOL_SOCKET, option, 1)
                self.assertRaises(OSError, other.bind, self.group.sockets[0].getsockname())
        if os.getuid():
            needed("only root can ask as another user")
        program = BIND_AS_OTHER.format(user=OTHER_USER)
        host, port = self.group.pair
        said = subprocess.run(
            [sys.executable, "-c", program, host, str(port)], capture_output=True, text=True, check=True, cwd="/"
        )
        self.assertEqual(said.stdout.strip(), "98")

    def test_programOfOurUserGetsNothing(self) -> None:
        """
        If the kernel lets it in, the group's program does not choose it.
        """
        self.crowd(0)
        with socket.socket(self.group.sockets[0].family, socket.SOCK_DGRAM) as other:
            for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
                other.setsockopt(socket.SOL_SOCKET, option, 1)
            other.bind(self.group.sockets[0].getsockname())
            other.setblocking(False)
            self.assertEqual(self.whereEachArrives(), self.members)
            self.crowd(1)
            self.assertEqual(self.whereEachArrives(), self.members)
            self.assertRaises(BlockingIOError, other.recv, 99)
        self.assertEqual(self.whereEachArrives(), self.members)

    def test_whatComesWhileAProcessIsGoneWaitsForTheNext(self) -> None:
        """
        With the address that it was sent to, so that it is answered from there.
        """
        self.ports[1].stopListening()
        self.receivers[1].trains.clear()
        sources = self.sourcesOf(1)
        for source in sources:
            source.send(b"waits")
        self.ports[1] = self.openMember(1)
        self.until(lambda: self.receivers[1].count() >= len(sources), "all have arrived")
        self.assertEqual(self.receivers[1].datagrams(), [b"waits"] * len(sources))
        for train, address in self.receivers[1].trains:
            self.receivers[1].sendTrains([train], address)
        self.assertEqual([source.recv(99) for source in sources], [b"waits"] * len(sources))
        self.assertEqual(self.whereEachArrives(), self.members)

    def test_onePortThatForbidsSharingWouldTakeAll(self) -> None:
        """
        That is why none does: the kernel takes the one that it looks at first for one that stands alone.
        """
        found = []
        for one in self.group.sockets:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 0)
            found.append(set(self.whereEachArrives()))
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            self.assertEqual(self.whereEachArrives(), self.members)
        self.assertEqual(sorted(map(len, found)), [1, MEMBERS, MEMBERS])


class AnyAddressGroupTests(GroupPortTests):
    """
    The same where they are bound to no address.
    """

    bound = "0.0.0.0"  # noqa: S104 - to be tried


class OneOfSeveralAddressesGroupTests(AnyAddressGroupTests):
    """
    The same where what is sent to is not the address that the kernel would choose.
    """

    host = "127.0.0.2"


class BothFamiliesGroupTests(OneOfSeveralAddressesGroupTests):
    """
    The same where ports for IPv6 take what IPv4 sends.
    """

    bound = "::"


class IPv6GroupTests(GroupPortTests):
    """
    The same over IPv6.
    """

    host = bound = "::1"


class AnyIPv6AddressGroupTests(GroupPortTests):
    """
    The same over IPv6, where they are bound to no address.
    """

    host, bound = "::1", "::"
