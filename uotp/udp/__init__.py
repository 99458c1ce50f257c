"""
UDP ports, and the protocols that they drive.  Whoever needs a port gets an opener from here,
and does not know which kind of port it opens.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.interfaces import IListeningPort, IReactorFDSet

from uotp.boundaries import Address, DatagramPortOpener, DatagramReceiver
from uotp.net import UDP_BUFFER_BYTES, SocketGroup
from uotp.telemetry import Drops, Logger
from uotp.udp.base import PortContext, SocketPort
from uotp.udp.crowd import MAX_INTAKE_BYTES
from uotp.udp.openers import openGroup, openOn, openPort, openTwistedPort
from uotp.udp.portable import PortableDatagramPort
from uotp.udp.protocol import TrainProtocol

__all__ = [
    "MAX_INTAKE_BYTES",
    "TrainProtocol",
    "datagramGroupOpener",
    "datagramPortOpener",
    "givenSocketPreparer",
    "groupMemberOpener",
]

_log = Logger()


def datagramPortOpener(
    reactor: Any,
    drops: Drops,
    udpBuffer: int = UDP_BUFFER_BYTES,
    *,
    shared: bool = False,
    intakeBytes: int = MAX_INTAKE_BYTES,
) -> DatagramPortOpener:
    """
    @param reactor: C{IReactorFDSet}; or else C{IReactorUDP}, whose own port is used then.
    @param drops: where what cannot be sent or received is counted.
    @param udpBuffer: bytes of buffer to ask for, each way and for each port.
    @param shared: whether many sources send to a port, which then share it.
    @param intakeBytes: payload and overhead that may wait at such a port while it is crowded.
    @return: what opens ports on this system.
    """
    context = PortContext(reactor, drops, udpBuffer, shared=shared, intakeBytes=intakeBytes)
    if not IReactorFDSet.providedBy(reactor):
        return partial(openTwistedPort, context)
    return partial(openPort, kindHere(), context)


def datagramGroupOpener(
    reactor: Any, drops: Drops, udpBuffer: int = UDP_BUFFER_BYTES
) -> Callable[[tuple[str, int], int], SocketGroup]:
    """
    See L{datagramPortOpener}.

    @return: what binds so many sockets to an address, for ports that each another process has, and
        that many sources share.  It raises OSError when the address cannot be had.
    """
    context = PortContext(reactor, drops, udpBuffer, shared=True)
    return partial(openGroup, kindForHere(), context)


def groupMemberOpener(
    reactor: Any, drops: Drops, udpBuffer: int = UDP_BUFFER_BYTES, intakeBytes: int = MAX_INTAKE_BYTES
) -> Callable[[socket.socket, DatagramReceiver], IListeningPort]:
    """
    See L{datagramPortOpener}.

    @param reactor: C{IReactorFDSet}.
    @return: what opens a port on a socket of such a group.
    """
    context = PortContext(reactor, drops, udpBuffer, shared=True, intakeBytes=intakeBytes, grouped=True)
    return partial(openOn, kindHere(), context)


def givenSocketPreparer(
    reactor: Any, drops: Drops, udpBuffer: int = UDP_BUFFER_BYTES
) -> Callable[[socket.socket], None]:
    """
    See L{datagramPortOpener}.

    @return: what prepares a socket that a service manager has bound, so that it is like those of a group.
    """
    context = PortContext(reactor, drops, udpBuffer, shared=True)

    def prepare(udpSocket: socket.socket) -> None:
        context.enlarge(udpSocket)
        kindForHere()(context, udpSocket.getsockname()).beforeBind(udpSocket)

    return prepare


def kindHere() -> Callable[[PortContext, Address, DatagramReceiver], SocketPort]:
    """
    @return: makes a port of ours for an address, as fast as this system has it.
    """
    kinds = linuxKinds()
    return PortableDatagramPort if kinds is None else kinds[0]


def kindForHere() -> Callable[[PortContext, Address], type[SocketPort]]:
    """
    @return: gives the kind of port that is made for an address.
    """
    kinds = linuxKinds()
    return (lambda *_: PortableDatagramPort) if kinds is None else kinds[1]


def linuxKinds() -> (
    tuple[
        Callable[[PortContext, Address, DatagramReceiver], SocketPort],
        Callable[[PortContext, Address], type[SocketPort]],
    ]
    | None
):
    """
    @return: what makes a port, and what gives its kind, on Linux; L{None} on other systems, which lack
        what that needs.
    """
    if sys.platform != "linux":
        return None
    try:
        from uotp.udp.anyaddress import kindFor, linuxPort  # noqa: PLC0415 - see above
    except (ImportError, OSError, AttributeError) as error:
        _log.debug("UDP goes datagram by datagram: {reason}", reason=str(error))
        return None
    return linuxPort, kindFor
