"""
A UDP port that receives and sends in batches, for Linux.
"""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from twisted.logger import LogLevel

from uotp.boundaries import Address
from uotp.telemetry import Drop
from uotp.train import TakeTrains, Train, couple
from uotp.udp.abi import CONTROL_BYTES, CUT_OFF, UDP_GRO, addressOf
from uotp.udp.base import ERRORS_OF_DATAGRAMS, SEND_DROPS, SocketPort
from uotp.udp.buffers import BYTES_PER_TURN, FIRST_MESSAGES, FIRST_SLOT_BYTES, MAX_MESSAGE_BYTES, messagesAfter
from uotp.udp.errorqueue import ErrorQueue
from uotp.udp.gso import SegmentSender
from uotp.udp.recvmmsg import batchesFor
from uotp.udp.sideport import SidePorts
from uotp.udp.statistics import PortStatistics

KEPT_BYTES = 832
"""
The kernel counts about so much for a message beside its bytes.  A read that brings half of what
it keeps is full too: a small buffer never holds as many messages as a read may bring.
"""

MESSAGES_PER_UNIT = 4
"""To read so many messages in one batch takes as long as a unit stands for, see L{uotp.process.turns}."""

MAX_LONE_TURNS = 8
"""
A quiet port reads one datagram alone so many times before it asks again for a batch.  That
takes a third less time where the processor's caches are cold, and shortens the round trip.
A burst is noticed after so many turns at the latest.
"""

REFUSALS_OF_BATCHES = {errno.ENOSYS, errno.EPERM}
"""Errors of recvmmsg under an emulator or in a sandbox that does not let us call it."""


class LinuxDatagramPort(SocketPort):
    """
    Reads many datagrams with one system call, and sends whole trains with one.

    @cvar controlBytes: how much the control messages of one message take.
    @cvar addressOf: reads a source as a batch tells it.
    """

    controlBytes = CONTROL_BYTES
    addressOf: Callable[[bytes], Address] = staticmethod(addressOf)

    def _prepare(self) -> None:
        with suppress(OSError):  # the kernel then gives us each datagram alone
            self._socket.setsockopt(socket.IPPROTO_UDP, UDP_GRO, 1)
        self._descriptor = self._socket.fileno()
        self._receiveOne = self._socket.recvmsg
        self._receiveBatch = batchesFor(self._socket.family).receive
        self._expected = FIRST_SLOT_BYTES
        self._most = FIRST_MESSAGES
        self._loneTurns = self._lonelyTurns = 0
        self._wasFull = False
        self._much = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2
        self._sender = SegmentSender(self._socket, self._context, self._sendEach)
        # Who shares a port between many sources has no use for what becomes of what each is sent.
        self._errors = None if self._context.shared else ErrorQueue(self._socket)
        self._sides = (
            None
            if self._intake is None
            else SidePorts(self._context, self._protocol, self._intake, self._receiveBatch, self._host, self.addressOf)
        )

    def _close(self) -> None:
        if self._sides is not None:
            self._sides.stop()
            self._sides = None
        super()._close()
        self._errors = None
        del self._sender  # which knows this port, and with it would be left to the garbage collector

    def sendTrains(self, trains: list[Train], destination: Address) -> None:
        """
        See L{uotp.boundaries.DatagramPort}.  A lone datagram goes straight to the socket.
        """
        if not self.connected:
            return
        for train in trains:
            segment, payload = train
            if len(payload) <= segment:
                try:
                    self._sendto(payload, destination)
                except OSError as error:
                    self._trySending(error, payload, destination)
            else:
                self._sender.send(train, destination)

    def connectTo(self, destination: Address) -> TakeTrains:
        """
        See L{uotp.boundaries.DatagramPort}.
        """
        super().connectTo(destination)
        self._sender.isConnected = True
        self._peer = destination
        return self._sendToPeer

    def _sendToPeer(self, trains: list[Train]) -> None:
        """
        Send trains on a connected socket, which knows the way already.
        """
        if not self.connected:
            return
        for train in trains:
            segment, payload = train
            if len(payload) <= segment:
                try:
                    self._send(payload)
                except OSError:  # maybe of a datagram before
                    self._sendEach((payload,), self._peer)
            else:
                self._sender.send(train, self._peer)

    def doRead(self) -> None:
        """
        Read what has come, no more than a bound, and hand it on in trains.  No second system
        call asks whether something is left: the reactor tells that.
        """
        allowance = self._protocol.allowance
        if allowance.isSpent or allowance.owner.isExhausted or not self.connected:
            self._readLater()
            return
        if not self._loneTurns:
            self._readBatch()
            return
        allowance.left -= 1
        if allowance.left < 0:
            allowance.overdraw()
        self._loneTurns -= 1
        try:
            data, control, flags, source = self._receiveOne(MAX_MESSAGE_BYTES, self.controlBytes)
        except OSError as error:
            self._failed(error)
            return
        self._uselessTurns = 0
        if control or flags & CUT_OFF:
            self._oneReceived(data, control, flags, source)
        else:
            self._protocol.trainsReceived([Train(len(data), data)], source)

    def _oneReceived(self, data: bytes, control: list[Any], flags: int, source: Address) -> None:
        """
        Hand on a message that was read alone and holds several datagrams, or count one that
        was cut off.
        """
        if flags & CUT_OFF:
            self._drops.count(Drop.CUT_OFF)
        else:
            segment = int.from_bytes(control[0][2], sys.byteorder)
            self._protocol.trainsReceived(couple([(data, segment)]), source)

    def readMore(self) -> bool:
        """
        See L{uotp.udp.crowd.CrowdedPort}.
        """
        self._wasFull = False
        if self.connected:
            self._readBatch()
        return self._wasFull

    def handOn(self, source: Any, trains: list[Train]) -> None:
        """
        See L{uotp.udp.crowd.CrowdedPort}.
        """
        if self.connected:
            self._protocol.trainsReceived(trains, self.addressOf(source))

    def tooMuchOf(self, source: Any) -> None:
        """
        See L{uotp.udp.crowd.CrowdedPort}.
        """
        if self._sides is not None:
            self._sides.give(self._socket, source)

    def statistics(self) -> PortStatistics:
        """
        @return: what the kernel tells of the port; what it has dropped at side sockets counts.
        """
        told = super().statistics()
        if self._sides is None or told.kernelDrops is None:
            return told
        return replace(told, kernelDrops=told.kernelDrops + self._sides.kernelDrops())

    def _readBatch(self) -> None:
        most = self._most
        try:
            count, longest, cutOff, parcels = self._receiveBatch(self._descriptor, self._expected, most)
        except OSError as error:
            self._batchFailed(error)
            return
        self._protocol.allowance.spend(sum(len(trains) for _, trains in parcels) + count // MESSAGES_PER_UNIT)
        self._uselessTurns = 0
        if count == 1:
            self._lonelyTurns = self._loneTurns = min(2 * self._lonelyTurns or 1, MAX_LONE_TURNS)
        else:
            self._lonelyTurns = 0
            self._expected = longest or self._expected
        self._wasFull = full = count == most or count * (longest + KEPT_BYTES) >= self._much
        if count == most or longest * most > BYTES_PER_TURN:
            self._most = messagesAfter(most, longest)
        if cutOff:
            self._drops.count(Drop.CUT_OFF, cutOff)
        intake = self._intake
        if (
            intake is not None
            and (count > 1 or intake.isBusy)
            and parcels
            and intake.wants(parcels[0][0], len(parcels) > 1, full)
        ):
            for name, trains in parcels:
                intake.put(name, trains)
            self._loneTurns = 0
            if not intake.isReading:
                intake.readOn()
            return
        for name, trains in parcels:
            if self.connected:  # whoever got the trains before may have closed us
                self._protocol.trainsReceived(trains, self.addressOf(name))

    def _batchFailed(self, error: OSError) -> None:
        if error.errno not in REFUSALS_OF_BATCHES:
            self._failed(error)
            return
        self._loneTurns = sys.maxsize
        self._context.sayOnce(
            LogLevel.info,
            "recvmmsg is not to be had here ({reason}): datagrams are received one by one",
            reason=error.strerror,
        )

    def _failed(self, error: OSError) -> None:
        if self._errors is not None:
            self._takeErrors()
        if error.errno in {errno.EAGAIN, errno.EINTR}:
            return
        self._log.debug("the UDP port had an error: {reason}", reason=error.strerror)
        if error.errno not in ERRORS_OF_DATAGRAMS:
            self._countUselessTurn()

    def _takeErrors(self) -> bool:
        self._takeQueued()
        return super()._takeErrors() or self._errors is not None

    def _takeQueued(self) -> bool:
        """
        Tell the protocol of the errors that the kernel has kept.

        @return: whether there was any.
        """
        found = {} if self._errors is None else self._errors.take()
        for destination, number in found.items():
            self._protocol.refused(destination, number)
        return bool(found)

    def _trySending(self, error: OSError, datagram: bytes, destination: Address) -> bool:
        """
        Send a datagram again, if the error may be of one before.  Those are kept, and the next
        call fails with them.
        """
        isFull = SEND_DROPS.get(error.errno or 0) is Drop.SEND_BUFFER_FULL
        if not isFull and self._takeQueued():
            try:
                self._sendto(datagram, destination)
            except OSError as another:
                error = another
            else:
                return True
        return super()._trySending(error, datagram, destination)
