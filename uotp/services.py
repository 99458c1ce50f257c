"""
The embedding interface: plain functions from ready values to a Twisted service,
to add to any Application.

Twisted's timers follow the wall clock unless told otherwise: call
L{uotp.process.clock.useMonotonicClock} before the first of them.
"""

from __future__ import annotations

import math
from typing import Any

from uotp.client import ClientService, ClientSettings
from uotp.errors import ConfigurationError
from uotp.net import (
    MAX_BUFFER_BYTES,
    MIN_BUFFER_BYTES,
    UDP_BUFFER_BYTES,
    UNSENT_LIMIT_BYTES,
    TunnelSocketOptions,
    checkCongestion,
    parseDestination,
    requireMarks,
)
from uotp.server import MAX_TUNNELS_PER_SESSION, ServerService, ServerSettings
from uotp.session import MAX_REORDER_SECONDS
from uotp.tls import ClientCredentials, ClientTls, ServerCredentials, ServerTls
from uotp.wire import WireChoice

MIN_MAX_AGE_SECONDS = 1.0
MIN_MAX_BYTES = 64 * 1024
MAX_MAX_BYTES = 1 << 50
"""Replacing tunnels more often than this would cost more than what they carry."""

MAX_POOL_SIZE = MAX_TUNNELS_PER_SESSION // 2
"""A server lets a session have so many, and their successors."""


def clientService(
    server: tuple[str, int],
    *,
    tls: ClientTls | None,
    listen: tuple[str, int] = ("127.0.0.1", 8911),
    poolSize: int = 8,
    expire: float = 120.0,
    backoff: float = 5.0,
    timeout: float = 4.0,
    resolveOnce: bool = False,
    mark: int | None = None,
    unsentLimit: int = UNSENT_LIMIT_BYTES,
    congestion: str | None = None,
    udpBuffer: int = UDP_BUFFER_BYTES,
    wire: WireChoice = WireChoice.AUTO,
    reorder: float | None = None,
    maxAge: float | None = None,
    maxBytes: int | None = None,
    reactor: Any = None,
) -> ClientService:
    """
    A client: listens on UDP, and opens a session for each source that sends.

    @param server: host name or address, and port, of the server.
    @param tls: how to verify the server and how to show who we are; L{None} means
        plain TCP without any protection, and has to be said.
    @param listen: numeric address and port of the UDP side; port 0 for any, which
        C{service.listening} tells after the start.
    @param poolSize: tunnels for each session, 1 to L{MAX_POOL_SIZE}.
    @param expire: seconds that a session may be idle.
    @param backoff: the longest wait between two attempts for one tunnel, seconds.
    @param timeout: seconds for connect and handshake together.
    @param resolveOnce: look the server's name up at the start only.
    @param mark: firewall mark of the connections (Linux, CAP_NET_ADMIN).
    @param unsentLimit: bytes that the kernel may hold of a tunnel beyond what is in
        flight.
    @param congestion: the kernel's name of the tunnels' congestion control.
    @param udpBuffer: bytes of buffer to ask for on the UDP socket.
    @param wire: which formats may be spoken: with TLS the best that both ends know,
        without TLS format 1, unless it is chosen.
    @param reorder: seconds that a datagram of format 2 may wait for those before it;
        L{None} to follow what the path needs, 0 to put nothing in order.
    @param maxAge: seconds after which a tunnel is replaced, L{None} for never.
    @param maxBytes: bytes, both ways together, after which a tunnel is replaced, L{None}
        for never.
    @param reactor: the global one when left out.
    @return: the service; it has C{reload()} besides.
    @raise ConfigurationError: for files or values that cannot be used.
    """
    if not 1 <= poolSize <= MAX_POOL_SIZE:
        reason = f"the pool size is {poolSize}, and not from 1 to {MAX_POOL_SIZE}"
        raise ConfigurationError(reason)
    requirePositive(expire=expire, backoff=backoff, timeout=timeout)
    if mark is not None:
        requireMarks()
    requireHost("the server", server[0])
    tuning = tuningFor(unsentLimit, congestion, udpBuffer)
    requireReorder(reorder)
    if maxAge is not None and not maxAge >= MIN_MAX_AGE_SECONDS:
        reason = f"maxAge is {maxAge}, and not a number of seconds from {MIN_MAX_AGE_SECONDS:g}"
        raise ConfigurationError(reason)
    if maxBytes is not None and not maxBytes >= MIN_MAX_BYTES:
        reason = f"maxBytes is {maxBytes}, and not a number of bytes from {MIN_MAX_BYTES}"
        raise ConfigurationError(reason)
    settings = ClientSettings(
        server=server,
        listen=listen,
        poolSize=poolSize,
        expire=expire,
        backoff=backoff,
        timeout=timeout,
        resolveOnce=resolveOnce,
        mark=mark,
        tuning=tuning,
        udpBuffer=udpBuffer,
        wire=wire,
        reorder=reorder,
        maxAge=maxAge,
        maxBytes=maxBytes,
    )
    credentials = None if tls is None else ClientCredentials(tls, wire=wire)
    return ClientService(settings, credentials, orGlobalReactor(reactor))


def serverService(
    target: tuple[str, int],
    *,
    tls: ServerTls | None,
    listen: tuple[str, int] = ("0.0.0.0", 8443),  # noqa: S104 - a server is for others
    linger: float = 150.0,
    unsentLimit: int = UNSENT_LIMIT_BYTES,
    congestion: str | None = None,
    udpBuffer: int = UDP_BUFFER_BYTES,
    wire: WireChoice = WireChoice.AUTO,
    reorder: float | None = None,
    reactor: Any = None,
) -> ServerService:
    """
    A server: accepts tunnels, and forwards each session to the target.

    @param target: host name or address, and port, of the UDP target.
    @param tls: certificate and key, and who may connect; L{None} means plain TCP
        without any protection, and has to be said.
    @param listen: numeric address and port of the TCP side; port 0 for any, which
        C{service.listening} tells after the start.
    @param linger: seconds for which a session that has lost its tunnels keeps its
        UDP socket.
    @param unsentLimit: bytes that the kernel may hold of a tunnel beyond what is in
        flight.
    @param congestion: the kernel's name of the tunnels' congestion control.
    @param udpBuffer: bytes of buffer to ask for on each UDP socket.
    @param wire: which formats may be spoken.
    @param reorder: as for L{clientService}.
    @param reactor: the global one when left out.
    @return: the service; it has C{reload()} besides.
    @raise ConfigurationError: for files or values that cannot be used.
    """
    requirePositive(linger=linger)
    requireHost("the target", target[0])
    tuning = tuningFor(unsentLimit, congestion, udpBuffer)
    requireReorder(reorder)
    settings = ServerSettings(target, listen, linger, tuning, udpBuffer, wire, reorder)
    credentials = None if tls is None else ServerCredentials(tls, wire=wire)
    return ServerService(settings, credentials, orGlobalReactor(reactor))


def tuningFor(unsentLimit: int, congestion: str | None, udpBuffer: int) -> TunnelSocketOptions:
    """
    @return: how the tunnels' sockets are to be set up.
    @raise ConfigurationError: for sizes out of range, or a congestion control that
        cannot be had.
    """
    for name, size in (("unsentLimit", unsentLimit), ("udpBuffer", udpBuffer)):
        if not MIN_BUFFER_BYTES <= size <= MAX_BUFFER_BYTES:
            reason = f"{name} is {size}, and not from {MIN_BUFFER_BYTES} to {MAX_BUFFER_BYTES} bytes"
            raise ConfigurationError(reason)
    if congestion is not None:
        checkCongestion(congestion)
    return TunnelSocketOptions(unsentLimit, congestion)


def requireReorder(seconds: float | None) -> None:
    """
    @raise ConfigurationError: when datagrams cannot wait for so long.
    """
    if seconds is not None and not 0 <= seconds <= MAX_REORDER_SECONDS:
        reason = f"reorder is {seconds}, and not a number of seconds from 0 to {MAX_REORDER_SECONDS:g}"
        raise ConfigurationError(reason)


def requirePositive(**seconds: float) -> None:
    """
    @param seconds: times by their name.
    @raise ConfigurationError: when one is not above zero.
    """
    for name, value in seconds.items():
        if not 0 < value < math.inf:
            reason = f"{name} is {value}, and not a number of seconds above 0"
            raise ConfigurationError(reason)


def requireHost(what: str, host: str) -> None:
    """
    @param what: whose host it is, for the error.
    @raise ConfigurationError: for what is neither a host name nor the address of
        one host.
    """
    try:
        parseDestination(host)
    except ValueError as error:
        reason = f"{what} {host}: {error}"
        raise ConfigurationError(reason) from error


def orGlobalReactor(reactor: Any) -> Any:
    """
    @return: the reactor that was handed in, or the global one.
    """
    if reactor is None:
        from twisted.internet import reactor  # noqa: PLC0415 - importing it installs it
    return reactor
