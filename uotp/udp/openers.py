"""
How a UDP port is opened: one of ours, or Twisted's own.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, ISystemHandle

from uotp.boundaries import Address, DatagramReceiver
from uotp.net import SocketGroup, datagramGroup
from uotp.udp.base import PortContext, SocketPort

MAX_PACKET_BYTES = 65536
"""
No datagram is so long.  Twisted's port silently cuts datagrams that are longer than it is
told, and 8192 bytes unless it is told more.
"""


def openPort(
    kind: Callable[[PortContext, Address, DatagramReceiver], SocketPort],
    context: PortContext,
    bindAddress: Address,
    protocol: DatagramReceiver,
) -> SocketPort:
    """
    Open a port of ours; see L{uotp.boundaries.DatagramPortOpener}.

    @param kind: makes the port, as its class does.
    """
    port = kind(context, bindAddress, protocol)
    try:
        port.startListening()
    except CannotListenError as error:
        raise error.socketError from error
    return port


def openOn(
    kind: Callable[[PortContext, Address, DatagramReceiver], SocketPort],
    context: PortContext,
    udpSocket: socket.socket,
    protocol: DatagramReceiver,
) -> SocketPort:
    """
    Open a port of ours on a socket that another process has bound.

    @param kind: makes the port, as its class does.
    @param udpSocket: one of an L{openGroup}.  It is ours from now on, and closed with the port.
    """
    port = kind(context, udpSocket.getsockname(), protocol)
    port.listenOn(udpSocket)
    return port


def openGroup(
    kindFor: Callable[[PortContext, Address], type[SocketPort]],
    context: PortContext,
    bindAddress: tuple[str, int],
    count: int,
) -> SocketGroup:
    """
    Bind sockets for the ports of several processes, each of which has its own sources.

    @param kindFor: gives the kind of port that they will have.
    @param count: how many.
    @raise OSError: when the address cannot be had.
    """
    kind = kindFor(context, bindAddress)

    def prepare(udpSocket: socket.socket) -> None:
        context.enlarge(udpSocket)
        kind.beforeBind(udpSocket)

    return datagramGroup(bindAddress, count, prepare)


def openTwistedPort(context: PortContext, bindAddress: Address, protocol: DatagramReceiver) -> IListeningPort:
    """
    Open the reactor's own port; see L{uotp.boundaries.DatagramPortOpener}.

    @param context: its reactor is C{IReactorUDP}.
    """
    host, number, *rest = bindAddress
    if any(rest):
        host = f"{host}%{rest[1]}"
    reactor = context.reactor
    try:
        port: IListeningPort = reactor.listenUDP(number, protocol, interface=host, maxPacketSize=MAX_PACKET_BYTES)
    except CannotListenError as error:
        raise error.socketError from error
    if ISystemHandle.providedBy(port):
        handle: Any = port.getHandle()
        context.enlarge(handle)
    return port
