"""
Finds the addresses of host names in the background.  No name is looked up twice at a time.

A lookup occupies a thread until the system's resolver answers, half a minute when the
network is gone, and cannot be cancelled.  Eight tunnels that dial again and again would
start threads without end, so whoever asks while a lookup is under way shares its answer.
The threads are our own: they do not keep the program from ending, as those of the reactor's
pool would.
"""

from __future__ import annotations

import encodings.idna
import encodings.punycode  # noqa: F401 - getaddrinfo would load both when it is too late, in a chroot say
import socket
from collections.abc import Callable
from threading import Thread
from typing import Any, Literal, Protocol

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, fail, succeed

from uotp.errors import LookupFailed
from uotp.net.hosts import Host
from uotp.net.names import lookupName
from uotp.net.zones import zoneTrouble
from uotp.telemetry import Logger

Semantics = Literal["TCP", "UDP"]
"""The protocol that the addresses are for."""

Key = tuple[str, int, Semantics]
"""Host, port, and protocol."""

Addresses = list[Any]
"""Twisted's C{IPv4Address}es and C{IPv6Address}es, the system's preference first."""

Resolved = Addresses | LookupFailed
"""What a lookup ends with: at least one address, or the reason why there is none."""

MAX_FOUND = 256
"""So many addresses of a name are taken, though an answer of DNS has room for thousands."""

InBackground = Callable[[Callable[[], Resolved], Callable[[Resolved], None]], None]
"""
Runs its first argument in another thread, and then its second, with the result, in the
reactor's.  Whatever happens, the second is called; where the first cannot be run, in a later
turn too.
"""


def backgroundThread(reactor: Any) -> InBackground:
    """
    @param reactor: C{IReactorFromThreads}, in whose thread results arrive.
    @return: what runs each call in a thread of its own.
    """

    def run(call: Callable[[], Resolved], done: Callable[[Resolved], None]) -> None:
        def inThread() -> None:
            answer: Resolved
            try:
                answer = call()
            except Exception as error:  # noqa: BLE001 - whatever happened: others wait behind this lookup
                answer = LookupFailed(f"the lookup failed: {type(error).__name__}: {error}")
            reactor.callFromThread(done, answer)

        try:
            Thread(target=inThread, name="uotp lookup", daemon=True).start()
        except RuntimeError:  # no thread can be had now; whoever asks later may have more luck
            reactor.callLater(0, done, LookupFailed("the lookup failed: no thread can be had"))

    return run


def literalAddress(host: str, port: int, semantics: Semantics) -> Any:
    """
    @return: the address that C{host} is the text of, or L{None} when it is a name.
    """
    found = Host.parse(host).asOneAddress
    if found.address is None:
        return None
    return (IPv6Address if found.isIPv6 else IPv4Address)(semantics, found.text, port)


def systemLookup(host: str, port: int, semantics: Semantics) -> Resolved:
    """
    Ask the system's resolver, and wait for it.

    @return: its answer.
    """
    kind = socket.SOCK_STREAM if semantics == "TCP" else socket.SOCK_DGRAM
    try:
        # As bytes: Python would encode text by older rules than ours, with a codec that it loads then.
        found = socket.getaddrinfo(lookupName(host).encode("ascii"), port, type=kind)
    except socket.gaierror as error:
        return LookupFailed(wordsForResolver(error))
    except OSError as error:
        return LookupFailed(f"the lookup failed: {error.strerror or error}")
    except ValueError as error:
        return LookupFailed(f"the host name cannot be looked up: {error}")
    addresses: Addresses = []
    for family, _, _, _, socketAddress in found[:MAX_FOUND]:
        address: tuple[Any, ...] = socketAddress
        if family == socket.AF_INET:
            addresses.append(IPv4Address(semantics, str(address[0]), int(address[1])))
        elif family == socket.AF_INET6:
            host, scope = str(address[0]), address[3]  # the number of a link-local address's link
            addresses.append(IPv6Address(semantics, f"{host}%{scope}" if scope else host, int(address[1])))
    return addresses or LookupFailed("the host name has no address of IPv4 or IPv6")


def wordsForResolver(error: socket.gaierror) -> str:
    """
    @return: why the system's resolver has found nothing, in its own words and in ours.
    """
    own = error.strerror or str(error)
    if error.errno == socket.EAI_AGAIN:
        return f"the name server does not answer ({own})"
    if error.errno in {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}:
        return f"host name not found ({own})"
    return f"the lookup failed ({own})"


class NameLookup(Protocol):
    """
    Finds the addresses of a name.
    """

    def lookUp(self, host: str, port: int, semantics: Semantics) -> Deferred[Addresses]:
        """
        Look a host up.

        @param semantics: the protocol that the addresses are for.
        @return: fires with one address or more; fails with L{LookupFailed}.
        """


class SharedResolver:
    """
    Looks names up for one service, each only once at a time.
    """

    _log = Logger()

    def __init__(
        self,
        inBackground: InBackground,
        *,
        lookup: Callable[[str, int, Semantics], Resolved] = systemLookup,
    ) -> None:
        """
        @param inBackground: runs lookups.
        @param lookup: asks the system, and blocks until it answers.
        """
        self._inBackground = inBackground
        self._lookup = lookup
        self._waiting: dict[Key, list[Deferred[Addresses]]] = {}
        self._ahead: dict[Key, Addresses] = {}

    def lookUpAhead(self, host: str, port: int, semantics: Semantics) -> LookupFailed | None:
        """
        Look a host up at once, and wait for it, since later it cannot be done.  What is found is
        the answer whenever another lookup fails.

        @return: why nothing was found, if so.
        """
        key: Key = (host, port, semantics)
        if literalAddress(*key) is not None:
            return None
        found = self._lookup(*key)
        if isinstance(found, LookupFailed):
            return found
        self._ahead[key] = found
        return None

    def lookUp(self, host: str, port: int, semantics: Semantics) -> Deferred[Addresses]:
        """
        See L{NameLookup}.  An address needs no lookup, and is there at once; one that
        belongs to a network interface fails while there is no such interface.
        """
        key: Key = (host, port, semantics)
        literal = literalAddress(*key)
        if literal is not None:
            trouble = zoneTrouble(Host.parse(host))
            return succeed([literal]) if trouble is None else fail(LookupFailed(trouble))
        answer: Deferred[Addresses] = Deferred()
        if key in self._waiting:
            self._waiting[key].append(answer)
        else:
            self._waiting[key] = [answer]
            self._inBackground(lambda: self._lookup(*key), lambda found: self._found(key, found))
        return answer

    def _found(self, key: Key, found: Resolved) -> None:
        waiting = self._waiting.pop(key)
        if isinstance(found, LookupFailed):
            found = self._ahead.get(key, found)
        if isinstance(found, LookupFailed):
            for answer in waiting:
                answer.errback(LookupFailed(str(found)))
            return
        for answer in waiting:
            answer.callback(found)
