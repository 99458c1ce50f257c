"""
Numbers in few letters, for tables.
"""

from __future__ import annotations

KIBI = 1024
KILO = 1000
ONE_DECIMAL_BELOW = 9.95
"""Smaller amounts are shown with one digit behind the point."""

MINUTE_SECONDS, HOUR_SECONDS, DAY_SECONDS = 60, 3600, 86400
TWO_DAYS = 2 * DAY_SECONDS
TWO_HOURS = 2 * HOUR_SECONDS
TWO_MINUTES = 2 * MINUTE_SECONDS


def scaled(number: float, base: int, letters: str) -> str:
    """
    @param base: what one letter is of the one before it.
    @param letters: for the base, its square and so on.
    @return: the number in at most five letters, with the letter behind it that fits.
    """
    if number < base:
        return f"{number:.0f}"
    for letter in letters:
        number /= base
        if number < ONE_DECIMAL_BELOW:
            return f"{number:.1f}{letter}"
        if round(number) < base:
            break
    return f"{number:.0f}{letter}"


def shortSize(amount: int) -> str:
    """
    @return: an amount of bytes, where K is 1024.
    """
    return scaled(amount, KIBI, "KMGTPE")


def shortRate(bytesPerSecond: float) -> str:
    """
    @return: a rate in bits per second, where k is 1000.
    """
    return scaled(bytesPerSecond * 8, KILO, "kMGTPE")


def shortCount(number: int) -> str:
    """
    @return: a count, where k is 1000.
    """
    return scaled(number, KILO, "kMGTPE")


def ageOf(seconds: float) -> str:
    """
    @return: a time that has passed, in its largest unit.
    """
    whole = max(int(seconds), 0)
    if whole < TWO_MINUTES:
        return f"{whole}s"
    if whole < TWO_HOURS:
        return f"{whole // MINUTE_SECONDS}m"
    if whole < TWO_DAYS:
        return f"{whole // HOUR_SECONDS}h"
    return f"{whole // DAY_SECONDS}d"


def spanOf(seconds: float) -> str:
    """
    @return: a time that has passed, in its two largest units.
    """
    whole = max(int(seconds), 0)
    units = ((DAY_SECONDS, "d"), (HOUR_SECONDS, "h"), (MINUTE_SECONDS, "m"), (1, "s"))
    parts: list[str] = []
    for size, letter in units:
        if whole >= size or (letter == "s" and not parts):
            parts.append(f"{whole // size}{letter}")
        whole %= size
    return " ".join(parts[:2])


def milliseconds(seconds: float) -> str:
    """
    @return: a round trip; nothing while none is known.
    """
    if not seconds:
        return ""
    thousandths = seconds * 1000
    return f"{thousandths:.1f}ms" if thousandths < ONE_DECIMAL_BELOW else f"{thousandths:.0f}ms"
