"""
The main figures as a picture: one panel each, with a bar for every contender.  pygal
draws the panels; here they are put beside each other in one SVG, which has no script.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as ET

import pygal
from pygal.style import Style

from bench.contenders import BARE, FORMAT_ONE, ORIGINAL, OURS, WSTUNNEL
from bench.results import Outcome

COLUMNS = 3
MARGIN, GAP = 28, 22
PANEL_WIDTH = 290
HEAD, BAR, FOOT = 46, 27, 8
TITLE_HEIGHT = 74
"""In pixels, as everything here."""

MOST_LETTERS = 16
"""Of a contender's name."""

TITLE_SIZE = 9.5
"""Of a panel's title, as pygal sees it, which takes letters for wider than they are; the rules say how large it is."""

VALUE_SHARE = 0.4
"""Of the longest bar: so much room is left beside it for its value."""

BACKGROUND, PANEL, INK, FAINT = "#ffffff", "#f6f8fa", "#1f2328", "#656d76"
COLOURS = {OURS: "#1a7f5a", FORMAT_ONE: "#8fc7ae", ORIGINAL: "#c8703a", BARE: "#8c959f", WSTUNNEL: "#3f7fd6"}
OTHERS = ("#8250df", "#bf3989", "#9a6700")
FONT = "-apple-system, Segoe UI, Noto Sans, Helvetica, Arial, sans-serif"

STYLE = Style(
    background="transparent",
    plot_background="transparent",
    foreground=INK,
    foreground_strong=INK,
    foreground_subtle=FAINT,
    font_family=FONT,
    value_font_family=FONT,
    label_font_size=12.5,
    major_label_font_size=12.5,
    value_font_size=12.5,
    title_font_size=TITLE_SIZE,
    opacity=1,
)
IDENTIFIER = "uotp"
"""One for all panels, so that one style sheet is for all."""

RULES = f"""inline:
#chart-{IDENTIFIER} .title {{ fill: {INK}; font-size: 14px; font-weight: 600; }}
#chart-{IDENTIFIER} .title + .title {{ fill: {FAINT}; font-size: 11.5px; font-weight: 400; }}
#chart-{IDENTIFIER} .axis .line, #chart-{IDENTIFIER} .bar rect {{ stroke: none; }}
#chart-{IDENTIFIER} .text-overlay text {{ text-anchor: start; }}
#chart-{IDENTIFIER} .ours .guides:last-child text, #chart-{IDENTIFIER} .ours .value:last-child {{ font-weight: 600; }}
"""

TITLE = "uotp in figures"
TIMES = "\N{MULTIPLICATION SIGN}"
SUBTITLE = f"medians of runs that took turns on one machine; {TIMES} is ours to the original's"
LABELS = {BARE: "no tunnel", FORMAT_ONE: "format 1"}
SVG = "http://www.w3.org/2000/svg"
LEAST_THOUSAND = 1000
LEAST_HUNDRED = 100
LEAST_TEN = 10


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
    *(
        Panel(f"roundtrip/{rate}", "roundTripProcessor", f"Work at {rate}/s", "µs a round trip, both ends", more=False)
        for rate in (100, 800, 2000)
    ),
    Panel("light/loss-1", "roundTripP99", "Light flow, 40 ms, 1 % loss", "ms there and back, 99th perc.", more=False),
    Panel("light/loss-1", "roundTripP999", "The latest one of 1000", "ms there and back", more=False),
    Panel("many/light", "roundTripProcessor", "100 sources, 1500/s", "µs a round trip, both ends", more=False),
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
    ET.register_namespace("", SVG)
    filled = [(panel, bars) for panel in PANELS if (bars := barsOf(panel, results))]
    colours = coloursOf([name for _, bars in filled for name, _ in bars])
    width = 2 * MARGIN + COLUMNS * (PANEL_WIDTH + GAP) - GAP
    picture = ET.Element(f"{{{SVG}}}svg", {"id": f"chart-{IDENTIFIER}", "role": "img", "aria-label": TITLE})
    _put(picture, "rect", width="100%", height="100%", rx=10, fill=BACKGROUND)
    _put(picture, "text", TITLE, x=MARGIN, y=36, fill=INK, style=f"font: 600 20px {FONT}")
    _put(picture, "text", SUBTITLE, x=MARGIN, y=57, fill=FAINT, style=f"font: 12.5px {FONT}")
    top = TITLE_HEIGHT
    for start in range(0, len(filled), COLUMNS):
        line = filled[start : start + COLUMNS]
        height = HEAD + BAR * max(len(bars) for _, bars in line) + FOOT
        for column, (panel, bars) in enumerate(line):
            place = f"translate({MARGIN + column * (PANEL_WIDTH + GAP)} {top})"
            group = _put(picture, "g", transform=place, class_="ours" if bars[0][0] == OURS else "others")
            _put(group, "rect", width=PANEL_WIDTH, height=height, rx=8, fill=PANEL)
            drawn = ET.fromstring(_panel(panel, bars, colours))  # noqa: S314 - it is our own
            group.extend(drawn.iterfind(f"{{{SVG}}}g"))
            if (column, start) == (0, 0):  # the others have the same
                picture.extend(drawn.iterfind(f".//{{{SVG}}}style"))
        top += height + GAP
    whole = top - GAP + MARGIN
    picture.attrib |= {"width": str(width), "height": str(whole), "viewBox": f"0 0 {width} {whole}"}
    return ET.tostring(picture, encoding="unicode") + "\n"


def _put(parent: ET.Element, tag: str, words: str | None = None, **attributes: object) -> ET.Element:
    told = {name.rstrip("_"): str(value) for name, value in attributes.items()}
    one = ET.SubElement(parent, f"{{{SVG}}}{tag}", told)
    one.text = words
    return one


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


def _panel(panel: Panel, bars: Sequence[tuple[str, float]], colours: Mapping[str, str]) -> str:
    values = dict(bars)
    title = panel.title
    if values.get(ORIGINAL) and OURS in values:
        title += f"\N{EN SPACE}{TIMES}{shown(values[OURS] / values[ORIGINAL])}"
    one = pygal.HorizontalBar(
        width=PANEL_WIDTH,
        height=HEAD + BAR * len(bars) + FOOT,
        title=f"{title}\n{panel.unit} · {'more' if panel.more else 'less'} is better",
        style=STYLE,
        css=["file://style.css", "file://graph.css", RULES],
        js=(),
        margin=4,
        margin_bottom=8,
        spacing=8,
        show_legend=False,
        show_x_labels=False,
        show_x_guides=False,
        show_y_guides=False,
        print_values=True,
        print_values_position="top",
        value_formatter=shown,
        rounded_bars=3,
        truncate_label=MOST_LETTERS,
        range=(0, (1 + VALUE_SHARE) * max(values.values()) or 1),
    )
    one.uuid = IDENTIFIER
    one.x_labels = [LABELS.get(name, name) for name, _ in reversed(bars)]
    one.add("", [{"value": value, "style": f"fill: {colours[name]}"} for name, value in reversed(bars)])
    return str(one.render(is_unicode=True))


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
