"""
How all workers change to new files together: each prepares what it will use, and when all of them
have, all use it; when one cannot, none does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import count
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from uotp.errors import ConfigurationError, PeerError
from uotp.workers.reasons import oneLine
from uotp.workers.work import AdoptFiles, FilesPrepared, PrepareFiles

PREPARE_SECONDS = 30.0
"""So long workers may take to prepare: one that hangs is ended sooner."""


class Renewals:
    """
    Leads workers through one renewal after the other.
    """

    def __init__(self, send: Callable[[int, object], bool], clock: Any) -> None:
        """
        @param send: sends a worker a message.
        @param clock: C{IReactorTime}.
        """
        self._send = send
        self._clock = clock
        self._deadline: IDelayedCall | None = None
        self._numbers = count(1)
        self._current = 0
        self._contents: dict[str, bytes] = {}
        self._awaited: set[int] = set()
        self._prepared: set[int] = set()
        self._done: Deferred[None] | None = None

    def renew(self, contents: dict[str, bytes], workers: Iterable[int], adopt: Callable[[], None]) -> Deferred[None]:
        """
        Let all workers change to new files.  Only one renewal is under way at a time.

        @param contents: what the files hold, by their paths.
        @param workers: all that there may be.
        @param adopt: uses the same here; called when all workers have prepared.
        @return: fires when all have been told to use it; fails with L{ConfigurationError} when one
            cannot, or does not say so in time.
        @raise RuntimeError: while another renewal is under way.
        """
        if self._done is not None:
            reason = "a renewal is under way"
            raise RuntimeError(reason)
        self._current = next(self._numbers)
        self._prepared.clear()
        message = PrepareFiles(self._current, contents)
        self._awaited = {number for number in workers if self._send(number, message)}
        self._contents = contents
        done = self._done = Deferred()
        adopted = done.addCallback(lambda _: adopt())
        self._deadline = self._clock.callLater(PREPARE_SECONDS, self._takesTooLong)
        self._goOn()
        return adopted

    def prepared(self, worker: int, message: FilesPrepared) -> None:
        """
        A worker has prepared, or cannot.

        @raise PeerError: when it was not asked to.
        """
        if message.renewal != self._current or worker not in self._awaited:
            if message.renewal < self._current or self._done is None:
                return  # another one could not
            reason = "it has prepared what it was not asked to"
            raise PeerError(reason)
        if message.reason:
            self._fail(f"worker {worker}: {oneLine(message.reason)}")
            return
        self._awaited.discard(worker)
        self._prepared.add(worker)
        self._goOn()

    def began(self, worker: int) -> None:
        """
        A worker has been told to begin with the files that are in use.  If there will be others, it gets
        them too.
        """
        if self._done is not None and self._send(worker, PrepareFiles(self._current, self._contents)):
            self._awaited.add(worker)

    def lost(self, worker: int) -> None:
        """
        A worker is gone: the next one begins with what is in use then.
        """
        self._prepared.discard(worker)
        if worker in self._awaited:
            self._awaited.discard(worker)
            self._goOn()

    def _takesTooLong(self) -> None:
        worker = min(self._awaited)
        self._fail(f"worker {worker} has not prepared for it in {PREPARE_SECONDS:g} s")

    def _fail(self, reason: str) -> None:
        self._awaited.clear()
        self._over().errback(ConfigurationError(reason))

    def _over(self) -> Deferred[None]:
        """
        No renewal is under way any more.

        @return: what waits for its end.
        """
        done, self._done = self._done, None
        assert done is not None
        assert self._deadline is not None
        if self._deadline.active():
            self._deadline.cancel()
        self._deadline = None
        self._contents = {}  # with a key
        return done

    def _goOn(self) -> None:
        """
        When all have prepared, let them use it.
        """
        if self._awaited or self._done is None:
            return
        done = self._over()
        for worker in sorted(self._prepared):
            self._send(worker, AdoptFiles(self._current))
        done.callback(None)
