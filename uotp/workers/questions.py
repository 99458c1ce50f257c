"""
Questions that a parent asks all of its workers: it waits for what they answer, but not long for one that
does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import count
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from uotp.errors import PeerError

ANSWER_SECONDS = 1.0
"""So long workers are waited for: one that works answers in some milliseconds."""


MOST_ANSWER_PARTS = 256
"""So many parts an answer has at the most: a report of as many sessions as there may be in one has 65."""


class Question:
    """
    Is one question, while not all have answered.
    """

    def __init__(self, done: Deferred[dict[int, Any]]) -> None:
        """
        @param done: fires with what each worker has answered, by its number.
        """
        self.done = done
        self.awaited: set[int] = set()
        self.answers: dict[int, Any] = {}
        self.parts: dict[int, list[object]] = {}
        self.deadline: IDelayedCall | None = None


class Questions:
    """
    Asks all workers, and gathers what they answer.
    """

    def __init__(self, send: Callable[[int, object], bool], clock: Any) -> None:
        """
        @param send: sends a worker a message; returns whether there is one that gets it.
        @param clock: C{IReactorTime}.
        """
        self._send = send
        self._clock = clock
        self._numbers = count(1)
        self._open: dict[int, Question] = {}
        self._lastAsked = 0

    def ask(self, workers: Iterable[int], make: Callable[[int], object]) -> Deferred[dict[int, Any]]:
        """
        Ask all.

        @param make: makes the message of a question's number, which is answered with.
        @return: fires with what they have answered, by their numbers, when all have, or after L{ANSWER_SECONDS}.
        """
        number = self._lastAsked = next(self._numbers)
        question = self._open[number] = Question(Deferred())
        done = question.done
        question.awaited = {worker for worker in workers if self._send(worker, make(number))}
        question.deadline = self._clock.callLater(ANSWER_SECONDS, self._over, number)
        self._look(number)
        return done

    def answered(self, worker: int, number: int, answer: Any) -> None:
        """
        A worker has answered.

        @raise PeerError: when it was not asked.
        """
        question = self._open.get(number)
        if question is None:
            if 0 < number <= self._lastAsked:
                return  # it comes late
        elif worker in question.awaited:
            question.awaited.discard(worker)
            question.answers[worker] = answer
            self._look(number)
            return
        reason = "it answers what it was not asked"
        raise PeerError(reason)

    def toldPart(self, worker: int, number: int, part: object, *, isLast: bool) -> None:
        """
        A worker has answered a part.  Its answer is all parts together.

        @raise PeerError: when it was not asked, or there are more than L{MOST_ANSWER_PARTS}.
        """
        question = self._open.get(number)
        parts: list[object] = [] if question is None else question.parts.setdefault(worker, [])
        parts.append(part)
        if len(parts) > MOST_ANSWER_PARTS:
            reason = "its answer is too long"
            raise PeerError(reason)
        if isLast or question is None or worker not in question.awaited:
            self.answered(worker, number, parts)

    def lost(self, worker: int) -> None:
        """
        A worker is gone: it answers nothing more.
        """
        for number in list(self._open):
            self._open[number].awaited.discard(worker)
            self._look(number)

    def _look(self, number: int) -> None:
        if not self._open[number].awaited:
            self._over(number)

    def _over(self, number: int) -> None:
        question = self._open.pop(number)
        if question.deadline is not None and question.deadline.active():
            question.deadline.cancel()
        question.done.callback(question.answers)
