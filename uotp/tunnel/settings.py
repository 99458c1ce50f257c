"""
What both ends of tunnels are told, and how settings check themselves: each stands in one
line with its default and with what it may be.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

from uotp.errors import ConfigurationError
from uotp.net import (
    MAX_BUFFER_BYTES,
    MIN_BUFFER_BYTES,
    UDP_BUFFER_BYTES,
    UNSENT_LIMIT_BYTES,
    TunnelSocketOptions,
    checkCongestion,
    parseDestination,
)
from uotp.telemetry import spelled
from uotp.wire import WireChoice

MAX_REORDER_SECONDS = 5.0
"""The longest that a user can choose: what has waited longer is of no use to anybody."""

MAX_POOL_SIZE = 256
"""Tunnels for each session; a server lets a session have so many, and their successors."""

LIMITS = "limits"
"""Under which key a field keeps what it may be."""


@dataclass(frozen=True, slots=True)
class Limits:
    """
    Tells which values a setting may have.

    @ivar words: what is needed, for the error.
    @ivar allow: whether a value will do.
    """

    words: str
    allow: Callable[[Any], bool]


SECONDS = Limits("a number of seconds above 0", lambda seconds: 0 < seconds < math.inf)
"""What most times may be."""

BUFFER_BYTES = Limits(
    f"from {MIN_BUFFER_BYTES} to {MAX_BUFFER_BYTES} bytes", lambda size: MIN_BUFFER_BYTES <= size <= MAX_BUFFER_BYTES
)
"""What a buffer of the kernel may hold."""


def setting(default: Any, limits: Limits) -> Any:
    """
    @param default: what holds when nothing is said; where that is L{None}, it is always
        allowed.
    @return: a field of a dataclass.
    """
    return field(default=default, metadata={LIMITS: limits})


@dataclass(frozen=True, slots=True, kw_only=True)
class CommonSettings:
    """
    What both ends are told.  Whoever inherits from it need not check what has L{Limits}.

    @ivar unsentLimit: bytes that the kernel may hold of a tunnel beyond what is in flight.
    @ivar congestion: the kernel's name of the tunnels' congestion control; L{None} for the
        system's choice.
    @ivar udpBuffer: bytes of buffer to ask for on each UDP socket.
    @ivar wire: which formats may be spoken: with TLS the best that both ends know, without
        TLS format 1, unless it is chosen.
    @ivar reorder: seconds that a datagram of format 2 may wait for those before it; L{None}
        to follow what the path needs, 0 to put nothing in order.
    """

    unsentLimit: int = setting(UNSENT_LIMIT_BYTES, BUFFER_BYTES)
    congestion: str | None = None
    udpBuffer: int = setting(UDP_BUFFER_BYTES, BUFFER_BYTES)
    wire: WireChoice = WireChoice.AUTO
    reorder: float | None = setting(
        None,
        Limits(
            f"a number of seconds from 0 to {MAX_REORDER_SECONDS:g}",
            lambda seconds: 0 <= seconds <= MAX_REORDER_SECONDS,
        ),
    )

    def __post_init__(self) -> None:
        """
        Refuse what cannot be used.

        @raise ConfigurationError: in one line that names the setting.
        """
        for one in fields(self):
            limits, value = one.metadata.get(LIMITS), getattr(self, one.name)
            if limits is None or (value is None and one.default is None):
                continue
            if not limits.allow(value):
                reason = f"{spelled(one.name)} is {value}, and not {limits.words}"
                raise ConfigurationError(reason)
        if self.congestion is not None:
            checkCongestion(self.congestion)

    @property
    def tuning(self) -> TunnelSocketOptions:
        """
        How the tunnels' sockets are to be set up.
        """
        return TunnelSocketOptions(self.unsentLimit, self.congestion)


def requireHost(what: str, host: str) -> None:
    """
    @param what: whose host it is, for the error.
    @raise ConfigurationError: for what is neither a host name nor the address of one host.
    """
    try:
        parseDestination(host)
    except ValueError as error:
        reason = f"{what} {host}: {error}"
        raise ConfigurationError(reason) from error
