"""
The channel between two processes, in memory.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from twisted.internet.interfaces import IFileDescriptorReceiver, IUNIXTransport
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.doubles.channelcontract import ChannelContract
from tests.doubles.channels import KINDS, SMALL, ChannelDiarist, MemoryChannels, Note
from tests.doubles.clocks import TurnClock
from uotp.workers.channel import Channel
from uotp.workers.limits import ChannelLimits
from uotp.workers.messages import MessageTable


class MemoryChannelTests(ChannelContract, SynchronousTestCase):
    """
    Hold the contract, and what can be seen in memory only.
    """

    def setUp(self) -> None:
        self.clock = TurnClock()
        self.here, self.there = ChannelDiarist(), ChannelDiarist()
        self.channels = MemoryChannels(self.clock)

    def connect(
        self, kinds: Sequence[type] = KINDS, hereKinds: Sequence[type] = KINDS, limits: ChannelLimits = SMALL
    ) -> None:
        self.here.channel = Channel("there", self.here, MessageTable(*hereKinds), self.clock, limits)
        self.there.channel = Channel("here", self.there, MessageTable(*kinds), self.clock, limits)
        self.channels.connect(self.here.channel, self.there.channel)
        self.addCleanup(self.end)

    def end(self) -> None:
        """
        Close both ends; no timer is left.
        """
        for owner in (self.here, self.there):
            owner.channel.abort()
            owner.closeTaken()
        self.channels.settle()
        self.assertEqual((len(self.here.ends), len(self.there.ends)), (1, 1))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def turn(self) -> None:
        self.channels.turn()

    def settleUntil(self, condition: Callable[[], object]) -> None:
        for _ in range(400):
            if condition():
                return
            self.turn()

    def test_transportIsWhatTwistedHas(self) -> None:
        self.connect()
        self.assertTrue(verifyObject(IUNIXTransport, self.channels.transports[0]))
        self.assertTrue(verifyObject(IFileDescriptorReceiver, self.here.channel))

    def test_descriptorThatTheKernelDropsCostsItsMessageAndNoOther(self) -> None:
        """
        Nor does any message get what was sent with another.  The log says it, not too often.
        """
        self.connect()

        def act() -> None:
            first = self.give("first")
            self.settleUntil(lambda: self.there.notes)
            self.channels.transports[1].drops = True
            dropped = [self.give(f"dropped {number}") for number in range(3)]
            self.turn()
            self.turn()
            self.channels.transports[1].drops = False
            last = self.give("last")
            self.settleUntil(lambda: "last" in self.there.notes)
            os.write(self.there.taken[0][0], b"first")
            os.write(self.there.taken[-1][0], b"last")
            self.assertEqual((os.read(first, 9), os.read(last, 9)), (b"first", b"last"))
            self.assertTrue(self.isClosed(dropped[0]))

        self.there.expected = 1
        (line,) = self.linesOf(act)
        self.assertTrue(line.startswith("a message of here is left out: 1 of 1 descriptors were lost"), line)
        self.assertEqual(self.there.ends, [])

    def test_descriptorsWithoutMessagesLoseTheChannel(self) -> None:
        """
        As many as nobody sends ahead of a message.
        """
        self.connect()

        def act() -> None:
            for _ in range(66):
                self.there.channel.fileDescriptorReceived(os.open(os.devnull, os.O_RDONLY))

        (line,) = self.linesOf(act)
        self.assertEqual(line, "the channel to here is closed: 65 descriptors came without a message")

    def test_nothingIsReadWhileMuchIsToBeHandled(self) -> None:
        """
        What a worker sends waits with the worker.
        """
        self.connect()
        for _ in range(9):
            for _ in range(1000):
                self.here.channel.send(Note("x"))
        for _ in range(30):
            self.turn()
        handled = len(self.there.notes)
        read = sum(self.channels.transports[1].read)
        self.assertLess(read // (6 + len('["Note",{"text":"x"}]')) - handled, 3000)
