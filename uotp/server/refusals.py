"""
Who is refused, and how handshakes end: each is counted, and refusals are told to the log, so often
that whoever is refused all day does not fill it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from enum import Enum

from twisted.logger import LogLevel

from uotp.errors import Refusal
from uotp.server.clientfields import clientFields
from uotp.telemetry import Logger, RateLimit, causeOf, logCounted


class Handshake(Enum):
    """
    Names how a handshake of TLS has ended.
    """

    DONE = "is done"
    REFUSED = "one end has refused the other"
    LOST = "the connection was lost, or took too long"


class Refusals:
    """
    Counts refusals and handshakes, and logs the former.

    @ivar counts: how many there were of each kind.
    @ivar handshakes: how many have ended in each way.
    """

    _log = Logger()

    def __init__(self, rateLimit: RateLimit) -> None:
        """
        @param rateLimit: keeps the log short; of its own, since strangers choose what is said here.
        """
        self._rateLimit = rateLimit
        self.counts: Counter[Refusal] = Counter()
        self.handshakes: Counter[Handshake] = Counter()

    def say(self, peer: str, reason: str, kind: Refusal, certificate: str | None = None) -> None:
        """
        Somebody is refused.

        @param peer: where he comes from.
        @param reason: why, in words.
        @param certificate: what the log calls his certificate.
        """
        words = "refused a connection from {peer}: {reason}{certificateWords}"
        self._tell(LogLevel.warn, words, peer, reason, kind, certificate)

    def sayVisitor(self, peer: str, reason: str, kind: Refusal, certificate: str | None = None) -> None:
        """
        Somebody is no client, and is brought to the web site, as its visitors are.  That counts as a refusal.

        @param peer: see L{say}.
        """
        words = "brought a visitor from {peer} to the web site: {reason}{certificateWords}"
        self._tell(LogLevel.info, words, peer, reason, kind, certificate)

    def sayShutOut(self, peer: str, reason: str, kind: Refusal, certificate: str | None = None) -> None:
        """
        Somebody who was let in may not go on.  That counts as a refusal.

        @param peer: see L{say}.
        """
        words = "closed a tunnel from {peer}: {reason}{certificateWords}"
        self._tell(LogLevel.warn, words, peer, reason, kind, certificate)

    def _tell(
        self, level: LogLevel, words: str, peer: str, reason: str, kind: Refusal, certificate: str | None
    ) -> None:
        self.counts[kind] += 1
        logCounted(
            self._log,
            level,
            self._rateLimit.suppressedBefore((peer, causeOf(reason))),
            words,
            peer=peer,
            reason=reason,
            certificateWords="" if certificate is None else f" (its certificate: {certificate})",
            **clientFields(certificate),
        )

    def byKind(self) -> Mapping[str, int]:
        """
        @return: how many were refused, by the name of the kind.
        """
        return {kind.name: self.counts[kind] for kind in Refusal}

    def byResult(self) -> Mapping[str, int]:
        """
        @return: how many handshakes have ended, by the name of the result.
        """
        return {result.name: self.handshakes[result] for result in Handshake}
