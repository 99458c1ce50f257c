"""
The port for Linux that is bound to no address, on a kernel that does what a test says.
"""

from __future__ import annotations

import errno
import socket
import struct
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any
from unittest import skipUnless
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.contracts import numbered
from tests.doubles.kernel import FakeKernel, LinuxFakeSocket, Message, nameOf, ownAddresses
from tests.doubles.udp import Receiver
from tests.doubles.udpsockets import THERE, trouble
from tests.udp.test_linux import LINUX, LinuxPortTestCase, messagesOf
from tests.udp.test_sideport import FakeSideSocket
from uotp.boundaries import Address
from uotp.telemetry.drops import Drop, Drops
from uotp.train import Train, cut
from uotp.udp.base import PortContext
from uotp.udp.openers import openPort

if LINUX:
    from uotp.udp import abi, addressed, anyaddress, buffers, ownaddress, recvmmsg, sideport

OPEN_BESIDE: Any = sideport.openBeside if LINUX else None

HOME, AWAY = "192.0.2.7", "198.51.100.7"
"""Addresses of ours."""

SIX, LINK_LOCAL, MAPPED = "2001:db8::7", "fe80::7", "::ffff:192.0.2.7"

ANY, ANY6 = "0.0.0.0", "::"  # noqa: S104 - nothing listens


def name6(host: str, scope: int = 0) -> bytes:
    """
    @return: a struct sockaddr_in6.
    """
    port = struct.pack("=H", socket.AF_INET6) + struct.pack("!HI", 7007, 0)
    return port + socket.inet_pton(socket.AF_INET6, host) + struct.pack("=I", scope)


MESSAGES = st.lists(
    st.tuples(
        st.builds(
            messagesOf,
            st.sampled_from((0, 99, 100, 1400, 1400)),
            st.integers(0, 1),
            st.integers(1, 5),
            st.integers(0, 9),
        ),
        st.sampled_from((HOME, HOME, AWAY)),
        st.integers(1, 12),
    ),
    min_size=1,
    max_size=10,
).map(
    lambda some: [message._replace(own=ownAddresses(host)) for message, host, times in some for _ in range(times)][:64]
)
"""Messages in rows of equal ones, some of which were coalesced, to two addresses of ours."""


@skipUnless(LINUX, "only Linux tells of our own address in batches")
class OwnAddressTests(SynchronousTestCase):
    """
    Read what the kernel tells, and tell it where an answer comes from.
    """

    def told(self, name: bytes, *own: tuple[int, int, bytes]) -> Address:
        """
        @return: what is made of it, whether it comes alone or in a batch.
        """
        source = abi.addressOf(name)
        alone = ownaddress.withOwn(source, own[-1])
        raw = b""
        for level, kind, data in own:
            message = struct.pack("@Nii", socket.CMSG_LEN(len(data)), level, kind) + data
            raw += message.ljust(socket.CMSG_SPACE(len(data)), b"\0")
        self.assertEqual(ownaddress.sourceOf(name + raw), alone)
        self.assertEqual(alone[: len(source)], source)
        return alone

    def assertAnswered(self, source: Address, host: str | None, interface: int = 0) -> None:
        """
        An answer to the source comes from there.
        """
        remote, control = ownaddress.withoutOwn(source)
        if host is None:
            self.assertEqual((remote, control), (source, ()))
            return
        self.assertEqual(remote, source[:-1])
        ((level, kind, data),) = control
        if ":" in host:
            expected = struct.pack("=16si", socket.inet_pton(socket.AF_INET6, host), interface)
            self.assertEqual((level, kind, data), (socket.IPPROTO_IPV6, 50, expected))
        else:
            self.assertEqual((level, kind), (socket.IPPROTO_IP, 8))
            self.assertEqual(struct.unpack("=i4s4s", data)[:2], (0, socket.inet_aton(host)))

    def test_answerComesFromTheAddressThatWasSentTo(self) -> None:
        for name, host in ((nameOf(0), HOME), (name6("2001:db8::1"), SIX), (name6("::ffff:10.0.0.1"), MAPPED)):
            source = self.told(name, *ownAddresses(host, 5))
            self.assertAnswered(source, host)
            self.assertEqual(ownaddress.ownAddress(source, 8911), (host, 8911, 0, 0) if ":" in host else (host, 8911))

    def test_networkInterfaceIsLeftToTheKernel(self) -> None:
        """
        What comes in by another one is of the same source.
        """
        for name, host in ((nameOf(0), HOME), (name6("2001:db8::1"), SIX), (name6("::ffff:10.0.0.1"), MAPPED)):
            self.assertEqual(self.told(name, *ownAddresses(host, 1)), self.told(name, *ownAddresses(host, 2)))

    def test_linkLocalAddressNeedsItsInterface(self) -> None:
        sources = [self.told(name6("fe80::1", each), *ownAddresses(LINK_LOCAL, each)) for each in (1, 2)]
        self.assertNotEqual(*sources)
        self.assertAnswered(sources[1], LINK_LOCAL, 2)
        self.assertEqual(ownaddress.ownAddress(sources[1], 8911), (LINK_LOCAL, 8911, 0, 2))

    def test_nobodyAnswersFromAnAddressOfMany(self) -> None:
        """
        What was sent to everybody is answered from one address of ours, as the kernel tells or chooses.
        """
        for name, everybody, host in (
            (nameOf(0), "192.0.2.255", HOME),
            (name6("::ffff:10.0.0.1"), "::ffff:192.0.2.255", MAPPED),
        ):
            self.assertAnswered(self.told(name, *ownAddresses(host, header=everybody)), host)
        self.assertAnswered(self.told(name6("fe80::1", 2), *ownAddresses("ff02::1")), None)
        self.assertAnswered(self.told(nameOf(0), *ownAddresses(ANY, header=HOME)), None)
        self.assertAnswered(self.told(name6("fe80::1", 2), *ownAddresses(ANY6)), None)

    def test_withoutWordOfItTheKernelChooses(self) -> None:
        self.assertAnswered(ownaddress.sourceOf(nameOf(0)), None)
        self.assertAnswered(self.told(nameOf(0), (socket.IPPROTO_UDP, 104, struct.pack("=i", 100))), None)
        self.assertIsNone(ownaddress.ownAddress(ownaddress.sourceOf(nameOf(0)), 8911))

    def test_forgedSourcesAreForgotten(self) -> None:
        """
        There is an end to what we remember.
        """
        for remembered in (ownaddress.sourceOf, ownaddress.withOwn):
            self.assertLessEqual(remembered.cache_info().maxsize or 1 << 40, 4096)


class AnyAddressPortTestCase(LinuxPortTestCase):
    """
    Has a port that is bound to no address and shared by sources.
    """

    def setUp(self) -> None:
        super().setUp()
        if not LINUX:
            return
        self.patch(
            anyaddress,
            "addressedBatchesFor",
            lambda family: addressed.AddressedBatchReceiver(family, buffers.ReceiveBuffers(), self.kernel.recvmmsg),
        )
        self.share()

    def open(self, unknown: Sequence[int] = ()) -> None:
        self.receiver.stopListening()
        self.socket = LinuxFakeSocket(self.kernel, unknown)
        self.port = openPort(anyaddress.linuxPort, self.context, (ANY, 0), self.receiver)

    def sourceAt(self, number: int, host: str) -> Address:
        """
        @return: one of the kernel's sources, as it is told when it sends to an address of ours.
        """
        return ownaddress.withOwn(abi.addressOf(nameOf(number)), ownAddresses(host)[-1])

    def hosts(self) -> list[str]:
        """
        @return: from where each call of C{sendmsg} has sent.
        """
        return [socket.inet_ntoa(data[4:8]) for ((_, _, data),) in self.socket.sentFrom]


@skipUnless(LINUX, "only Linux has it")
class AnyAddressPortTests(AnyAddressPortTestCase):
    """
    Two addresses of ours are asked, and each answers.
    """

    def test_onlyASharedPortForAllAddressesIsOne(self) -> None:
        def kindOf(host: str, *, shared: bool = True) -> str:
            context = PortContext(MemoryReactorClock(), Drops(), shared=shared)
            return type(anyaddress.linuxPort(context, (host, 0), Receiver())).__name__

        for host in (ANY, ANY6, "::ffff:0.0.0.0"):
            self.assertEqual(kindOf(host), "AnyAddressPort")
            self.assertEqual(kindOf(host, shared=False), "LinuxDatagramPort")
        for host in (HOME, SIX, "127.0.0.1", "fe80::1%1"):
            self.assertEqual(kindOf(host), "LinuxDatagramPort")

    def test_loneDatagramTellsOfOurAddress(self) -> None:
        for _ in range(30):
            for host in (HOME, AWAY):
                self.receive(Message(b"lone", own=ownAddresses(host)))
        self.assertGreater(self.kernel.asked.count(-1), 40)
        self.assertEqual(
            self.receiver.trains, [(Train(4, b"lone"), self.sourceAt(0, host)) for host in (HOME, AWAY)] * 30
        )

    def test_coalescedOneReadAloneTellsOfItToo(self) -> None:
        for _ in range(30):
            self.receive(Message(b"aabbc", segment=2, own=ownAddresses(AWAY)))
        self.assertGreater(self.kernel.asked.count(-1), 20)
        self.assertEqual(self.receiver.trains, [(Train(2, b"aabbc"), self.sourceAt(0, AWAY))] * 30)

    def test_whatWasCutOffIsCounted(self) -> None:
        bad = Message(b"bad", flags=int(socket.MSG_CTRUNC), own=ownAddresses(HOME))
        for expected in range(1, 31):
            self.receive(bad)
            self.assertEqual(self.drops.totals[Drop.CUT_OFF], expected)
        self.assertIn(-1, self.kernel.asked)
        self.assertEqual(self.receiver.trains, [])

    def test_uniformBatchIsOneTrain(self) -> None:
        """
        Taken as it lies there, and cut where our address changes.
        """
        datagrams = [numbered(1400, number) for number in range(20)]
        messages = [Message(each, own=ownAddresses(HOME)) for each in datagrams]
        self.receive(*messages)  # lengths are known after this
        self.receiver.trains.clear()
        with patch.object(recvmmsg, "couple", None):  # which puts together message by message
            self.receive(*messages[:8])
        self.assertEqual(self.receiver.trains, [(Train(1400, b"".join(datagrams[:8])), self.sourceAt(0, HOME))])
        self.receiver.trains.clear()
        messages[3:] = [each._replace(own=ownAddresses(AWAY)) for each in messages[3:]]
        self.receive(*messages[:8])
        self.assertEqual(
            self.receiver.trains,
            [
                (Train(1400, b"".join(datagrams[:3])), self.sourceAt(0, HOME)),
                (Train(1400, b"".join(datagrams[3:8])), self.sourceAt(0, AWAY)),
            ],
        )

    @given(st.lists(st.tuples(MESSAGES, st.sampled_from((1, 100, 1400))), min_size=1, max_size=3))
    def test_anyMixtureGivesTheSameDatagrams(self, rounds: list[tuple[list[Message], int]]) -> None:
        """
        In order for each source and address of ours, whatever was left of the batch before.
        """
        kernel = FakeKernel()
        batches = addressed.AddressedBatchReceiver(socket.AF_INET, buffers.ReceiveBuffers(), kernel.recvmmsg)
        for messages, expected in rounds:
            kernel.waiting.extend(messages)
            count, _, cutOff, parcels = batches.receive(9, expected, 64)
            self.assertEqual((count, cutOff), (len(messages), 0))
            self.assertEqual(len(parcels), len({ownaddress.sourceOf(raw) for raw, _ in parcels}))
            found = {
                ownaddress.sourceOf(raw): [datagram for train in trains for datagram in cut(train)]
                for raw, trains in parcels
            }
            sent: dict[Address, list[bytes]] = {}
            for message in messages:
                source = ownaddress.withOwn(abi.addressOf(message.name), message.own[-1])
                sent.setdefault(source, []).extend(message.datagrams())
            self.assertEqual(found, sent)

    def test_batchOfBothFamilies(self) -> None:
        """
        A socket for IPv6 tells of our address once or twice.
        """
        kernel = FakeKernel()
        batches = addressed.AddressedBatchReceiver(socket.AF_INET6, buffers.ReceiveBuffers(), kernel.recvmmsg)
        mapped = Message(bytes(100), name6("::ffff:10.0.0.1"), own=ownAddresses(MAPPED))
        six = Message(bytes(100), name6("2001:db8::1"), own=ownAddresses(SIX))
        for messages in ([mapped] * 4, [six] * 4, [mapped, six] * 4, [six, mapped._replace(segment=40), six, mapped]):
            kernel.waiting.extend(messages)
            parcels = batches.receive(9, 100, 64)[3]
            found = {ownaddress.sourceOf(raw): sum(len(train.payload) for train in trains) for raw, trains in parcels}
            expected: dict[Address, int] = {}
            for message in messages:
                source = ownaddress.withOwn(abi.addressOf(message.name), message.own[-1])
                expected[source] = expected.get(source, 0) + 100
            self.assertEqual(found, expected)

    def test_answersComeFromTheAddressThatWasAsked(self) -> None:
        """
        Lone ones, trains, and those that go one by one.
        """
        for host in (HOME, AWAY):
            self.open()
            source = self.sourceAt(0, host)
            self.receiver.sendTrains([Train(4, b"lone"), Train(100, numbered(450)), Train(40000, bytes(80000))], source)
            self.assertEqual(self.hosts(), [host] * 4)
            self.assertEqual(self.socket.trains[-1], (Train(100, numbered(450)), source[:-1]))
            self.socket.trainTrouble = {0: errno.EIO}
            self.socket.sentFrom.clear()
            self.receiver.sendTrains([Train(100, bytes(200))], source)
            self.assertEqual(self.hosts(), [host] * 3)
        self.assertEqual(dict(self.drops.totals), {})

    def test_otherDestinationsGoAsTheKernelChooses(self) -> None:
        self.receiver.sendTrains([Train(4, b"lone"), Train(100, numbered(450))], THERE)
        self.port.write(b"written", THERE)
        self.assertEqual((set(self.socket.sentFrom), self.socket.sent), ({()}, [b"lone", b"written"]))
        self.socket.sentFrom.clear()
        self.port.write(b"from", self.sourceAt(0, HOME))
        self.assertEqual(self.hosts(), [HOME])

    def test_addressThatHasGoneCostsTheDatagram(self) -> None:
        """
        What cannot come from there is counted; nothing else changes, and when it is back, so are the answers.
        """
        source = self.sourceAt(0, HOME)
        for number in (errno.EINVAL, errno.EADDRNOTAVAIL, errno.ENETUNREACH):
            self.drops.totals.clear()
            self.socket.toSend = [trouble(number)] * 6
            self.socket.trainTrouble = {0: number}
            self.receiver.sendTrains([Train(4, b"lone"), Train(100, numbered(450))], source)
            self.assertEqual(dict(self.drops.totals), {Drop.SEND_REFUSED: 6})
            self.socket.trainTrouble = {}
            self.receiver.sendTrains([Train(100, numbered(450))], source)
            self.assertEqual(self.socket.trains.pop(), (Train(100, numbered(450)), source[:-1]))
        self.assertEqual((self.receiver.lost, self.port.connected), ([], True))

    def test_closedPortSendsNothing(self) -> None:
        source = self.sourceAt(0, HOME)
        self.receiver.stopListening()
        self.port.sendTrains([Train(4, b"lone")], source)
        self.assertEqual(self.socket.sentFrom, [])

    def test_kernelIsAskedBeforeTheSocketIsBound(self) -> None:
        """
        And one that does not tell is no error.
        """
        port = self.port
        port.beforeBind(self.socket)
        self.assertIn((socket.IPPROTO_IP, 8), self.socket.options)
        six = LinuxFakeSocket(self.kernel)
        six.family = socket.AF_INET6
        port.beforeBind(six)
        self.assertEqual(six.options, [(socket.IPPROTO_IPV6, 49), (socket.IPPROTO_IP, 8)])
        port.beforeBind(LinuxFakeSocket(self.kernel, unknown=[8, 49]))
        self.receive(Message(b"lone"), Message(b"lone"))
        self.receive(Message(b"lone"))
        self.assertEqual({source for _, source in self.receiver.trains}, {("10.0.0.1", 7000)})

    def test_loneDatagramPassesFewFrames(self) -> None:
        """
        One more than at a port that is bound to an address, and only on its way in.
        """
        self.receive(Message(b"lone", own=ownAddresses(HOME)))
        self.kernel.waiting.append(Message(b"lone", own=ownAddresses(HOME)))
        self.kernel.asked.clear()
        source = self.sourceAt(0, HOME)
        frames: list[str] = []

        def note(frame: FrameType, event: str, _: object) -> None:
            if event == "call" and frame.f_globals.get("__package__") == "uotp.udp":
                frames.append(frame.f_code.co_name)

        sys.setprofile(note)
        try:
            self.port.doRead()
            self.receiver.sendTrains([Train(4, b"back")], source)
        finally:
            sys.setprofile(None)
        self.assertEqual((self.kernel.asked, frames), ([-1], ["doRead", "_oneReceived", "sendTrains"]))


@skipUnless(LINUX, "only Linux gives one source a socket of its own")
class CrowdedAnyAddressPortTests(AnyAddressPortTestCase):
    """
    Let heavy sources share the port with others.
    """

    def setUp(self) -> None:
        super().setUp()
        if not LINUX:
            return
        self.sides: list[FakeSideSocket] = []
        self.asked: list[Address] = []
        self.patch(sideport, "openBeside", self.openBeside)

    def openBeside(self, _: object, first: object, others: Sequence[object], source: Address) -> FakeSideSocket:
        """
        What the port calls.
        """
        self.asked.append(source)
        self.sides.append(FakeSideSocket(self.kernel, 200 + len(self.sides), source))
        return self.sides[-1]

    def crowd(self, host: str) -> None:
        """
        Let a source send very much to an address of ours.
        """
        heavy = Message(numbered(1400), own=ownAddresses(host))
        self.receive(Message(b"light", nameOf(9), own=ownAddresses(HOME)), *[heavy] * 1500)
        self.reactor.pump([0] * 50)

    def test_bothFlowsOfASourceShareTheCrowdedPort(self) -> None:
        """
        Each has its turn, and keeps its order.
        """
        self.kernel.waiting.extend(
            Message(numbered(1400, number), own=ownAddresses((HOME, AWAY)[number % 2])) for number in range(400)
        )
        self.port.doRead()
        self.reactor.pump([0] * 50)
        for parity, host in enumerate((HOME, AWAY)):
            found = self.receiver.datagramsFrom(self.sourceAt(0, host))
            self.assertEqual(found, [numbered(1400, number) for number in range(parity, 400, 2)])

    def test_heavySourceGetsASocketAtTheAddressItSendsTo(self) -> None:
        """
        What comes there is taken as sent to that address, whoever sends it.
        """
        self.crowd(AWAY)
        self.assertEqual(self.asked, [self.sourceAt(0, AWAY)])
        self.receiver.trains.clear()
        self.sides[0].waiting.extend(Message(b"apart", nameOf(number)) for number in (0, 1))
        (side,) = [one for one in self.reactor.getReaders() if one.fileno() == 200]
        side.doRead()
        self.assertEqual(self.receiver.trains, [(Train(5, b"apart"), self.sourceAt(number, AWAY)) for number in (0, 1)])

    def test_socketOfItsOwnIsBoundThere(self) -> None:
        """
        And connected to the source.
        """
        done: list[tuple[str, Address]] = []

        class Side(LinuxFakeSocket):
            def setblocking(self, flag: object) -> None:
                """
                Never.
                """

            def bind(self, address: Address) -> None:
                done.append(("bind", address))

            def connect(self, address: Address) -> None:
                done.append(("connect", address))

        self.patch(socket, "socket", lambda *_: Side(self.kernel))
        self.patch(PortContext, "enlarge", lambda *_: None)
        for source, bound in ((self.sourceAt(0, AWAY), (AWAY, 4711)), (("10.0.0.1", 7000), ("192.0.2.7", 4711))):
            done.clear()
            OPEN_BESIDE(self.context, self.socket, [], source)
            self.assertEqual(done, [("bind", bound), ("connect", ("10.0.0.1", 7000))])
