"""
Where the server is: the client's lookups of its name, and what is dialled when they fail.

Each lookup may go into a VPN that needs the tunnel which is to be dialled.  It then takes half a
minute, or ends with an error, and neither says anything of the server.  So a good address is
never given up for a failure: when a lookup fails, or takes longer than a moment, the addresses
that were found or were good before are dialled.  A lookup that succeeds replaces them, as soon
as it ends.

Each attempt to dial asks anew.  With C{once} it does so only until there is an answer, and again
after a reload and when no tunnel has opened for some time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import LogLevel
from twisted.python.failure import Failure

from uotp.client.lookup.firstlookup import FirstLookup
from uotp.client.lookup.lastgood import LastGood
from uotp.errors import LookupFailed
from uotp.net import Addresses, Host, Semantics, SharedResolver, hostAt, literalAddress
from uotp.telemetry import Logger, RateLimit, logCounted, orLog

LOOKUP_PATIENCE_SECONDS = 1.0
"""
So long an attempt to dial waits for a lookup when there are other addresses.  A name server that
answers does so in a tenth of that, and if it takes longer, the next attempt has its answer.
"""

LOOK_AGAIN_SECONDS = 10.0
"""
With C{once} the name is looked up again when attempts have failed for so long, and again as long
after that.  Most outages are over before, and a server with another address is found in 15 s.
"""

MOST_IN_A_LINE = 8
"""So many addresses the log names at once: whoever answers for a name may give it hundreds."""

SLOW = "the name servers have not answered yet"
"""Why remembered addresses are dialled while a lookup is under way."""


class ServerLookup:
    """
    Finds the addresses of the server for whoever dials.

    @ivar first: tells when the start is over.
    """

    _log = Logger()

    def __init__(
        self,
        server: tuple[str, int],
        resolver: SharedResolver,
        lastGood: LastGood,
        clock: Any,
        rateLimit: RateLimit,
        failingSince: Callable[[], float | None],
        *,
        once: bool,
        retrySeconds: float,
    ) -> None:
        """
        @param server: host name or address, and port.
        @param resolver: asks the system.
        @param lastGood: the addresses that were good before.
        @param clock: C{IReactorTime}.
        @param rateLimit: keeps the log short.
        @param failingSince: tells since when attempts fail and there is no tunnel, or L{None}.
        @param once: whether an answer is kept.
        @param retrySeconds: from a first lookup that has failed to the next one.
        """
        self._server = server
        self._resolver = resolver
        self._lastGood = lastGood
        self._clock = clock
        self._rateLimit = rateLimit
        self._failingSince = failingSince
        self._once = once
        self.first = FirstLookup(clock, retrySeconds, self._beginUnlessBegun)
        self._found: Addresses = []
        self._isWanted = True  # with `once`: the answer that is there is not enough
        self._isLooking = False
        self._begunAt = float("-inf")
        self._trouble: str | None = None  # with the last lookup, or the one that is under way
        self._waiting: list[Deferred[Addresses]] = []
        self._patience: IDelayedCall | None = None
        self._isStopped = False

    # The start and the end.

    def start(self) -> None:
        """
        Look the name up now, before a VPN that needs the tunnel has taken the name servers away,
        and again until there is something to dial.
        """
        self._isStopped = False
        self._lastGood.open()
        self._beginUnlessBegun()

    def stop(self) -> None:
        """
        Ask no more, and write down what was good.
        """
        self._isStopped = True
        self.first.stop()
        self._waitNoMore()
        self._lastGood.close()

    # What others tell.

    def lookAgain(self) -> None:
        """
        The network may have changed, or the server have moved: what was found is not kept any
        longer than until another answer is there.
        """
        self._isWanted = True
        self._beginUnlessBegun()

    def opened(self, address: Any) -> None:
        """
        A tunnel has opened.

        @param address: Twisted's, of the other end.
        """
        self._lastGood.note(hostAt(address))

    # Whoever dials asks.

    def lookUp(self, host: str, port: int, semantics: Semantics) -> Deferred[Addresses]:
        """
        See L{SharedResolver.lookUp}.  It answers for the server alone, whatever the arguments say.
        """
        if self._once and self._found and not self._isWanted:
            if self._isLongDown():
                self._begin()
            return succeed(self._found)
        if not self._isLooking:
            self._begin()
        if not self._isLooking:
            return self._answer()
        instead = self._instead()
        if instead and self._trouble is not None:
            return succeed(instead)
        answer: Deferred[Addresses] = Deferred()
        self._waiting.append(answer)
        return answer

    def _isLongDown(self) -> bool:
        since, now = self._failingSince(), self._clock.seconds()
        if since is None or self._isLooking:
            return False
        longest: float = now - max(since, self._begunAt)
        return longest >= LOOK_AGAIN_SECONDS

    def _answer(self) -> Deferred[Addresses]:
        """
        @return: what the lookup that has just ended leads to.
        """
        if self._trouble is None:
            return succeed(self._found)
        instead = self._instead()
        return succeed(instead) if instead else fail(LookupFailed(self._trouble))

    def _instead(self) -> Addresses:
        """
        @return: what to dial when a lookup fails: first where a tunnel has opened, the last one
            first, and then what was found.
        """
        host, port = self._server
        if Host.parse(host).address is not None:
            return []
        good = [literalAddress(each, port, "TCP") for each in self._lastGood.hosts]
        known = {each.host for each in good}
        return good + [each for each in self._found if each.host not in known]

    # One lookup.

    def _beginUnlessBegun(self) -> None:
        if not (self._isLooking or self._isStopped):
            self._begin()

    def _begin(self) -> None:
        self.first.begun()
        self._isLooking = True
        self._begunAt = self._clock.seconds()
        looking = self._resolver.lookUp(*self._server, "TCP")
        orLog(looking.addCallbacks(self._cameTo, self._failed), self._log, "the answer of a lookup is lost")
        if self._isLooking and self._trouble is None and not self._isStopped:
            self._patience = self._clock.callLater(LOOKUP_PATIENCE_SECONDS, self._isSlow)

    def _isSlow(self) -> None:
        self._patience = None
        if self._instead():
            self._goOnWithout(SLOW)

    def _end(self) -> None:
        self._isLooking = False
        self._waitNoMore()

    def _waitNoMore(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _cameTo(self, found: Addresses) -> None:
        self._end()
        before, self._found = self._found, found
        self._isWanted, self._trouble = False, None
        if before and hosts(before) != hosts(found):
            words = "the addresses of {host} are now {addresses}"
            self._say(LogLevel.info, "moved", words, addresses=inWords(found))
        self._tell()

    def _failed(self, reason: Failure) -> None:
        reason.trap(LookupFailed)
        self._end()
        why = str(reason.value)
        if self._instead():
            self._goOnWithout(why)
        elif not (self.first.isOver or self._isStopped):
            self._say(LogLevel.warn, why, "{host}: {reason}, trying again", reason=why)
        self._trouble = why
        if not (self._isLooking or self._isStopped):
            self.first.failed()
        waiting, self._waiting = self._waiting, []
        for answer in waiting:
            answer.errback(LookupFailed(why))

    def _goOnWithout(self, why: str) -> None:
        if self._trouble is None:
            words = "{host}: {reason}; what was good before is dialled: {addresses}"
            self._say(LogLevel.warn, "instead", words, reason=why, addresses=inWords(self._instead()))
        self._trouble = why
        self._tell()

    def _tell(self) -> None:
        """
        Answer all who wait: there is something to dial.
        """
        if self._trouble is None:
            self.first.found()
        elif not self._isStopped:
            self.first.goesOnWithout()
        waiting, self._waiting = self._waiting, []
        for answer in waiting:
            answer.callback(self._found if self._trouble is None else self._instead())

    def _say(self, level: Any, event: str, words: str, **fields: object) -> None:
        suppressed = self._rateLimit.suppressedBefore(("lookup", event))
        logCounted(self._log, level, suppressed, words, host=self._server[0], **fields)


def hosts(addresses: Iterable[IPv4Address | IPv6Address]) -> frozenset[str]:
    """
    @return: the hosts among addresses, whose order changes with each lookup.
    """
    return frozenset(each.host for each in addresses)


def inWords(addresses: Iterable[IPv4Address | IPv6Address]) -> str:
    """
    @return: addresses for the log, or the first of them.
    """
    named = [each.host for each in addresses]
    more = len(named) - MOST_IN_A_LINE
    return ", ".join(named[:MOST_IN_A_LINE]) + (f" and {more} more" if more > 0 else "")
