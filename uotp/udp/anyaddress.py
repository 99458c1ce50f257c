"""
A UDP port for Linux that is bound to no address and shared by many sources: it answers each
source from the address of ours to which that sends.
"""

from __future__ import annotations

import socket
import sys
from contextlib import suppress
from functools import partial
from ipaddress import IPv6Address
from typing import Any

from uotp.boundaries import Address, DatagramReceiver
from uotp.net import Host
from uotp.telemetry import Drop
from uotp.train import Train, couple
from uotp.udp.abi import CUT_OFF, UDP_GRO
from uotp.udp.addressed import addressedBatchesFor
from uotp.udp.base import PortContext
from uotp.udp.linux import LinuxDatagramPort
from uotp.udp.ownaddress import KINDS, MAX_CONTROL_BYTES, askForOwnAddress, sourceOf, withoutOwn, withOwn


class AnyAddressPort(LinuxDatagramPort):
    """
    Tells our own address with each source, and sends from it.  A destination without one is
    sent to from the address that the kernel chooses.
    """

    controlBytes = MAX_CONTROL_BYTES
    addressOf = staticmethod(sourceOf)

    @staticmethod
    def beforeBind(udpSocket: socket.socket) -> None:
        """
        See L{uotp.udp.base.SocketPort.beforeBind}.
        """
        with suppress(OSError):  # the kernel then chooses where answers come from
            askForOwnAddress(udpSocket)

    def _prepare(self) -> None:
        super()._prepare()
        self._receiveBatch = addressedBatchesFor(self._socket.family).receive
        self._sendmsg = self._socket.sendmsg
        self._sendto = partial(sendFromOwn, self._socket)

    def sendTrains(self, trains: list[Train], destination: Address) -> None:
        """
        See L{uotp.boundaries.DatagramPort}.
        """
        own = destination[-1]
        if own.__class__ is not bytes:
            super().sendTrains(trains, destination)
            return
        if not self.connected:
            return
        control, remote = ((*KINDS[len(own)], own),), destination[:-1]
        for train in trains:
            segment, payload = train
            if len(payload) <= segment:
                try:
                    self._sendmsg((payload,), control, 0, remote)
                except OSError as error:
                    self._notSent(error, payload, destination)
            else:
                self._sender.send(train, destination)

    def _oneReceived(self, data: bytes, control: list[Any], flags: int, source: Address) -> None:
        """
        Hand on a message that was read alone, with our own address, or count one that was cut off.
        """
        if flags & CUT_OFF:
            self._drops.count(Drop.CUT_OFF)
            return
        level, kind, told = control[0]
        isJoined = (level, kind) == (socket.IPPROTO_UDP, UDP_GRO)
        trains = couple([(data, int.from_bytes(told, sys.byteorder))]) if isJoined else [Train(len(data), data)]
        self._protocol.trainsReceived(trains, withOwn(source, control[-1]))


def sendFromOwn(udpSocket: socket.socket, datagram: bytes, destination: Address) -> None:
    """
    Send a datagram, from the address of ours that the destination tells, if it tells one.

    @raise OSError: when it cannot be sent.
    """
    remote, control = withoutOwn(destination)
    udpSocket.sendmsg((datagram,), control, 0, remote)


def linuxPort(context: PortContext, bindAddress: Address, protocol: DatagramReceiver) -> LinuxDatagramPort:
    """
    @return: the port for an address, which is not open yet.
    """
    return kindFor(context, bindAddress)(context, bindAddress, protocol)


def kindFor(context: PortContext, bindAddress: Address) -> type[LinuxDatagramPort]:
    """
    @return: the kind of port for an address.  To whom a port belongs that is not shared, he sends from
        one address anyway.
    """
    address = Host.parse(bindAddress[0]).address
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address
    isForAny = context.shared and address is not None and address.is_unspecified
    return AnyAddressPort if isForAny else LinuxDatagramPort
