"""
The contract of a channel, held by real sockets.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet import reactor as globalReactor
from twisted.trial.unittest import SynchronousTestCase

from bench.rig.programs import HANG_SECONDS
from tests.doubles.channelcontract import ChannelContract
from tests.doubles.channels import KINDS, SMALL, ChannelDiarist
from uotp.workers.channel import Channel, adoptChannel
from uotp.workers.limits import ChannelLimits
from uotp.workers.messages import MessageTable

reactor: Any = globalReactor

TURN_SECONDS = 0.002
"""How long a turn waits for something to happen."""


class SocketChannelTests(ChannelContract, SynchronousTestCase):
    """
    Speak over a pair of sockets.
    """

    def setUp(self) -> None:
        self.here, self.there = ChannelDiarist(), ChannelDiarist()

    def connect(
        self, kinds: Sequence[type] = KINDS, hereKinds: Sequence[type] = KINDS, limits: ChannelLimits = SMALL
    ) -> None:
        one, two = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        for owner, name, known, end in ((self.here, "there", hereKinds, one), (self.there, "here", kinds, two)):
            owner.channel = Channel(name, owner, MessageTable(*known), reactor, limits)
            adoptChannel(reactor, end.detach(), owner.channel)
        self.addCleanup(self.end)

    def end(self) -> None:
        """
        Close both ends.
        """
        for owner in (self.here, self.there):
            owner.channel.abort()
            owner.closeTaken()
        self.settleUntil(lambda: self.here.ends and self.there.ends)
        self.assertEqual((len(self.here.ends), len(self.there.ends)), (1, 1))

    def turn(self) -> None:
        reactor.iterate(TURN_SECONDS)

    def settleUntil(self, condition: Callable[[], object]) -> None:
        end = time.monotonic() + HANG_SECONDS
        while not condition() and time.monotonic() < end:
            self.turn()

    def test_socketThatCannotBeUsedIsClosed(self) -> None:
        """
        Such as one that is none.
        """
        readable, writable = os.pipe()
        self.addCleanup(os.close, writable)
        owner = ChannelDiarist()
        channel = Channel("there", owner, MessageTable(), reactor, SMALL)
        self.assertRaises(OSError, adoptChannel, reactor, readable, channel)
        self.assertRaises(OSError, os.fstat, readable)
        self.assertRaises(OSError, adoptChannel, reactor, readable, channel)
