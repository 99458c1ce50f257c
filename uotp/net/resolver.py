"""
Finds the addresses of host names in the background.  No name is looked up twice at a time.

A lookup occupies a thread until the system's resolver answers, half a minute when the
network is gone, and cannot be cancelled.  Eight tunnels that dial again and again would
start threads without end, so whoever asks while a lookup is under way shares its answer.
The threads are our own: they do not keep the program from ending, as those of the reactor's
pool would.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from threading import Thread
from typing import Any, Literal

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IHostnameResolver, IHostResolution, IResolutionReceiver
from zope.interface import implementer

from uotp.net.hosts import Host

Semantics = Literal["TCP", "UDP"]
"""The protocol that the addresses are for."""

Key = tuple[str, int, Semantics]
"""Host, port, and protocol."""

Addresses = list[Any]
"""Twisted's C{IPv4Address}es and C{IPv6Address}es, the system's preference first."""

InBackground = Callable[[Callable[[], Addresses], Callable[[Addresses], None]], None]
"""Runs its first argument in another thread, and then its second, with the result, in the reactor's."""


def backgroundThread(reactor: Any) -> InBackground:
    """
    @param reactor: C{IReactorFromThreads}, in whose thread results arrive.
    @return: what runs each call in a thread of its own.
    """

    def run(call: Callable[[], Addresses], done: Callable[[Addresses], None]) -> None:
        def inThread() -> None:
            addresses: Addresses = []
            try:
                addresses = call()
            finally:  # whatever happened: others wait behind this lookup
                reactor.callFromThread(done, addresses)

        Thread(target=inThread, name="uotp lookup", daemon=True).start()

    return run


def literalAddress(host: str, port: int, semantics: Semantics) -> Any:
    """
    @return: the address that C{host} is the text of, or L{None} when it is a name.
    """
    found = Host.parse(host)
    if found.address is None:
        return None
    return (IPv6Address if found.isIPv6 else IPv4Address)(semantics, host, port)


def systemLookup(host: str, port: int, semantics: Semantics) -> Addresses:
    """
    Ask the system's resolver, and wait for it.

    @return: its answer; no address when the name is not found.
    """
    kind = socket.SOCK_STREAM if semantics == "TCP" else socket.SOCK_DGRAM
    try:
        found = socket.getaddrinfo(host, port, type=kind)
    except (OSError, UnicodeError):
        return []
    addresses: Addresses = []
    for family, _, _, _, socketAddress in found:
        address: tuple[Any, ...] = socketAddress
        if family == socket.AF_INET:
            addresses.append(IPv4Address(semantics, str(address[0]), int(address[1])))
        elif family == socket.AF_INET6:
            host, scope = str(address[0]), address[3]  # the number of a link-local address's link
            addresses.append(IPv6Address(semantics, f"{host}%{scope}" if scope else host, int(address[1])))
    return addresses


@implementer(IHostResolution)
class Resolution:
    """
    Stands for a lookup towards the receiver of its answer.
    """

    def __init__(self, name: str) -> None:
        """
        @param name: the name looked up.
        """
        self.name = name

    def cancel(self) -> None:
        """
        Do nothing: a lookup in a thread cannot be cancelled.
        """


@implementer(IHostnameResolver)
class SharedResolver:
    """
    Looks names up for one service, each only once at a time.
    """

    def __init__(
        self,
        inBackground: InBackground,
        *,
        once: bool = False,
        lookup: Callable[[str, int, Semantics], Addresses] = systemLookup,
    ) -> None:
        """
        @param inBackground: runs lookups.
        @param once: whether the first answer that has an address is kept for ever.
        @param lookup: asks the system, and blocks until it answers.
        """
        self._inBackground = inBackground
        self._once = once
        self._lookup = lookup
        self._waiting: dict[Key, list[IResolutionReceiver]] = {}
        self._known: dict[Key, Addresses] = {}

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[IAddress]] | None = None,
        transportSemantics: str = "TCP",
    ) -> IHostResolution:
        """
        See C{IHostnameResolver}.  C{addressTypes} is ignored, since no caller of ours uses it.
        """
        key: Key = (hostName, portNumber, "UDP" if transportSemantics == "UDP" else "TCP")
        resolution = Resolution(hostName)
        resolutionReceiver.resolutionBegan(resolution)
        literal = literalAddress(*key)
        if literal is not None:
            tell(resolutionReceiver, [literal])
        elif key in self._known:
            tell(resolutionReceiver, self._known[key])
        elif key in self._waiting:
            self._waiting[key].append(resolutionReceiver)
        else:
            self._waiting[key] = [resolutionReceiver]
            try:
                self._inBackground(lambda: self._lookup(*key), lambda addresses: self._found(key, addresses))
            except RuntimeError:  # no thread can be had now; whoever asks later may have more luck
                self._found(key, [])
        return resolution

    def _found(self, key: Key, addresses: Addresses) -> None:
        if self._once and addresses:
            self._known[key] = addresses
        for receiver in self._waiting.pop(key):
            tell(receiver, addresses)


def tell(receiver: IResolutionReceiver, addresses: Addresses) -> None:
    """
    Give a receiver its answer.
    """
    for address in addresses:
        receiver.addressResolved(address)
    receiver.resolutionComplete()


@implementer(IResolutionReceiver)
class AddressCollector:
    """
    Collects the addresses of an answer for a Deferred.
    """

    def __init__(self, done: Deferred[Addresses]) -> None:
        """
        @param done: fires with all addresses.
        """
        self._done = done
        self._addresses: Addresses = []

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:
        """
        Do nothing: the answer is all that matters.
        """

    def addressResolved(self, address: IAddress) -> None:
        """
        One more address.
        """
        self._addresses.append(address)

    def resolutionComplete(self) -> None:
        """
        No more will come.
        """
        self._done.callback(self._addresses)


def lookUp(resolver: IHostnameResolver, host: str, port: int, semantics: Semantics) -> Deferred[Addresses]:
    """
    Look a name up.

    @param semantics: the protocol that the addresses are for.
    @return: fires with the addresses, with none when the name is not found.
    """
    done: Deferred[Addresses] = Deferred()
    resolver.resolveHostName(AddressCollector(done), host, port, transportSemantics=semantics)
    return done
