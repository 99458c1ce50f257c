"""
The ends on UDP: protocols of Twisted that take and send whole trains.

Our ports hand such a protocol whole trains, and it sends whole trains through them.  Any
other transport for UDP drives it datagram by datagram, as usual in Twisted.  Twisted's own
port differs from ours in three ways, which are evened out here: it gives an IPv6 source
without flow and scope, it still delivers in the turn in which it was closed, and it raises
errors that concern one datagram.
"""

from __future__ import annotations

from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.error import InvalidAddressError, MessageLengthError
from twisted.internet.protocol import DatagramProtocol

from uotp.boundaries import Address, Allowance
from uotp.process import Unlimited
from uotp.telemetry import Drop, Drops, Logger
from uotp.train import Train, cut
from uotp.udp.base import countNotSent, tellNotSent

WITHOUT_SCOPE = (0, 0)
"""The flow and the scope that an IPv6 address gets when its transport tells none."""

STOPPED = "its transport has stopped"
"""The reason why a port was lost that is not ours, and tells none."""


class SendTrains(Protocol):
    """
    Sends each datagram of some trains; what cannot be sent is counted.
    """

    def __call__(self, trains: list[Train], destination: Address) -> None:
        """
        See L{uotp.boundaries.DatagramPort.sendTrains}.
        """


class TrainProtocol(DatagramProtocol):
    """
    Takes and sends whole trains, on any transport for UDP.  It outlives its port: when that
    is lost, another may be opened for it.

    @ivar allowance: of whom the port is for.  While it is spent, a port of ours reads nothing.
    @ivar unsentBytes: payload that could not be sent.
    @ivar sendTrains: sends trains to an address; without a transport it does nothing.  It
        is another one with each transport, so whoever keeps it takes it anew in
        C{startProtocol}.
    """

    noisy = False
    _log = Logger()

    def __init__(self, drops: Drops) -> None:
        """
        @param drops: where what cannot be sent is counted.
        """
        self._drops = drops
        self.allowance: Allowance = Unlimited()
        self.unsentBytes = 0
        self.sendTrains: SendTrains = sendNothing
        self._stopping = False
        self._reason = STOPPED
        self._kernelDrops = 0  # of the port that is open, as far as they have been counted

    def trainsReceived(self, trains: list[Train], source: Address) -> None:
        """
        See L{uotp.boundaries.DatagramReceiver}.
        """
        raise NotImplementedError

    def routeFailed(self) -> None:
        """
        See L{uotp.boundaries.DatagramReceiver}.  Only a port that is bound to one address of
        several needs to know.
        """

    def refused(self, destination: Address, number: int) -> None:
        """
        See L{uotp.boundaries.DatagramReceiver}.  Only whoever can send elsewhere needs to know.
        """

    def portLost(self, reason: str) -> None:
        """
        The port is gone, though we did not close it.
        """
        raise NotImplementedError

    def makeConnection(self, transport: Any) -> None:
        """
        A port is open: send through it from now on.
        """
        self._stopping = False
        self._reason = STOPPED
        self._kernelDrops = 0
        self.sendTrains = getattr(transport, "sendTrains", self._writeEach)
        super().makeConnection(transport)

    def stopListening(self) -> Deferred[None] | None:
        """
        Close the port, if there is one.  Nothing is sent or received any more.

        @return: fires when the port is closed; L{None} when it is closed already.
        """
        if self.transport is None or self._stopping:
            return None
        self.countKernelDrops()
        self._stopping = True
        self.sendTrains = sendNothing
        return self.transport.stopListening()

    def countKernelDrops(self) -> None:
        """
        Count what the kernel has dropped since this was done last, because too much waited to be read.  Nobody tells
        us of that: the kernel has to be asked.
        """
        ask = None if self._stopping else getattr(self.transport, "statistics", None)
        told = None if ask is None else ask().kernelDrops
        if told is not None and told > self._kernelDrops:
            self._drops.count(Drop.RECEIVE_BUFFER_FULL, told - self._kernelDrops)
            self._kernelDrops = told

    def stopProtocol(self) -> None:
        """
        The port is closed.
        """
        self.sendTrains = sendNothing
        if not self._stopping:
            self.portLost(self._reason)

    def transportFailed(self, reason: str) -> None:
        """
        See L{uotp.boundaries.DatagramReceiver}.
        """
        self._reason = reason
        self.doStop()

    def datagramReceived(self, datagram: bytes, addr: Address) -> None:
        """
        A transport that knows no trains has received a datagram.
        """
        if not self._stopping:
            source = (*addr[:2], *(addr[2:] or WITHOUT_SCOPE)) if ":" in addr[0] else addr
            self.trainsReceived([Train(len(datagram), datagram)], source)

    def _writeEach(self, trains: list[Train], destination: Address) -> None:
        transport: Any = self.transport
        if transport is None or self._stopping:
            return
        for train in trains:
            for datagram in cut(train):
                try:
                    transport.write(datagram, destination)
                except MessageLengthError:
                    self._drops.count(Drop.TOO_LONG)
                except InvalidAddressError:
                    self._drops.count(Drop.SEND_REFUSED)
                except OSError as error:
                    countNotSent(self._drops, self._log, error)
                    tellNotSent(self, error, datagram, destination)


def sendNothing(trains: list[Train], destination: Address) -> None:
    """
    Do nothing, for a protocol that has no transport.
    """
