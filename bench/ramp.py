"""
How much can be carried: a rate that is raised in steps until it is too much, and then closed in
on.  Pure: who asks measures each step.
"""

from __future__ import annotations

from collections.abc import Callable

TRIES = 2
"""A step has failed when it has failed so often: a machine may stumble once."""


def highestRate(passes: Callable[[float], bool], first: float, factor: float, closer: int) -> float:
    """
    @param passes: tries a rate.
    @param first: the rate to begin with.
    @param factor: from one step to the next.
    @param closer: how often the distance to the least rate that has failed is halved afterwards, in steps
        of the same factor each.
    @return: the highest rate that has passed; 0 when the first has not.
    """

    def holds(rate: float) -> bool:
        return any(passes(rate) for _ in range(TRIES))

    if not holds(first):
        return 0.0
    most = first
    while holds(most * factor):
        most *= factor
    for _ in range(closer):
        factor **= 0.5
        if holds(most * factor):
            most *= factor
    return most
