"""
Where the target is, for all sessions of a server together.

A name may have several addresses, and get others while sessions live.  So a session that hears
nothing any more asks again, and all that ask within L{LOOKUP_GAP_SECONDS} share one lookup.  The
address that has answered last is tried first.  What the log says of the target is said here,
once for all sessions.
"""

from __future__ import annotations

import errno
import os
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import LogLevel
from twisted.python.failure import Failure

from uotp.boundaries import Address
from uotp.errors import LookupFailed
from uotp.net import Addresses, Host, SharedResolver, numericAddress
from uotp.telemetry import Logger, RateLimit, logCounted, orLog

FOUND_FRESH_SECONDS = 1.0
"""A new session takes what a lookup has found so short a time ago: many may begin together."""

LOOKUP_GAP_SECONDS = 2.0
"""
Sessions that hear nothing any more cause no more than one lookup in so long, together.  It is
about as long as a container takes to be started anew.
"""

MAX_TARGET_ADDRESSES = 8
"""So many addresses of a name are tried: each takes a second while none answers."""

REFUSING_ERRORS = {
    errno.ECONNREFUSED: "nothing listens at the target, {whereWords}: is it started?",
    errno.EPERM: "a rule of this host, its firewall's maybe, forbids to send to the target, {whereWords}: {reason}",
    errno.EACCES: "a firewall forbids to send to the target, {whereWords}: {reason}",
}
"""What the log says when the target refuses what it is sent."""

UNREACHABLE = "nothing that is sent reaches the target, {whereWords}: {reason}; is its host up, and is the route right?"
"""What it says for any other error."""

LINK_IS_NEW = "the link of the target {host} was made anew"
"""What it says when the name of a link in the target's address stands for another number."""


class TargetFinder:
    """
    Finds the addresses of the target.

    @ivar mayMove: whether its addresses may change: a name's do, and so does the number of the
        link that is named in a link-local address.
    """

    _log = Logger()

    def __init__(self, target: tuple[str, int], resolver: SharedResolver, clock: Any, rateLimit: RateLimit) -> None:
        """
        @param target: host name or address, and port.
        @param resolver: looks a name up.
        @param clock: C{IReactorTime}.
        @param rateLimit: keeps the log short.
        """
        self._host, self._port = target
        self._resolver = resolver
        self._clock = clock
        self._rateLimit = rateLimit
        host = Host.parse(self._host)
        self._isName = host.address is None
        self.mayMove = self._isName or host.zone is not None
        self._known: list[Address] = []
        self._lookedAt = self._againAt = float("-inf")
        self._waiting: list[Deferred[list[Address]]] = []  # for the next lookup that may be made
        self._later: IDelayedCall | None = None
        self._isStopped = False
        self._answered: Address = ()
        self._isRefused = False

    def find(self) -> Deferred[list[Address]]:
        """
        Find the target for a new session.  While the resolver finds nothing, the addresses
        that it has found before are taken.

        @return: fires with one address or more, in the order in which they are to be tried;
            fails with L{LookupFailed}.
        """
        if self._isName and self._known and self._clock.seconds() - self._lookedAt < FOUND_FRESH_SECONDS:
            return succeed(self._known)
        return self._lookUp()

    def findAgain(self) -> Deferred[list[Address]]:
        """
        Find the target for a session that hears nothing any more.

        @return: as L{find}, but by a lookup that begins after this.  Where one was made for another
            session shortly before, it waits for its time.
        """
        wait = self._againAt + LOOKUP_GAP_SECONDS - self._clock.seconds()
        if not self._isName:
            return self._lookUp()
        if self._isStopped:
            return succeed(self._known)
        if wait <= 0 and self._later is None:
            self._againAt = self._clock.seconds()
            return self._lookUp()
        answer: Deferred[list[Address]] = Deferred()
        self._waiting.append(answer)
        if self._later is None:
            self._later = self._clock.callLater(max(wait, 0), self._lookForAll)
        return answer

    def stop(self) -> None:
        """
        Make no lookup any more that waits for its time: the server stops.
        """
        self._isStopped = True
        if self._later is not None:
            self._later.cancel()
        self._later = None
        self._waiting.clear()

    def _lookForAll(self) -> None:
        """
        Make one lookup for all that wait.
        """
        self._later = None
        waiting, self._waiting = self._waiting, []
        self._againAt = self._clock.seconds()

        def found(addresses: list[Address]) -> None:
            for answer in waiting:
                answer.callback(addresses)

        def notFound(reason: Failure) -> None:
            for answer in waiting:
                answer.errback(reason)

        orLog(self._lookUp().addCallbacks(found, notFound), self._log, "the target was not looked up")

    def _lookUp(self) -> Deferred[list[Address]]:
        if self._isName:
            self._lookedAt = self._clock.seconds()
            looking = self._resolver.lookUp(self._host, self._port, "UDP")
            return looking.addCallbacks(self._found, self._fallBack)
        try:
            return succeed([numericAddress(self._host, self._port)])
        except OSError as error:
            return fail(LookupFailed(f"its address cannot be used: {error.strerror or error}"))

    def _found(self, found: Addresses) -> list[Address]:
        addresses = few(list(dict.fromkeys(numericAddress(each.host, each.port) for each in found)))
        if self._answered in addresses:
            addresses.remove(self._answered)
            addresses.insert(0, self._answered)
        self._known = addresses
        return addresses

    def _fallBack(self, reason: Failure) -> list[Address]:
        reason.trap(LookupFailed)
        if not self._known:
            raise LookupFailed(str(reason.value))
        self._say(
            LogLevel.warn,
            ("known", self._known[0]),
            "the target {host} cannot be looked up now, so it is taken to be at {address}, as before: {reason}",
            host=self._host,
            address=self._known[0][0],
            reason=str(reason.value),
        )
        return self._known

    def answers(self, address: Address) -> None:
        """
        The target has answered from an address: it is tried first from now on.
        """
        self._answered = address
        if address in self._known and self._known[0] != address:
            self._known = [address, *(each for each in self._known if each != address)]
        if self._isRefused:
            self._isRefused = False
            self._say(LogLevel.info, "answers", "the target, {whereWords}, answers again", **self._where([address]))

    def sayRefused(self, addresses: list[Address], number: int) -> None:
        """
        Nothing that a session sends to the target arrives.

        @param addresses: where it was sent to.
        @param number: of the error, see C{errno}.
        """
        self._isRefused = True
        self._say(
            LogLevel.warn,
            ("refused", number),
            REFUSING_ERRORS.get(number, UNREACHABLE),
            **self._where(addresses),
            reason=os.strerror(number),
        )

    def sayMoved(self, before: Address, after: Address) -> None:
        """
        The target has other addresses than before.
        """
        self._say(
            LogLevel.info,
            ("moved", before, after),
            "the target {host} has moved from {before} to {after}" if self._isName else LINK_IS_NEW,
            host=self._host,
            before=before[0],
            after=after[0],
        )

    def sayRoute(self, before: Address, after: Address) -> None:
        """
        Another address of ours than before leads to the target.
        """
        self._say(
            LogLevel.info,
            ("route", after[0]),
            "the way to the target {host} port {port} leads from {after} now, and no longer from {before}",
            host=self._host,
            port=self._port,
            before=before[0],
            after=after[0],
        )

    def sayNoWay(self, reason: str) -> None:
        """
        A session has no socket to the target.
        """
        self._say(
            LogLevel.error,
            ("target", reason),
            "no way to the target {host} port {port}: {reason}",
            host=self._host,
            port=self._port,
            reason=reason,
        )

    def _say(self, level: Any, event: tuple[Any, ...] | str, words: str, **fields: object) -> None:
        logCounted(self._log, level, self._rateLimit.suppressedBefore(event), words, **fields)

    def _where(self, addresses: list[Address]) -> dict[str, object]:
        hosts = ", ".join(str(address[0]) for address in addresses)
        words = f"{self._host} port {self._port}" + (f" ({hosts})" if self._isName else "")
        return {"whereWords": words, "host": self._host, "port": self._port, "addresses": hosts}


def few(addresses: list[Address]) -> list[Address]:
    """
    @param addresses: the system's preference first.
    @return: L{MAX_TARGET_ADDRESSES} of them, in the same order; half of these are of the other family, as far
        as it has so many, since all of one may be out of reach.
    """
    six = [each for each in addresses if ":" in each[0]]
    four = [each for each in addresses if ":" not in each[0]]
    half = MAX_TARGET_ADDRESSES // 2
    kept = six[: max(half, MAX_TARGET_ADDRESSES - len(four))] + four[: max(half, MAX_TARGET_ADDRESSES - len(six))]
    return [each for each in addresses if each in kept]
