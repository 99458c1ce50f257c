"""
Whose turn it is to shake hands.  A handshake costs as much as hundreds of datagrams, and a
stranger can ask for many at once.  So none goes on when the reactor says that it could: it
waits in a queue, which takes one step in each turn of the reactor, and whatever is carried
goes on between.  A step takes 0.2 to 1 ms, and up to 4 on a slow machine.

Strangers are told apart by their owners, which are addresses.  The owner with the fewest that
wait comes first, and of several the one of which something came or went last; so whoever
sends many makes nobody wait but himself.  Of one owner, what has begun goes on before anything new begins, the oldest
first; of what is new the newest comes first, since whoever waits long may have given up.

While many wait, the program never sleeps.  Systems let such a program go on until the next tick
of their clock, 4 ms on many, though others are ready to run: the client of a flow on the same
machine, or the VPN.  So the processor is offered to them after each step, which takes a
microsecond when nobody wants it.
"""

from __future__ import annotations

import os
from collections.abc import Hashable
from heapq import heappop, heappush
from typing import Any, Protocol

from twisted.internet.interfaces import IDelayedCall

from uotp.process import regroup
from uotp.telemetry import Logger

offerProcessor = getattr(os, "sched_yield", lambda: None)
"""Lets another program run, if there is one that is ready, where the system has such a call."""


class Step(Protocol):
    """
    Waits for its turn.
    """

    def goOn(self) -> None:
        """
        It is your turn.  You are not in the queue any more.
        """

    def abort(self) -> None:
        """
        An error of ours ends this connection.
        """


class Waiting:
    """
    Keeps what waits of one owner.

    @ivar begun: what has begun, the oldest first.
    @ivar fresh: what has not, the oldest first.
    """

    __slots__ = ("begun", "fresh")

    def __init__(self) -> None:
        self.begun: dict[Step, None] = {}
        self.fresh: dict[Step, None] = {}

    def __len__(self) -> int:
        """
        How much waits.
        """
        return len(self.begun) + len(self.fresh)

    def first(self) -> Step:
        """
        @return: what comes first.
        """
        return next(iter(self.begun)) if self.begun else next(reversed(self.fresh))


class HandshakeQueue:
    """
    Gives connections that shake hands their turns.  Each call takes the same short time for
    any number that wait, but for the logarithm of how many numbers there are.
    """

    _log = Logger()

    def __init__(self, clock: Any) -> None:
        """
        @param clock: C{IReactorTime}.
        """
        self._clock = clock
        self._waiting: dict[Hashable, Waiting] = {}
        self._owners: dict[int, dict[Hashable, None]] = {}  # by how many they have waiting
        self._counts: list[int] = []  # a heap of all these numbers, and perhaps of others that are past
        self._counted: set[int] = set()  # what stands in the heap
        self._turn: IDelayedCall | None = None

    def __len__(self) -> int:
        """
        How many wait.
        """
        return sum(map(len, self._waiting.values()))

    def join(self, owner: Hashable, step: Step, *, begun: bool) -> None:
        """
        Wait for a turn.  Whoever waits already goes on waiting.

        @param owner: who has to wait behind others when this is not the only one of his.
        @param begun: whether this handshake has had a turn.
        """
        waiting = self._waiting.get(owner)
        if waiting is None:
            waiting = self._waiting[owner] = Waiting()
        elif step in waiting.begun or step in waiting.fresh:
            return
        before = len(waiting)
        (waiting.begun if begun else waiting.fresh)[step] = None
        self._move(owner, before, before + 1)
        if self._turn is None:
            self._turn = self._clock.callLater(0, self._takeStep)

    def leave(self, owner: Hashable, step: Step) -> None:
        """
        Wait no more.  Whoever does not wait may say so too.
        """
        self._remove(owner, step)
        if not self._waiting and self._turn is not None and self._turn.active():  # or somebody leaves in another's turn
            self._turn.cancel()
            self._turn = None

    def _remove(self, owner: Hashable, step: Step) -> None:
        waiting = self._waiting.get(owner)
        if waiting is None:
            return
        for steps in (waiting.begun, waiting.fresh):
            if step in steps:
                del steps[step]
                after = len(waiting)
                self._move(owner, after + 1, after)
                if not after:
                    del self._waiting[owner]
                return

    def _move(self, owner: Hashable, before: int, after: int) -> None:
        regroup(self._owners, owner, before, after)
        if after and after not in self._counted:
            self._counted.add(after)
            heappush(self._counts, after)

    def _first(self) -> tuple[Hashable, Step]:
        """
        @return: whose turn it is, and what he has to do.
        """
        while self._counts[0] not in self._owners:
            self._counted.discard(heappop(self._counts))
        owner = next(reversed(self._owners[self._counts[0]]))
        return owner, self._waiting[owner].first()

    def _takeStep(self) -> None:
        owner, step = self._first()
        self._remove(owner, step)
        try:
            step.goOn()
        except Exception:  # noqa: BLE001 - nothing costs the daemon
            self._log.failure("a handshake failed")
            step.abort()
        finally:  # whatever happened, the others have their turns
            self._turn = self._clock.callLater(0, self._takeStep) if self._waiting else None
            if self._waiting:
                offerProcessor()

    def checkInvariant(self) -> None:
        """
        What holds between any two calls.

        @raise AssertionError: when it does not.
        """
        counts = {owner: len(waiting) for owner, waiting in self._waiting.items()}
        assert all(counts.values())
        assert {owner: count for count, owners in self._owners.items() for owner in owners} == counts
        assert set(counts.values()) <= self._counted == set(self._counts)
        assert len(self._counted) == len(self._counts)
        assert (self._turn is not None) == bool(counts)
