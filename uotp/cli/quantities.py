"""
Times and sizes as people write them: a number, with a unit behind it or without.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal

TIME_UNITS = {
    **dict.fromkeys(("ms", "msec", "millisecond", "milliseconds"), Decimal("0.001")),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), Decimal(1)),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), Decimal(60)),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), Decimal(3600)),
    **dict.fromkeys(("d", "day", "days"), Decimal(86400)),
}
"""How many seconds each unit has."""

SIZE_BITS = {"": 0, "k": 10, "m": 20, "g": 30, "t": 40}
"""Which power of two each unit of a size is."""

_NUMBER = r"(?:[0-9]{1,15}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})"
_EXPONENT = "(?:[eE][0-9]{1,3})?"
_TIME_PART = re.compile(f"({_NUMBER})([A-Za-z]+)")
_SIZE = re.compile(f"({_NUMBER})([kmgt]?)(?:i?b)?", re.IGNORECASE)


def isBareNumber(word: str) -> bool:
    """
    @return: whether a word is a number without a unit.
    """
    return re.fullmatch(_NUMBER + _EXPONENT, word) is not None


def secondsIn(word: str) -> float | None:
    """
    @param word: a number of seconds, or numbers with units behind them, as C{1h30m}, the
        largest first.
    @return: the seconds, L{None} if the word says something else.  A large M is no unit, since
        it is none of time to anybody else.
    """
    if isBareNumber(word):
        return float(word)
    total, last, at = Decimal(0), Decimal("Infinity"), 0
    while at < len(word):
        part = _TIME_PART.match(word, at)
        unit = TIME_UNITS.get(part[2].lower()) if part and part[2] != "M" else None
        if part is None or unit is None or unit >= last:
            return None
        total, last, at = total + Decimal(part[1]) * unit, unit, part.end()
    return float(total) if word else None


def bytesIn(word: str) -> int | None:
    """
    @param word: a whole number of bytes, or a number with K, M, G or T behind it for 2^10 to
        2^40 bytes, however large, with B or iB behind that or without.
    @return: the bytes, L{None} if the word says something else.
    """
    match = _SIZE.fullmatch(word)
    if match is None or not (match[2] or match[1].isdigit()):
        return None
    return int(Decimal(match[1]) * (1 << SIZE_BITS[match[2].lower()]))


def howToWrite(word: str, isGood: Callable[[str], bool], *, isWhole: bool = False) -> str:
    """
    @param word: what could not be used.
    @param isGood: tells whether a word could.
    @param isWhole: whether the number has no fraction: then a comma before three digits can
        only be one between thousands.
    @return: how to write what the word most probably means, to stand at the end of an error;
        nothing when that is not known.
    """
    bare = re.sub(r"(?<=[0-9])[\s_'](?=[0-9A-Za-z])", "", word.strip())
    thousands = re.sub("(?<=[0-9]),(?=[0-9]{3})", "", bare) if isWhole else bare
    point = bare.replace(",", ".") if re.search(r",[0-9]{1,2}(?![0-9])", bare) else bare
    for written in (bare, bare.lower(), thousands, point):
        if written != word and isGood(written):
            return f": write {written}"
    return ""
