"""
The main figures as a picture: one panel each, with a bar for every contender.  It
is SVG, written by hand, and needs nothing to draw it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from bench.contenders import BARE, FORMAT_ONE, ORIGINAL, OURS
from bench.results import Outcome

COLUMNS = 3
MARGIN, GAP = 28, 22
PANEL_WIDTH = 290
HEAD, BAR, BAR_GAP, FOOT = 50, 20, 7, 12
TITLE_HEIGHT = 74
LABEL_WIDTH, MOST_LABEL_WIDTH = 66, 110
LETTER, DIGIT = 6.6, 7.8
"""Width of a letter of a label and of a value, on average; in pixels, as everything here."""

BACKGROUND, PANEL, INK, FAINT = "#ffffff", "#f6f8fa", "#1f2328", "#656d76"
COLOURS = {OURS: "#1a7f5a", FORMAT_ONE: "#8fc7ae", ORIGINAL: "#c8703a", BARE: "#8c959f"}
OTHERS = ("#3f7fd6", "#8250df", "#bf3989", "#9a6700")
FONT = "-apple-system, 'Segoe UI', 'Noto Sans', Helvetica, Arial, sans-serif"

TITLE = "uotp in figures"
TIMES = "\N{MULTIPLICATION SIGN}"
SUBTITLE = f"medians of runs that took turns on one machine; {TIMES} is ours to the original's"
LABELS = {BARE: "no tunnel", FORMAT_ONE: "format 1"}
LEAST_THOUSAND = 1000
LEAST_HUNDRED = 100
LEAST_TEN = 10
LEAST_ONE = 1


@dataclass(frozen=True, slots=True)
class Panel:
    """
    One figure of one scenario.

    @ivar figure: by the name that L{bench.figures.FIGURES} has.
    @ivar unit: as it is shown.
    @ivar more: whether more of it is better.
    @ivar without: contenders beside whose bars the others would not be seen.
    """

    scenario: str
    figure: str
    title: str
    unit: str
    more: bool
    without: tuple[str, ...] = ()


PANELS = (
    Panel("throughput/1400", "rate", "Throughput, 1400 bytes", "datagrams/s, sent in trains", True, (BARE,)),
    Panel("throughput/200", "rate", "Throughput, 200 bytes", "datagrams/s, sent in trains", True, (BARE,)),
    Panel("throughput/1400", "processor", "Processor, 1400 bytes", "µs for each, both ends", more=False),
    Panel("roundtrip/200", "roundTripMedian", "Round trip at 200/s", "ms, median", more=False),
    Panel("roundtrip/2000", "roundTripMedian", "Round trip at 2000/s", "ms, median", more=False),
    Panel("idle/memory", "kibibytesPerTunnel", "Memory of an idle tunnel", "KiB at the server", more=False),
    Panel("link/loss-1", "delayP99", "20 Mbit/s, 20 ms, 1 % loss", "ms one way, 99th percentile", more=False),
    Panel("link/overload", "delayMedian", "80 Mbit/s offered to 50", "ms one way, median", more=False),
    Panel("link/overload-small", "smallDelayP99", "Small ones beside that", "ms one way, 99th percentile", more=False),
    Panel("wireguard/loss-0", "megabits", "WireGuard, no loss", "Mbit/s, one TCP flow", more=True),
    Panel("wireguard/loss-0.5", "megabits", "WireGuard, 0.5 % loss", "Mbit/s, one TCP flow", more=True),
    Panel("wireguard/loss-2", "megabits", "WireGuard, 2 % loss", "Mbit/s, one TCP flow", more=True),
    Panel("order/light/loss-0.5", "disorder", "Out of order at 5 Mbit/s", "%, at 0.5 % loss", more=False),
    Panel("order/heavy/loss-0.5", "disorder", "Out of order at 80 Mbit/s", "%, at 0.5 % loss", more=False),
    Panel("hand-over/black-hole", "lost", "One connection goes dead", "datagrams lost at 67 Mbit/s", more=False),
    Panel("hand-over/black-hole", "replacedSeconds", "The dead one is replaced", "seconds after", more=False),
    Panel("hand-over/restart", "fromStartSeconds", "The server starts again", "seconds until it flows", more=False),
    Panel("hand-over/restart", "lost", "The server is killed", "lost at 200 a second", more=False),
)


def chart(results: Mapping[str, Outcome]) -> str:
    """
    @return: an SVG document of those panels for which there are numbers.
    """
    filled = [(panel, bars) for panel in PANELS if (bars := barsOf(panel, results))]
    colours = coloursOf([name for _, bars in filled for name, _ in bars])
    width = 2 * MARGIN + COLUMNS * PANEL_WIDTH + (COLUMNS - 1) * GAP
    top = TITLE_HEIGHT
    body = []
    for start in range(0, len(filled), COLUMNS):
        line = filled[start : start + COLUMNS]
        height = HEAD + max(len(bars) for _, bars in line) * (BAR + BAR_GAP) - BAR_GAP + FOOT
        for column, (panel, bars) in enumerate(line):
            place = f"translate({MARGIN + column * (PANEL_WIDTH + GAP)} {top})"
            body.append(f'<g transform="{place}">{_panel(panel, bars, height, colours)}</g>')
        top += height + GAP
    whole = top - GAP + MARGIN
    content = "\n".join(
        [
            f'<rect width="{width}" height="{whole}" rx="10" fill="{BACKGROUND}"/>',
            _text(MARGIN, 36, TITLE, size=20, weight=600),
            _text(MARGIN, 57, SUBTITLE, INK_FAINT),
            *body,
        ]
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{whole}" '
        f'viewBox="0 0 {width} {whole}" font-family="{FONT}" role="img" aria-label="{TITLE}">\n{content}\n</svg>\n'
    )


Style = Mapping[str, str]
INK_FAINT: Style = {"fill": FAINT, "font-size": "12.5"}


def barsOf(panel: Panel, results: Mapping[str, Outcome]) -> list[tuple[str, float]]:
    """
    @return: contenders with their medians: ours first, and what has no tunnel last.
    """
    outcome = results.get(panel.scenario)
    if outcome is None:
        return []
    drawn = [name for name in outcome.contenders() if name not in panel.without]
    medians = {name: outcome.medians(name).get(panel.figure) for name in drawn}
    there = [(name, value) for name, value in medians.items() if value is not None]
    return sorted(there, key=lambda bar: (bar[0] != OURS, bar[0] == BARE))


def coloursOf(names: Sequence[str]) -> dict[str, str]:
    """
    @return: a colour for each contender.
    """
    others = [name for name in dict.fromkeys(names) if name not in COLOURS]
    return {**COLOURS, **{name: OTHERS[number % len(OTHERS)] for number, name in enumerate(others)}}


def _panel(panel: Panel, bars: Sequence[tuple[str, float]], height: int, colours: Mapping[str, str]) -> str:
    better = "more is better" if panel.more else "less is better"
    parts = [
        f'<rect width="{PANEL_WIDTH}" height="{height}" rx="8" fill="{PANEL}"/>',
        _text(12, 21, panel.title, size=14, weight=600),
        _text(12, 38, f"{panel.unit} · {better}", {"fill": FAINT, "font-size": "11.5"}),
    ]
    longest = max(value for _, value in bars) or 1.0
    labels = min(MOST_LABEL_WIDTH, max(LABEL_WIDTH, max(len(LABELS.get(name, name)) for name, _ in bars) * LETTER))
    room = PANEL_WIDTH - labels - 30 - DIGIT * max(len(shown(value)) for _, value in bars)
    values = dict(bars)
    left = labels + 14
    for number, (name, value) in enumerate(bars):
        top = HEAD + number * (BAR + BAR_GAP)
        length = max(2.0, room * value / longest)
        middle = top + BAR * 0.7
        weight = 600 if name == OURS else 400
        label = LABELS.get(name, name)
        parts += [
            _text(12, middle, label, size=12.5, weight=weight),
            f'<rect x="{left:.1f}" y="{top}" width="{length:.1f}" height="{BAR}" rx="3" fill="{colours[name]}"/>',
            _text(left + length + 6, middle, shown(value), size=12.5, weight=weight),
        ]
    if values.get(ORIGINAL) and OURS in values:
        ratio = values[OURS] / values[ORIGINAL]
        times = f"{TIMES}{shown(ratio)}"
        colour = colours[OURS] if (ratio > 1) == panel.more else FAINT
        end = {"text-anchor": "end", "fill": colour, "font-size": "14", "font-weight": "600"}
        parts.append(_text(PANEL_WIDTH - 12, 21, times, end))
    return "".join(parts)


def shown(value: float) -> str:
    """
    @return: a number with about three digits, thousands apart.
    """
    if value >= LEAST_THOUSAND:
        digits = len(str(int(value))) - 3
        return f"{round(value, -digits):,.0f}".replace(",", "\N{NO-BREAK SPACE}")
    if value >= LEAST_HUNDRED:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= LEAST_TEN else f"{value:.2f}"


def _text(
    left: float, base: float, words: str, style: Style | None = None, *, size: float = 12.5, weight: int = 400
) -> str:
    settings = {"fill": INK, "font-size": f"{size:g}", "font-weight": str(weight), **(style or {})}
    attributes = " ".join(f'{name}="{value}"' for name, value in settings.items())
    return f'<text x="{left:.1f}" y="{base:.1f}" {attributes}>{escape(words)}</text>'
