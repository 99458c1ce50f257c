"""
A protocol that takes trains, on a transport that knows none.
"""

from __future__ import annotations

import errno
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import InvalidAddressError, MessageLengthError
from twisted.internet.interfaces import IUDPTransport
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.doubles.udp import Receiver
from tests.doubles.udpsockets import THERE, DatagramTransport, trouble
from uotp.telemetry.drops import Drop, Drops
from uotp.train import Train
from uotp.udp.statistics import PortStatistics


class TrainProtocolTests(SynchronousTestCase):
    """
    What Twisted's own port does otherwise than ours is put right.
    """

    def setUp(self) -> None:
        self.drops = Drops()
        self.transport = DatagramTransport()
        verifyObject(IUDPTransport, self.transport)
        self.protocol = Receiver(self.drops)
        self.protocol.makeConnection(self.transport)

    def test_datagramsAreTrainsOfOne(self) -> None:
        for datagram in (b"some", b""):
            self.protocol.datagramReceived(datagram, THERE)
        self.assertEqual(self.protocol.calls, [([Train(4, b"some")], THERE), ([Train(0, b"")], THERE)])

    def test_sourcesAreNamedAsTheSocketModuleNamesThem(self) -> None:
        for told, named in (
            (("192.0.2.1", 9), ("192.0.2.1", 9)),
            (("2001:db8::1", 9), ("2001:db8::1", 9, 0, 0)),
            (("fe80::1", 9, 5, 3), ("fe80::1", 9, 5, 3)),
        ):
            self.protocol.datagramReceived(b"x", told)
            self.assertEqual(self.protocol.trains[-1][1], named)

    def test_trainsAreWrittenDatagramByDatagram(self) -> None:
        self.protocol.sendTrains([Train(2, b"aabbc"), Train(0, b""), Train(9, b"lone")], THERE)
        self.assertEqual(self.transport.written, [(each, THERE) for each in (b"aa", b"bb", b"c", b"", b"lone")])

    def test_whatCannotBeSentIsCountedAndTheRestGoes(self) -> None:
        """
        Nothing is raised: who sends may just be taking what a tunnel has brought.
        """
        for wrong, drop in (
            (MessageLengthError("message too long"), Drop.TOO_LONG),
            (trouble(errno.EMSGSIZE), Drop.TOO_LONG),
            (trouble(errno.EPERM), Drop.SEND_REFUSED),
            (trouble(errno.ENETUNREACH), Drop.SEND_REFUSED),
            (InvalidAddressError("::1", "IPv4 port write() called with IPv6 address"), Drop.SEND_REFUSED),
            (trouble(errno.EAGAIN), Drop.SEND_BUFFER_FULL),
            (trouble(errno.ENOBUFS), Drop.SEND_BUFFER_FULL),
        ):
            self.drops.totals.clear()
            self.transport.written.clear()
            self.transport.toWrite = [None, wrong, None]
            self.protocol.sendTrains([Train(3, b"onetwosix")], THERE)
            self.assertEqual((wrong, dict(self.drops.totals)), (wrong, {drop: 1}))
            self.assertEqual(self.transport.written, [(b"one", THERE), (b"six", THERE)])

    def test_whatTheKernelDropsIsCountedOnce(self) -> None:
        """
        It is asked when somebody wants to know, and when the port is closed; another port begins anew.
        """
        here = IPv4Address("UDP", "127.0.0.1", 9)
        for port in (1, 2):
            transport: Any = DatagramTransport()
            self.protocol.transport = None
            self.protocol.makeConnection(transport)
            self.protocol.countKernelDrops()
            for told, total in ((None, 0), (0, 0), (5, 5), (5, 5), (7, 7)):
                transport.statistics = lambda told=told: PortStatistics(here, kernelDrops=told)
                self.protocol.countKernelDrops()
                self.assertEqual(self.drops.totals[Drop.RECEIVE_BUFFER_FULL], total + 9 * (port - 1))
            transport.statistics = lambda: PortStatistics(here, kernelDrops=9)
            self.protocol.stopListening()
            self.assertEqual(self.drops.totals[Drop.RECEIVE_BUFFER_FULL], 9 * port)
            self.protocol.countKernelDrops()

    def test_transportThatStopsUnaskedIsLost(self) -> None:
        send = self.protocol.sendTrains
        self.protocol.doStop()
        self.assertEqual(self.protocol.lost, ["its transport has stopped"])
        for each in (send, self.protocol.sendTrains):
            each([Train(4, b"late")], THERE)
        self.assertEqual((self.transport.written, dict(self.drops.totals)), ([], {}))

    def test_nothingHappensBetweenTheStopAndTheEnd(self) -> None:
        """
        Twisted goes on to deliver what came in the same turn, and closes in the next.
        """
        send = self.protocol.sendTrains
        done = self.protocol.stopListening()
        self.assertIs(done, self.transport.stopped)
        self.assertIsNone(self.protocol.stopListening())
        self.protocol.datagramReceived(b"late", THERE)
        for each in (send, self.protocol.sendTrains):
            each([Train(4, b"late")], THERE)
        self.protocol.doStop()
        self.assertIsNone(self.protocol.stopListening())
        self.assertEqual((self.transport.written, self.protocol.calls, self.protocol.lost), ([], [], []))

    def test_nextTransportBeginsAnew(self) -> None:
        """
        Whether the one before was closed, or lost for a reason that was told.
        """
        self.protocol.stopListening()
        self.protocol.doStop()
        for reason in ("it broke", "its transport has stopped"):
            transport = DatagramTransport()
            self.protocol.makeConnection(transport)
            self.protocol.sendTrains([Train(4, b"here")], THERE)
            self.protocol.datagramReceived(b"there", THERE)
            self.assertEqual(transport.written, [(b"here", THERE)])
            if reason == "it broke":
                self.protocol.transportFailed(reason)
            else:
                self.protocol.doStop()
            self.assertEqual(self.protocol.lost[-1], reason)
        self.assertEqual((len(self.protocol.calls), len(self.protocol.lost)), (2, 2))
