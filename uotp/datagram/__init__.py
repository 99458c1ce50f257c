"""
UDP ports.  Who needs one gets an opener from here and does not know which kind
it opens.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from uotp.boundaries import DatagramPortOpener
from uotp.datagram.portable import PortableDatagramPort
from uotp.drops import Drops


def datagramPortOpener(reactor: Any, drops: Drops) -> DatagramPortOpener:
    """
    @param reactor: C{IReactorFDSet}.
    @param drops: where what cannot be sent is counted.
    @return: what opens ports on this system.
    """
    return partial(PortableDatagramPort, reactor, drops)
