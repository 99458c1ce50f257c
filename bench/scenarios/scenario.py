"""
What a scenario is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from bench.contenders import Contender
from bench.stage import Stage


class Scenario(Protocol):
    """
    Something that is measured.
    """

    @property
    def name(self) -> str:
        """
        Its name; what stands before the first slash is its family.
        """

    @property
    def description(self) -> str:
        """
        One sentence.
        """

    @property
    def without(self) -> Sequence[str]:
        """
        Contenders that do not take part.
        """

    @property
    def mostRounds(self) -> int:
        """
        More are not worth their time.
        """

    def missing(self, stage: Stage) -> str:
        """
        @return: what this machine lacks for it, or nothing.
        """

    def measure(self, stage: Stage, contender: Contender) -> Mapping[str, float]:
        """
        Measure once.

        @return: numbers by the names that L{bench.figures.FIGURES} has; none when it
            is nothing that the contender can do.
        @raise RigError: when it cannot be done.
        """
