"""
The port for Linux on a kernel that does what a test says: how batches become
trains, and what happens when trains cannot be sent as such.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import sys
from collections import Counter
from collections.abc import Sequence
from types import FrameType
from typing import Any
from unittest import skipUnless
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.contracts import numbered
from tests.doubles.kernel import FakeKernel, LinuxFakeSocket, Message, nameOf
from tests.doubles.udp import Receiver
from tests.doubles.udpsockets import THERE, trouble
from uotp.boundaries import Address
from uotp.process.turns import READ_UNITS, Turns
from uotp.telemetry.drops import Drop, Drops
from uotp.train import MAX_TRAIN_BYTES, Train, countOf, couple, cut, gather
from uotp.udp import datagramPortOpener
from uotp.udp.base import PortContext
from uotp.udp.linux import MESSAGES_PER_UNIT
from uotp.udp.openers import openPort, openTwistedPort
from uotp.udp.portable import PortableDatagramPort

LINUX = sys.platform == "linux"
if LINUX:
    from uotp.udp import abi, anyaddress, buffers, linux, recvmmsg
    from uotp.udp.errorqueue import MAX_ERRORS
    from uotp.udp.gso import MAX_PATHS

ELSEWHERE: Address = ("192.0.2.2", 9)


LENGTHS = st.one_of(st.sampled_from((0, 1, 2, 99, 100, 100, 1400, 1400, 2048, 2049, 9000)), st.integers(0, 300))


def messagesOf(length: int, source: int, datagrams: int, last: int) -> Message:
    """
    @return: a message of one datagram, or of several that were coalesced.
    """
    if datagrams == 1 or length == 0:
        return Message(numbered(length, last), nameOf(source))
    size = min(length * (datagrams - 1) + min(last, length - 1) + 1, 65535)
    return Message(numbered(size, last), nameOf(source), length)


MESSAGES = st.builds(
    messagesOf, LENGTHS, st.sampled_from((0, 0, 0, 1, 2)), st.sampled_from((1, 1, 1, 2, 5, 30)), st.integers(0, 99)
)
REPEATED = st.lists(st.tuples(MESSAGES, st.integers(1, 12)), min_size=1, max_size=12).map(
    lambda some: [message for message, times in some for _ in range(times)][:64]
)
"""Messages in rows of equal ones, as they come."""


class CoupleTests(SynchronousTestCase):
    """
    Messages become trains.
    """

    @given(st.lists(LENGTHS, max_size=40))
    def test_datagramsAreGatheredAsEverywhere(self, lengths: list[int]) -> None:
        datagrams = [numbered(length, length) for length in lengths]
        self.assertEqual(couple([(datagram, 0) for datagram in datagrams]), gather(datagrams))

    @given(REPEATED)
    def test_coalescedOnesToo(self, messages: list[Message]) -> None:
        trains = couple([(message.data, message.segment) for message in messages])
        found = [datagram for train in trains for datagram in cut(train)]
        self.assertEqual(found, [datagram for message in messages for datagram in message.datagrams()])
        longest = max(MAX_TRAIN_BYTES, *(len(message.data) for message in messages))
        self.assertLessEqual(max(len(train.payload) for train in trains), longest)

    def test_noTrainIsTooLongToBeSent(self) -> None:
        data = numbered(30000)
        self.assertEqual(couple([(data, 1000)] * 5), [Train(1000, data * 2), Train(1000, data * 2), Train(1000, data)])

    def test_coalescedMessagesAreJoined(self) -> None:
        four, short = (b"a" * 4000, 1000), (b"b" * 2500, 1000)
        self.assertEqual(
            couple([four, (b"c" * 1000, 0), four, short, four, (b"d" * 999, 0), (b"e" * 999, 0)]),
            [
                Train(1000, b"a" * 4000 + b"c" * 1000 + b"a" * 4000 + b"b" * 2500),
                Train(1000, b"a" * 4000 + b"d" * 999),
                Train(999, b"e" * 999),
            ],
        )


@skipUnless(LINUX, "only Linux has recvmmsg")
class BatchesTests(SynchronousTestCase):
    """
    What one call brings is told apart by source, and cut.
    """

    def setUp(self) -> None:
        self.kernel = FakeKernel()
        self.batches = recvmmsg.BatchReceiver(socket.AF_INET, buffers.ReceiveBuffers(), self.kernel.recvmmsg)

    def receive(self, messages: list[Message], expected: int = 1400) -> dict[bytes, list[Train]]:
        """
        @return: the trains of each source.
        """
        self.kernel.waiting.extend(messages)
        count, longest, cutOff, parcels = self.batches.receive(9, expected, 64)
        self.assertEqual((count, cutOff), (len(messages), 0))
        if count > 1:
            self.assertEqual(longest, max(len(message.data) for message in messages))
        self.assertEqual(len(parcels), len({name for name, _ in parcels}))
        return dict(parcels)

    @given(st.lists(st.tuples(REPEATED, st.sampled_from((1, 100, 1400, 2048, 65000))), min_size=1, max_size=3))
    def test_anyMixtureGivesTheSameDatagrams(self, rounds: list[tuple[list[Message], int]]) -> None:
        for messages, expected in rounds:
            found = self.receive(messages, expected)
            for name in {message.name for message in messages}:
                sent = [datagram for each in messages if each.name == name for datagram in each.datagrams()]
                self.assertEqual([datagram for train in found[name] for datagram in cut(train)], sent)
                for train in found[name]:
                    self.assertTrue(train.datagrams == 1 or len(train.payload) <= 65535)

    def test_whatWasExpectedNeedsNoCutting(self) -> None:
        """
        It is taken as it lies there, with a shorter one at the end, in trains that can be sent again with one call.
        """
        self.patch(recvmmsg, "couple", None)
        datagrams = [numbered(1400, number) for number in range(63)] + [numbered(300)]
        found = self.receive([Message(datagram) for datagram in datagrams])
        self.assertEqual(
            found, {nameOf(0): [Train(1400, b"".join(datagrams[:46])), Train(1400, b"".join(datagrams[46:]))]}
        )
        self.assertEqual(self.receive([Message(b"lone")]), {nameOf(0): [Train(4, b"lone")]})

    def test_whatWasExpectedIsStillToldApart(self) -> None:
        datagrams = [numbered(100, number) for number in range(4)]
        mixed = [Message(datagram, nameOf(number % 2)) for number, datagram in enumerate(datagrams)]
        found = self.receive(mixed, 100)
        self.assertEqual(
            found,
            {
                nameOf(0): [Train(100, datagrams[0] + datagrams[2])],
                nameOf(1): [Train(100, datagrams[1] + datagrams[3])],
            },
        )
        found = self.receive([Message(datagrams[0]), Message(datagrams[1]), Message(b"")], 100)
        self.assertEqual(found, {nameOf(0): [Train(100, datagrams[0] + datagrams[1]), Train(0, b"")]})
        found = self.receive([Message(datagram) for datagram in datagrams], 150)
        self.assertEqual(found, {nameOf(0): [Train(100, b"".join(datagrams))]})

    def test_longestDatagramsAreTrainsAlone(self) -> None:
        for size in (65507, 65527):  # IPv6 has a shorter header
            longest = numbered(size)
            for _ in range(2):
                found = self.receive([Message(longest)] * 3, size)
                self.assertEqual(found, {nameOf(0): [Train(size, longest)] * 3})

    def test_whatWasCutOffIsNoData(self) -> None:
        for flag in (socket.MSG_TRUNC, socket.MSG_CTRUNC):
            for place in range(3):
                messages = [Message(bytes([number]) * 1400) for number in range(3)]
                fine = messages[:place] + messages[place + 1 :]
                messages[place] = messages[place]._replace(flags=int(flag))
                self.kernel.waiting.extend(messages)
                count, _, cutOff, parcels = self.batches.receive(9, 1400, 64)
                self.assertEqual((count, cutOff), (3, 1))
                self.assertEqual(parcels, [(nameOf(0), gather(message.data for message in fine))])

    def test_namesAreReadAsTheSocketModuleDoes(self) -> None:
        self.assertEqual(abi.addressOf(nameOf(4)), ("10.0.0.5", 7004))
        name = struct.pack("=H", socket.AF_INET6) + struct.pack("!HI", 7007, 5)
        name += socket.inet_pton(socket.AF_INET6, "fe80::1") + struct.pack("=I", 3)
        self.assertEqual(abi.addressOf(name), ("fe80::1", 7007, 5, 3))

    def test_forgedSourcesAreForgotten(self) -> None:
        """
        There is an end to what we remember.
        """
        self.assertLessEqual(abi.addressOf.cache_info().maxsize or 1 << 40, 4096)


class LinuxPortTestCase(SynchronousTestCase):
    """
    Has a port on a fake socket of a fake kernel.
    """

    socket: LinuxFakeSocket
    port: Any

    def setUp(self) -> None:
        self.kernel = FakeKernel()
        if not LINUX:
            return
        shared = buffers.ReceiveBuffers()
        self.patch(linux, "batchesFor", lambda family: recvmmsg.BatchReceiver(family, shared, self.kernel.recvmmsg))
        self.patch(PortContext, "openSocket", lambda *_: self.socket)
        self.drops = Drops()
        self.reactor = MemoryReactorClock()
        self.context = PortContext(self.reactor, self.drops)
        self.receiver = Receiver()
        self.open()

    def open(self, unknown: Sequence[int] = ()) -> None:
        """
        Open a port, after closing the one before, with the same opener.

        @param unknown: options that the kernel does not know.
        """
        self.receiver.stopListening()
        self.socket = LinuxFakeSocket(self.kernel, unknown)
        self.port = openPort(linux.LinuxDatagramPort, self.context, ("192.0.2.7", 0), self.receiver)

    def share(self) -> None:
        """
        Open a port that many sources share.
        """
        self.context = PortContext(self.reactor, self.drops, shared=True)
        self.open()

    def receive(self, *messages: Message | OSError) -> None:
        """
        Have the port read all of it.
        """
        self.kernel.waiting.extend(messages)
        while self.kernel.waiting:
            self.port.doRead()


@skipUnless(LINUX, "only Linux has recvmmsg")
class LinuxPortReceivingTests(LinuxPortTestCase):
    """
    What comes is handed on, and errors cost what they are about.
    """

    def test_quietPortReadsOneAlone(self) -> None:
        """
        That is quicker; now and again it looks whether more are waiting, and then it reads batches.
        """
        for number in range(60):
            self.receive(Message(b"lone", nameOf(number % 3)))
        self.assertEqual([train for train, _ in self.receiver.trains], [Train(4, b"lone")] * 60)
        self.assertEqual([source[1] for _, source in self.receiver.trains[:4]], [7000, 7001, 7002, 7000])
        self.assertEqual(self.kernel.asked[:6], [8, -1, 8, -1, -1, 8])
        self.assertGreater(self.kernel.asked.count(-1), 45)
        self.kernel.asked.clear()
        self.receive(*[Message(b"many")] * 300)
        self.assertLessEqual(self.kernel.asked.count(-1), 8)
        self.assertEqual(self.kernel.asked[-3:].count(-1), 0)
        self.kernel.asked.clear()
        for _ in range(4):
            self.receive(Message(b"lone"))
        self.assertEqual(self.kernel.asked, [64, -1, 64, -1])

    def test_crowdedPortIsReadEmptyBeforeAnythingIsHandedOn(self) -> None:
        """
        The light source behind the heavy one has its turn before the heavy one's second.
        """
        self.share()
        self.receive(*[Message(numbered(1400, 1), nameOf(number)) for number in (1, *[0] * 7)])
        self.receiver.trains.clear()
        self.kernel.waiting.extend([Message(numbered(1400, 1), nameOf(0))] * 300)
        self.kernel.waiting.append(Message(b"light", nameOf(1)))
        self.port.doRead()
        self.assertEqual(list(self.kernel.waiting), [])
        sources = [source[1] - 7000 for _, source in self.receiver.trains]
        self.assertEqual(sources.count(1), 1)
        self.assertEqual(sources[1], 1)
        self.assertLess(sum(train.datagrams for train, _ in self.receiver.trains), 250)
        self.reactor.advance(0)
        self.assertEqual(sum(train.datagrams for train, _ in self.receiver.trains), 301)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_whatIsReadWhileOthersWaitComesBehindThem(self) -> None:
        """
        Also a lone datagram; the order of a source is kept.
        """
        self.share()
        self.kernel.waiting.extend(Message(numbered(1400, 1), nameOf(number % 2)) for number in range(400))
        self.port.doRead()
        before = len(self.receiver.trains)
        self.receive(Message(b"later", nameOf(0)))
        self.assertEqual(len(self.receiver.trains), before)
        self.reactor.pump([0] * 9)
        datagrams = [one for train, source in self.receiver.trains if source[1] == 7000 for one in cut(train)]
        self.assertEqual(datagrams, [numbered(1400, 1)] * 200 + [b"later"])
        self.receive(Message(b"at once", nameOf(0)))
        self.assertEqual(self.receiver.trains[-1][0], Train(7, b"at once"))

    def test_closedPortHandsNothingOn(self) -> None:
        """
        Of what waits, and whoever has closed it.
        """
        self.share()
        self.kernel.waiting.extend(Message(numbered(1400, 1), nameOf(number % 2)) for number in range(400))
        self.port.doRead()
        self.assertEqual(len(self.reactor.getDelayedCalls()), 1)
        before = len(self.receiver.trains)
        self.port.stopListening()
        self.assertEqual((self.reactor.getDelayedCalls(), len(self.receiver.trains)), ([], before))

    def test_portOfWhoeverHasSpentItsTurnReadsNothing(self) -> None:
        """
        Neither a batch nor one alone, and the reactor does not ask again before the next turn.
        """
        for batches in (1, 2):
            self.receiver.allowance = allowance = Turns(self.reactor).allowanceOf("somebody")
            self.open()
            for _ in range(batches):
                self.receive(Message(b"lone"))
            while not allowance.owner.isExhausted:
                allowance.spend(1)
            before = len(self.receiver.trains)
            self.kernel.waiting.append(Message(b"lone"))
            self.port.doRead()
            self.assertEqual((len(self.receiver.trains), self.port in self.reactor.getReaders()), (before, False))
            self.reactor.advance(0)
            self.assertIn(self.port, self.reactor.getReaders())
            self.port.doRead()
            self.assertEqual(len(self.receiver.trains), before + 1)

    def test_whatAPortReadsIsSpent(self) -> None:
        self.receiver.allowance = allowance = Turns(self.reactor).allowanceOf("somebody")
        self.open()
        reads = 0
        while not allowance.owner.isExhausted:
            self.receive(Message(b"lone", nameOf(reads % 2)))
            reads += 1
        self.assertLessEqual(reads, READ_UNITS)
        self.reactor.advance(0)

    def test_batchCostsByItsMessages(self) -> None:
        """
        Though they make one train.
        """
        self.receiver.allowance = allowance = Turns(self.reactor).allowanceOf("somebody")
        self.open()
        batch = [Message(b"lone")] * 2 * MESSAGES_PER_UNIT
        reads = 0
        while not allowance.owner.isExhausted:
            self.kernel.waiting.extend(batch)
            self.port.doRead()
            reads += 1
        self.assertEqual(countOf([train for train, _ in self.receiver.trains]), reads * len(batch))
        self.assertLessEqual(reads, READ_UNITS // 3 + 1)
        self.reactor.advance(0)

    def test_pausedPortIsNotReadAgainByItsTurn(self) -> None:
        self.receiver.allowance = allowance = Turns(self.reactor).allowanceOf("somebody")
        self.open()
        while not allowance.owner.isExhausted:
            allowance.spend(1)
        self.port.doRead()
        self.port.pauseProducing()
        self.reactor.advance(0)
        self.assertNotIn(self.port, self.reactor.getReaders())
        self.port.resumeProducing()
        self.assertIn(self.port, self.reactor.getReaders())

    def test_portThatIsOpenedAgainIsReadAgainByItsTurn(self) -> None:
        """
        Though it was paused when it was closed.
        """
        self.receiver.allowance = allowance = Turns(self.reactor).allowanceOf("somebody")
        self.open()
        self.port.pauseProducing()
        self.port.stopListening()
        self.port.startListening()
        while not allowance.owner.isExhausted:
            allowance.spend(1)
        self.port.doRead()
        self.reactor.advance(0)
        self.assertIn(self.port, self.reactor.getReaders())

    def test_quietPortCutsWhatIsCoalesced(self) -> None:
        for _ in range(30):
            self.receive(Message(b"aabbc", segment=2))
        self.assertEqual([train for train, _ in self.receiver.trains], [Train(2, b"aabbc")] * 30)
        self.assertGreater(self.kernel.asked.count(-1), 20)

    def test_whatWasCutOffIsCounted(self) -> None:
        bad = Message(b"bad", flags=int(socket.MSG_CTRUNC))
        for expected in range(1, 31):
            self.receive(bad)
            self.assertEqual(self.drops.totals[Drop.CUT_OFF], expected)
        self.assertIn(-1, self.kernel.asked)
        self.open()
        self.receive(bad, bad, Message(b"good"), bad)
        self.assertEqual(self.drops.totals[Drop.CUT_OFF], 33)
        self.assertEqual(self.receiver.datagrams(), [b"good"])

    def test_oneTurnIsBoundedInBytes(self) -> None:
        """
        A port that gets 64 KiB with each message asks for few, and for more only
        little by little when they are short again.
        """
        long = Message(bytes(64400), segment=1400)
        self.receive(*[long] * 100)
        self.assertLessEqual(max(self.kernel.asked), 8)
        self.assertEqual(self.kernel.asked[-1], 4)
        self.kernel.asked.clear()
        self.receive(*[Message(bytes(100))] * 400)
        self.assertEqual(self.kernel.asked[:5], [4, 8, 16, 32, 64])
        self.assertEqual(max(self.kernel.asked), 64)
        self.receive(*[Message(bytes(9000))] * 100)
        self.assertEqual(self.kernel.asked[-1], 29)
        self.receive(*[Message(bytes(100))] * 400)
        self.receive(*[long] * 5)  # fewer than asked for
        self.receive(long, long)
        self.assertEqual(self.kernel.asked[-2:], [64, 4])

    def test_errorOfReceivingIsPassedOver(self) -> None:
        """
        It was about a datagram sent before; what comes behind it is delivered.
        """
        for number in (errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.EINTR, errno.EAGAIN):
            for _ in range(300):
                self.receive(trouble(number))
        self.receive(trouble(errno.ECONNREFUSED), Message(b"fine"))
        self.assertEqual(self.receiver.trains, [(Train(4, b"fine"), ("10.0.0.1", 7000))])
        self.assertEqual(self.receiver.lost, [])

    def test_portThatDoesNothingButFailIsGivenUp(self) -> None:
        """
        After a hundred turns, also a quiet one; those before something came are forgiven.
        """
        for _ in range(20):
            for _ in range(99):
                self.receive(trouble(errno.ENOTCONN))
            self.receive(Message(b"fine"))
        self.assertEqual(self.receiver.lost, [])
        for _ in range(20):
            self.receive(Message(b"lone"))
        self.receive(*[trouble(errno.ENOTCONN)] * 3, Message(b"alone"), *[trouble(errno.ENOTCONN)] * 98)
        self.assertEqual(self.receiver.lost, [])
        self.receive(Message(b"fine"), Message(b"fine"))
        for _ in range(100):
            self.assertEqual(self.receiver.lost, [])
            self.receive(trouble(errno.ENOTCONN))
        self.assertEqual(len(self.receiver.lost), 1)
        self.assertTrue(self.socket.closed)
        self.assertEqual(self.reactor.getReaders(), [])

    def test_kernelThatRefusesBatchesIsAskedForOneByOne(self) -> None:
        """
        As a sandbox does, and some emulators: nothing is lost, nobody is given up, and
        it is said once for all sockets.
        """
        for number in (errno.ENOSYS, errno.EPERM):
            self.kernel.batchTrouble = number
            self.context = PortContext(self.reactor, self.drops)
            self.receiver.trains.clear()
            with capturedLogs() as events:
                for _ in range(2):
                    self.open()
                    self.kernel.asked.clear()
                    self.kernel.waiting.extend([Message(b"abc")] * 300)
                    for _ in range(301):
                        self.port.doRead()
                    self.assertEqual(self.kernel.asked, [8] + [-1] * 300)
            self.assertEqual([train for train, _ in self.receiver.trains], [Train(3, b"abc")] * 600)
            (line,) = [formatEvent(event) for event in events if event["log_level"] >= LogLevel.info]
            self.assertEqual(
                line, f"recvmmsg is not to be had here ({os.strerror(number)}): datagrams are received one by one"
            )
        self.assertEqual(self.receiver.lost, [])

    def test_portWithoutBatchesIsStillGivenUpWhenItDoesNothingButFail(self) -> None:
        self.kernel.batchTrouble = errno.ENOSYS
        self.kernel.waiting.extend([Message(b"fine"), *[trouble(errno.EPERM)] * 200])
        for _ in range(101):
            self.port.doRead()
        self.assertEqual((self.receiver.datagrams(), self.receiver.lost), ([b"fine"], []))
        self.port.doRead()
        self.assertEqual(len(self.receiver.lost), 1)

    def test_closedPortReadsNothing(self) -> None:
        """
        Its number may be another's by now.
        """
        self.receiver.stopListening()
        self.port.doRead()
        self.assertEqual(self.kernel.asked, [])

    def test_portClosedByItsReceiverDeliversNoMore(self) -> None:
        """
        Nothing of the other sources, though it has been read.
        """
        calls: list[tuple[list[Train], Address]] = []

        def closePort(trains: list[Train], source: Address) -> None:
            calls.append((trains, source))
            self.receiver.stopListening()

        self.patch(self.receiver, "trainsReceived", closePort)
        self.receive(*(Message(b"any", nameOf(number)) for number in range(3)))
        self.assertEqual(len(calls), 1)

    def test_emptyOnesTeachNothing(self) -> None:
        for data in (b"", b"", b"abc", b"", b"abcd"):
            self.receive(*[Message(data)] * 8)
        self.assertEqual(
            [len(datagram) for datagram in self.receiver.datagrams()], [0] * 16 + [3] * 8 + [0] * 8 + [4] * 8
        )

    def test_loneDatagramPassesOneFrameEitherWay(self) -> None:
        """
        Of a quiet port, and none for what the reactor asks before it has the port read.
        """
        self.receive(Message(b"lone"))
        self.kernel.waiting.append(Message(b"lone"))
        frames: list[str] = []

        def note(frame: FrameType, event: str, _: object) -> None:
            if event == "call" and frame.f_globals.get("__package__") == "uotp.udp":
                frames.append(frame.f_code.co_name)

        sys.setprofile(note)
        try:
            self.port.fileno()
            self.port.logPrefix()
            self.port.doRead()
            self.receiver.sendTrains([Train(4, b"back")], THERE)
        finally:
            sys.setprofile(None)
        self.assertEqual((self.kernel.asked, frames), ([8, -1], ["doRead", "sendTrains"]))
        self.assertEqual((self.receiver.datagrams(), self.socket.sent), ([b"lone"] * 2, [b"back"]))

    def test_withoutCoalescingItWorksToo(self) -> None:
        self.open(unknown=[abi.UDP_GRO])
        self.receive(Message(b"a"), Message(b"b"))
        self.assertEqual(self.receiver.datagrams(), [b"a", b"b"])


@skipUnless(LINUX, "only Linux has UDP_SEGMENT")
class LinuxPortSendingTests(LinuxPortTestCase):
    """
    Trains go with one call each, or else datagram by datagram.
    """

    def send(self, train: Train, destination: Address = THERE) -> list[str]:
        """
        Send a train.

        @return: the lines that are logged.
        """
        with capturedLogs() as events:
            self.port.sendTrains([train], destination)
        return [formatEvent(event) for event in events if event["log_level"] >= LogLevel.info]

    def arrived(self) -> list[bytes]:
        """
        @return: what has been sent, either way.
        """
        found = [datagram for train, _ in self.socket.trains for datagram in cut(train)] + self.socket.sent
        self.socket.trains, self.socket.sent = [], []
        return found

    def test_trainGoesWithOneCall(self) -> None:
        train = Train(1000, numbered(4500))
        self.port.sendTrains([train, Train(3, b"abc"), Train(0, b"")], THERE)
        self.assertEqual(self.socket.trains, [(train, THERE)])
        self.assertEqual(self.socket.sent, [b"abc", b""])

    def test_longTrainGoesInAsFewCallsAsTheKernelAllows(self) -> None:
        for segment, size, trains, alone in (
            (3, 3 * 128, 2, 0),
            (3, 3 * 128 + 2, 2, 1),
            (3, 3 * 130, 3, 0),
            (1400, 1400 * 46, 1, 0),
            (1400, 1400 * 47, 1, 1),
            (1400, 1400 * 48, 2, 0),
        ):
            train = Train(segment, numbered(size))
            self.assertEqual(self.send(train), [])
            self.assertEqual((len(self.socket.trains), len(self.socket.sent)), (trains, alone))
            self.assertEqual(self.arrived(), cut(train))

    def test_datagramsThatFillATrainGoAlone(self) -> None:
        train = Train(40000, numbered(100000))
        self.assertEqual(self.send(train), [])
        self.assertEqual((self.socket.attempts, self.arrived()), (0, cut(train)))

    def test_socketThatCannotNeverTriesAgain(self) -> None:
        """
        Its device does not count checksums; every datagram goes, and it is said once for all sockets.
        """
        self.socket.trainTrouble = {0: errno.EIO}
        train = Train(1000, numbered(4500))
        (line,) = self.send(train)
        self.assertIn("one by one", line)
        self.assertEqual(self.send(train, ELSEWHERE), [])
        self.assertEqual(self.socket.attempts, 1)
        self.assertEqual(self.arrived(), 2 * cut(train))
        self.open()
        self.socket.trainTrouble = {0: errno.EIO}
        self.assertEqual(self.send(train), [])
        self.assertEqual(dict(self.drops.totals), {})

    def test_kernelThatDoesNotKnowItIsNotAsked(self) -> None:
        """
        It would send the train as one datagram.
        """
        with capturedLogs() as events:
            self.open(unknown=[103])
            self.open(unknown=[103])
        self.assertEqual(len(events), 1)
        train = Train(1000, numbered(4500))
        self.assertEqual(self.send(train), [])
        self.assertEqual((self.socket.attempts, self.arrived()), (0, cut(train)))

    def test_lengthThatThePathDoesNotTakeGoesAlone(self) -> None:
        """
        It and longer ones, to that destination; to others, and shorter ones, trains go on.  That is said once.
        """
        for number in (errno.EMSGSIZE, errno.EINVAL):
            self.open()
            self.socket.trainTrouble = {1400: number, 1300: number}
            lines = self.send(Train(1400, numbered(4500)))
            lines += self.send(Train(1300, numbered(4500)))
            self.assertEqual(self.socket.attempts, 2)
            for segment, attempts in ((1400, 0), (1300, 0), (1399, 0), (1500, 0), (1299, 1)):
                self.socket.attempts = 0
                lines += self.send(Train(segment, numbered(4500)))
                self.assertEqual((segment, self.socket.attempts), (segment, attempts))
            alone = [1400, 1300, 1400, 1300, 1399, 1500]
            self.assertEqual(self.socket.sent, self.allOf(alone))
            self.assertEqual(self.arrived(), self.allOf([1299, *alone]))
            self.assertEqual(len(lines), number == errno.EMSGSIZE)
            self.socket.attempts = 0
            self.send(Train(1400, numbered(4500)), ELSEWHERE)
            self.assertEqual(self.socket.attempts, 1)

    def test_aPathOfIPv4IsToldAsSuch(self) -> None:
        """
        Also where the port is for both families.
        """
        self.socket.trainTrouble = {1400: errno.EMSGSIZE}
        (line,) = self.send(Train(1400, numbered(4500)), ("::ffff:192.0.2.2", 9, 0, 0))
        self.assertIn("longer than the path to 192.0.2.2 carries", line)

    def allOf(self, segments: Sequence[int]) -> list[bytes]:
        """
        @return: the datagrams of trains of 4500 bytes.
        """
        return [datagram for segment in segments for datagram in cut(Train(segment, numbered(4500)))]

    def test_pathsAreForgotten(self) -> None:
        """
        Destinations are chosen by strangers.
        """
        self.socket.trainTrouble = {0: errno.EMSGSIZE}
        for number in range(3 * MAX_PATHS):
            self.port.sendTrains([Train(3, b"abcabc")], ("192.0.2.2", number))
            self.assertLessEqual(len(self.port._sender._limits), MAX_PATHS)
        self.assertEqual(len(self.arrived()), 6 * MAX_PATHS)

    def test_destinationThatIsRefusedTellsNothingOfTrains(self) -> None:
        """
        Port 0 is an invalid argument, whatever is sent there: each datagram is counted, and trains to others go on.
        """
        for number in (errno.EINVAL, errno.EMSGSIZE, errno.EIO, errno.EPERM, errno.ENETUNREACH):
            self.socket.trainTrouble = {0: number}
            self.socket.toSend = [trouble(number)] * 5
            self.drops.totals.clear()
            self.assertEqual(self.send(Train(1000, numbered(4500))), [])
            expected = Drop.TOO_LONG if number == errno.EMSGSIZE else Drop.SEND_REFUSED
            self.assertEqual(self.drops.totals, Counter({expected: 5}))
            self.socket.trainTrouble = {}
            self.socket.attempts = 0
            self.send(Train(1000, numbered(4500)))
            self.assertEqual(self.socket.attempts, 1)

    def test_answerToAnEarlierDatagramCostsNothing(self) -> None:
        """
        The call was not about what it was to send.
        """
        for number in (errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.EPERM):
            train = Train(1000, numbered(4500))
            self.socket.trainTrouble = {0: number}
            self.assertEqual(self.send(train), [])
            self.assertEqual(self.arrived(), cut(train))
            self.socket.trainTrouble = {}
            self.send(train)
            self.assertEqual([sent for sent, _ in self.socket.trains], [train])
            self.arrived()
        self.assertEqual(dict(self.drops.totals), {})

    def test_errorOfAnEarlierDatagramIsTold(self) -> None:
        """
        The kernel keeps it, with the address; what was to be sent now is sent.
        """
        self.socket.toSend = [trouble(errno.ECONNREFUSED)]
        self.socket.complaints.extend([(errno.ECONNREFUSED, ELSEWHERE), (errno.EHOSTUNREACH, THERE)])
        self.port.sendTrains([Train(4, b"lone")], THERE)
        self.assertEqual(self.receiver.refusals, [(ELSEWHERE, errno.ECONNREFUSED), (THERE, errno.EHOSTUNREACH)])
        self.assertEqual((self.arrived(), dict(self.drops.totals)), ([b"lone"], {}))

    def test_errorsThatAreAllThatComesCostNoPort(self) -> None:
        """
        The reactor takes them for the end of a connection.  A paused port stays paused.
        """
        for isPaused in (False, True):
            self.reactor.removeAll()
            if isPaused:
                self.port.pauseProducing()
            self.socket.complaints.append((errno.ECONNREFUSED, THERE))
            self.port.connectionLost(Failure(ConnectionDone()))
            self.assertEqual(self.reactor.getReaders(), [] if isPaused else [self.port])
        self.assertEqual((len(self.receiver.refusals), self.receiver.lost), (2, []))

    def test_errorsAreTakenNoMoreThanABoundInATurn(self) -> None:
        self.socket.complaints.extend([(errno.ECONNREFUSED, THERE)] * 1000)
        self.port.connectionLost(Failure(ConnectionDone()))
        self.assertEqual((len(self.socket.complaints), len(self.receiver.refusals)), (1000 - MAX_ERRORS, 1))

    def test_sharedPortHearsOfNone(self) -> None:
        """
        It sends to many, who come and go.
        """
        self.share()
        self.socket.complaints.append((errno.ECONNREFUSED, THERE))
        self.socket.toSend = [trouble(errno.EPERM)]
        self.port.sendTrains([Train(4, b"lone")], THERE)
        self.assertEqual((len(self.socket.complaints), dict(self.drops.totals)), (1, {Drop.SEND_REFUSED: 1}))
        self.assertEqual(self.receiver.refusals, [(THERE, errno.EPERM)])

    def test_whatIsNotSentIsCountedInBytes(self) -> None:
        self.socket.toSend = [trouble(errno.ENETUNREACH)]
        self.port.sendTrains([Train(4, b"lone")], THERE)
        self.assertEqual(self.receiver.unsentBytes, 4)

    def test_fullBufferIsNotTriedAgain(self) -> None:
        for number in (errno.EAGAIN, errno.ENOBUFS):
            self.drops.totals.clear()
            self.socket.trainTrouble = {1000: number}
            self.port.sendTrains([Train(1000, numbered(4500)), Train(900, numbered(4500))], THERE)
            self.assertEqual(self.drops.totals, Counter({Drop.SEND_BUFFER_FULL: 5}))
            self.assertEqual(self.arrived(), cut(Train(900, numbered(4500))))


class BufferWarningTests(SynchronousTestCase):
    """
    A user whose system gives little hears of it.
    """

    def linesOf(self, given: int, wanted: int = 4 << 20) -> list[str]:
        """
        @return: what three sockets of one opener make it say.
        """
        self.patch(sys.modules["uotp.udp.base"], "enlargeUdpBuffers", lambda *_: given)
        context = PortContext(MemoryReactorClock(), Drops(), wanted)
        untyped: Any = None
        with capturedLogs() as events:
            for _ in range(3):
                context.enlarge(untyped)
        self.assertEqual({event["log_level"] for event in events}, {LogLevel.warn} if events else set())
        return [formatEvent(event) for event in events]

    def test_tooLittleIsSaidOnce(self) -> None:
        (line,) = self.linesOf(212992)
        self.assertIn("212992 bytes of buffer instead of 4194304", line)
        self.assertIn("udpBuffer 212992", line)
        if LINUX:
            self.assertIn("sysctl -w net.core.rmem_max=4194304 net.core.wmem_max=4194304", line)

    def test_enoughIsNotWorthALine(self) -> None:
        self.assertEqual(self.linesOf(4 << 20), [])
        self.assertEqual(self.linesOf(5 << 20), [])


class ChoiceTests(SynchronousTestCase):
    """
    See who gets which port.
    """

    def chosen(self) -> Any:
        """
        @return: the kind that would be opened.
        """
        opener: Any = datagramPortOpener(MemoryReactorClock(), Drops(), 1 << 20)
        self.assertIs(opener.func, openPort)
        return opener.args[0]

    @skipUnless(LINUX, "others have no such port")
    def test_linuxHasItsOwn(self) -> None:
        self.assertIs(self.chosen(), anyaddress.linuxPort)

    def test_withoutWhatThatNeedsItIsThePortableOne(self) -> None:
        with capturedLogs() as events, patch.dict(sys.modules, {"uotp.udp.anyaddress": None}):
            self.assertIs(self.chosen(), PortableDatagramPort)
        self.assertEqual(events, [])

    def test_reactorThatWatchesNoDescriptorsHasAPortOfItsOwn(self) -> None:
        opener: Any = datagramPortOpener(Clock(), Drops(), 1 << 20)
        self.assertIs(opener.func, openTwistedPort)
