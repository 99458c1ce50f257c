"""
Of several things that are wrong with a certificate, the one to tell.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from uotp.tls.inspection import Against, Flaw

WORST_FIRST = (
    Against.ISSUER,
    Against.REVOKED,
    Against.PIN,
    Against.NAME,
    Against.NOT_YET,
    Against.EXPIRED,
    Against.CIPHER,
    Against.OTHER,
)
"""Of several objections the one that explains the others is told."""

ADVICE = re.compile(r"(?<!\\); ")
"""Stands before what can be done; in a name of a certificate a backslash is before it."""


def worstOf(flaws: Iterable[Flaw]) -> Flaw | None:
    """
    @return: what is to be told, or L{None} where nothing is known.
    """
    known = list(flaws)
    return next((each for kind in WORST_FIRST for each in known if each.against is kind), None)
