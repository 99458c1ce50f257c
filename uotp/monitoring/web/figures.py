"""
Numbers as people read them, and as small curves.
"""

from __future__ import annotations

from collections.abc import Sequence

FULL_MINUTE, FULL_HOUR, FULL_DAY = 60, 3600, 86400

CURVE_WIDTH, CURVE_HEIGHT = 120, 28
"""Of a curve, in pixels."""


def inUnits(number: float, step: int, units: Sequence[str]) -> str:
    """
    @return: a number in the largest unit in which it is not below 1.
    """
    for unit in units[:-1]:
        if abs(number) < step:
            return f"{number:.0f} {unit}" if unit == units[0] else f"{number:.3g} {unit}"
        number /= step
    return f"{number:.3g} {units[-1]}"


def byteWords(number: float) -> str:
    """
    @return: an amount of bytes.
    """
    return inUnits(number, 1024, ("B", "KiB", "MiB", "GiB", "TiB", "PiB"))


def rateWords(bytesPerSecond: float) -> str:
    """
    @return: a rate, in bits, as networks have it.
    """
    return inUnits(8 * bytesPerSecond, 1000, ("bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"))


def countWords(number: float) -> str:
    """
    @return: a count, with thin spaces between thousands.
    """
    return f"{number:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def delayWords(seconds: float) -> str:
    """
    @return: a round trip or a delay; nothing known is a dash.
    """
    if not seconds:
        return "\N{EN DASH}"
    return f"{seconds * 1e3:.1f} ms" if seconds < 1 else f"{seconds:.1f} s"


def timeWords(seconds: float) -> str:
    """
    @return: how long something has been, in its two largest units.
    """
    whole = int(max(seconds, 0))
    if whole < FULL_MINUTE:
        return f"{whole} s"
    if whole < FULL_HOUR:
        return f"{whole // FULL_MINUTE} min {whole % FULL_MINUTE} s"
    if whole < FULL_DAY:
        return f"{whole // FULL_HOUR} h {whole % FULL_HOUR // FULL_MINUTE} min"
    return f"{whole // FULL_DAY} d {whole % FULL_DAY // FULL_HOUR} h"


def curve(values: Sequence[float], words: str, most: int) -> str:
    """
    @param values: the oldest first.
    @param words: what the curve shows, for who does not see it.
    @param most: so many values fill the width.
    @return: the curve as SVG, which is as high as its highest value.
    """
    top = max(values, default=0.0)
    step = CURVE_WIDTH / max(most - 1, 1)
    left = CURVE_WIDTH - step * (len(values) - 1)
    points = [
        f"{left + step * place:.1f},{CURVE_HEIGHT - 1 - (CURVE_HEIGHT - 2) * (value / top if top else 0):.1f}"
        for place, value in enumerate(values)
    ]
    line = f'<polyline points="{" ".join(points)}"/>' if len(points) > 1 else ""
    size = f'viewBox="0 0 {CURVE_WIDTH} {CURVE_HEIGHT}" preserveAspectRatio="none"'
    return f'<svg class="curve" {size} role="img" aria-label="{words}">{line}</svg>'
