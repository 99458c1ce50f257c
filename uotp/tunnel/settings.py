"""
The settings that both ends have in common, and how settings check themselves.  Each is
written once, with its default and its limits.  Options of a command line are not known here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

from uotp.duplicate import Duplicate
from uotp.errors import ConfigurationError
from uotp.net import (
    MAX_BUFFER_BYTES,
    MAX_SEGMENT_BYTES,
    MIN_BUFFER_BYTES,
    MIN_SEGMENT_BYTES,
    UDP_BUFFER_BYTES,
    UNSENT_LIMIT_BYTES,
    Listen,
    TunnelSocketOptions,
    checkCongestion,
    parseDestination,
    requireListen,
)
from uotp.order import MAX_REORDER_SECONDS, MIN_REORDER_SECONDS, Order, OrderMode
from uotp.process import DEFAULT_MEMORY_BYTES, LEAST_MEMORY_BYTES
from uotp.telemetry import spelled
from uotp.wire import WireChoice, namesTrouble

MAX_POOL_SIZE = 256
"""A session can have so many tunnels.  A server lets it have twice as many, while they are replaced."""

LIMITS = "limits"
"""The key under which a field keeps its L{Limits}."""


@dataclass(frozen=True, slots=True)
class Limits:
    """
    Tells which values a setting may have.

    @ivar words: which values are allowed, for the error.
    @ivar allow: tells whether a value is allowed.
    """

    words: str
    allow: Callable[[Any], bool]


SECONDS = Limits("a number of seconds above 0", lambda seconds: 0 < seconds < math.inf)
"""The limits of most times."""

BUFFER_BYTES = Limits(
    f"from {MIN_BUFFER_BYTES} to {MAX_BUFFER_BYTES} bytes", lambda size: MIN_BUFFER_BYTES <= size <= MAX_BUFFER_BYTES
)
"""The limits of sizes of the kernel's buffers."""


MAX_WORKERS = 64
"""Each takes some 50 MB, and no machine that we know of has a use for more."""

WORKERS = Limits(
    f"from 1 to {MAX_WORKERS}, or None for as many as there are processors",
    lambda workers: workers is None or 1 <= workers <= MAX_WORKERS,
)
"""How many processes may do the work of one end."""


def setting(default: Any, limits: Limits) -> Any:
    """
    Make a field of a dataclass that has limits.

    @param default: the default value; L{None} is always allowed where it is the default.
    @return: the field.
    """
    return field(default=default, metadata={LIMITS: limits})


@dataclass(frozen=True, slots=True, kw_only=True)
class CommonSettings:
    """
    Holds the settings that both ends have in common, and checks each field that has
    L{Limits}, also those of its subclasses.

    @ivar unsentLimit: how many bytes of a tunnel the kernel may hold that it has not sent.
    @ivar congestion: the kernel's name of the tunnels' congestion control; L{None} for the
        system's choice.
    @ivar mss: bytes of a tunnel's TCP segment at the most, both ways; L{None} for as many as
        the path seems to carry.
    @ivar udpBuffer: bytes of buffer to ask for on each UDP socket.
    @ivar memory: bytes that may wait in the process, in all queues together.
    @ivar workers: how many processes do the work, each on a processor of its own; L{None} for as many as
        there are processors for this program.
    @ivar wire: which formats may be spoken.  C{AUTO} means the best that both ends know with
        TLS, and format 1 without TLS.
    @ivar alpn: the names of protocols that a client offers by ALPN, and that a server chooses among those it is
        offered, by the client's order; none to offer or choose nothing.  L{None} stands for C{http/1.1}, and with
        C{wire} 1 for none; a server takes the names of older clients besides.
    @ivar pad: whether what a tunnel sends first is filled up to one of a few lengths, in format 2: its hello, and
        L{PADDED_WRITES<uotp.wire.padding.PADDED_WRITES>} writes.
    @ivar reorder: how the datagrams of format 2 are put in order; L{None} when nobody has
        chosen that here.
    @ivar duplicate: when datagrams of light flows, and small ones, go over two tunnels in format 2.
    @ivar metrics: numeric address and port at which metrics and a page are shown, or several such pairs; port 0
        for any.  C{localhost} stands for 127.0.0.1 and, where the system has IPv6, for ::1.  L{None} for nowhere.
    """

    unsentLimit: int = setting(UNSENT_LIMIT_BYTES, BUFFER_BYTES)
    congestion: str | None = None
    mss: int | None = setting(
        None,
        Limits(
            f"from {MIN_SEGMENT_BYTES} to {MAX_SEGMENT_BYTES} bytes",
            lambda size: MIN_SEGMENT_BYTES <= size <= MAX_SEGMENT_BYTES,
        ),
    )
    udpBuffer: int = setting(UDP_BUFFER_BYTES, BUFFER_BYTES)
    memory: int = setting(
        DEFAULT_MEMORY_BYTES,
        Limits(f"at least {LEAST_MEMORY_BYTES} bytes", lambda size: size >= LEAST_MEMORY_BYTES),
    )
    workers: int | None = setting(1, WORKERS)
    wire: WireChoice = WireChoice.AUTO
    alpn: tuple[str, ...] | None = None
    pad: bool = False
    reorder: Order | None = setting(  # noqa: RUF009 - that makes a field
        None,
        Limits(
            f"an Order of {MIN_REORDER_SECONDS:g} to {MAX_REORDER_SECONDS:g} seconds, or one without a time",
            lambda order: isinstance(order, Order) and order.isSound,
        ),
    )
    duplicate: Duplicate = setting(  # noqa: RUF009 - that makes a field
        Duplicate.AUTO,
        Limits("a Duplicate", lambda choice: isinstance(choice, Duplicate)),
    )
    metrics: Listen | None = None

    def __post_init__(self) -> None:
        """
        Refuse values that cannot be used.

        @raise ConfigurationError: in one line that names the setting.
        """
        for one in fields(self):
            limits, value = one.metadata.get(LIMITS), getattr(self, one.name)
            if limits is None or (value is None and one.default is None):
                continue
            if not limits.allow(value):
                reason = f"{spelled(one.name)} is {value}, and not {limits.words}"
                raise ConfigurationError(reason)
        if self.metrics is not None:
            requireListen(self.metrics, "metrics")
        trouble = None if self.alpn is None else namesTrouble(self.alpn)
        if trouble is not None:
            reason = f"{spelled('alpn')}: {trouble}"
            raise ConfigurationError(reason)
        if self.pad and self.wire is WireChoice.ONE:
            reason = f"{spelled('pad')} needs format 2, and {spelled('wire')} {self.wire.value} was said"
            raise ConfigurationError(reason)
        if self.congestion is not None:
            checkCongestion(self.congestion)

    @property
    def onlyInFormat2(self) -> list[str]:
        """
        Which settings were chosen that format 1 cannot follow.
        """
        waits = self.reorder is not None and self.reorder.mode in (OrderMode.TIME, OrderMode.BULK)
        chosen = {"reorder": waits, "duplicate": self.duplicate is Duplicate.ALWAYS, "pad": self.pad}
        return [name for name, isChosen in chosen.items() if isChosen]

    @property
    def tuning(self) -> TunnelSocketOptions:
        """
        How the tunnels' sockets are to be set up.
        """
        return TunnelSocketOptions(self.unsentLimit, self.congestion)


def requireHost(what: str, host: str) -> None:
    """
    Refuse what is neither a host name nor the address of one host.

    @param what: what the host is, for the error.
    @raise ConfigurationError: when it is neither.
    """
    try:
        parseDestination(host)
    except ValueError as error:
        reason = f"{what} {host}: {error}"
        raise ConfigurationError(reason) from error
