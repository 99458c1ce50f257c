"""
UDP ports, and the protocols that they drive.  Whoever needs a port gets an opener from here,
and does not know which kind of port it opens.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

from twisted.internet.interfaces import IReactorFDSet

from uotp.boundaries import DatagramPortOpener
from uotp.net import UDP_BUFFER_BYTES
from uotp.telemetry import Drops, Logger
from uotp.udp.base import PortContext
from uotp.udp.crowd import MAX_INTAKE_BYTES
from uotp.udp.openers import openPort, openTwistedPort
from uotp.udp.portable import PortableDatagramPort
from uotp.udp.protocol import TrainProtocol

__all__ = [
    "MAX_INTAKE_BYTES",
    "TrainProtocol",
    "datagramPortOpener",
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
    if sys.platform == "linux":
        try:
            from uotp.udp.anyaddress import linuxPort  # noqa: PLC0415 - other systems lack what it needs
        except (ImportError, OSError, AttributeError) as error:
            _log.debug("UDP goes datagram by datagram: {reason}", reason=str(error))
        else:
            return partial(openPort, linuxPort, context)
    return partial(openPort, PortableDatagramPort, context)
