"""
Draws C{docs/packages.svg}: the packages of C{uotp} on their floors, and which imports which, as
the code has it.  Run it after a change of imports; a test compares the picture with the code::

    python docs/draw_packages.py

A package stands one floor above the highest that it imports.  The packages of the lowest floor
are imported nearly everywhere, so each box names them in place of arrows.  Arrows to one package
that begin on several floors run together.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from itertools import combinations, pairwise
from math import fsum
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
SOURCE = FOLDER.parent / "uotp"
PICTURE = FOLDER / "packages.svg"

APART = {"_version"}
"""Modules that are no part of the design."""

FLOORS = ("", "values and the log", "seams, wire, system", "the work", "the two ends", "embedding", "command lines")
"""What stands on each floor, from the first on."""

COLOURS = (
    "#1f77b4",
    "#d62728",
    "#2ca02c",
    "#9467bd",
    "#e08214",
    "#17a2b8",
    "#8c564b",
    "#e377c2",
    "#8a8a00",
    "#3f3fbf",
    "#006d4e",
    "#b0005e",
    "#555555",
)
"""One for the arrows to each package, by turns."""

BOX_WIDTH = 176
BOX_HEIGHT = 46
BEND_WIDTH = 10
HEAD_HEIGHT = 8
GAP = 26
FLOOR_HEIGHT = 116
LABEL_WIDTH = 150
MARGIN = 24
"""Lengths in the picture, in pixels."""

SWEEPS = 24
"""How often the order on the floors is improved, and then the places."""


@dataclass(frozen=True, order=True, slots=True)
class Node:
    """
    Stands for a place on a floor: the box of a package, or a bend of the arrows to it that come
    from higher up.

    @ivar floor: the floor, from 1 on.
    @ivar package: the package.
    @ivar isBox: whether it is the box.
    """

    floor: int
    package: str
    isBox: bool = True

    @property
    def width(self) -> int:
        """
        The room that it takes, in pixels.
        """
        return BOX_WIDTH if self.isBox else BEND_WIDTH


Line = tuple[Node, Node]
"""A part of an arrow, from one floor to the next below."""

Rows = dict[int, list[Node]]
"""What stands on each floor, from left to right."""


def imports() -> dict[str, set[str]]:
    """
    @return: which others each package, or module beside the packages, imports.
    """
    found: dict[str, set[str]] = {}
    for path in sorted(SOURCE.rglob("*.py")):
        package = path.relative_to(SOURCE).parts[0].removesuffix(".py")
        if package in APART | {"__init__"}:
            continue
        others = found.setdefault(package, set())
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            else:
                continue
            others.update(name.split(".")[1] for name in names if name.startswith("uotp."))
    return {package: others & set(found) - {package} for package, others in found.items()}


def floorsOf(imported: Mapping[str, set[str]]) -> dict[str, int]:
    """
    @return: the floor of each package.
    """
    floors: dict[str, int] = {}

    def floorOf(package: str) -> int:
        if package not in floors:
            floors[package] = 1 + max(map(floorOf, imported[package]), default=0)
        return floors[package]

    for package in imported:
        floorOf(package)
    return floors


def linesOf(imported: Mapping[str, set[str]], floors: Mapping[str, int]) -> list[Line]:
    """
    @return: all arrows, cut into lines from floor to floor, but those to the lowest floor.
    """
    lines: set[Line] = set()
    for package, others in imported.items():
        for other in others:
            low, high = floors[other], floors[package]
            if low > 1:
                bends = [Node(floor, other, isBox=False) for floor in range(high - 1, low, -1)]
                lines.update(pairwise([Node(high, package), *bends, Node(low, other)]))
    return sorted(lines)


def crossings(rows: Rows, lines: Iterable[Line]) -> int:
    """
    @return: how many lines cross.
    """
    places = {node: place for row in rows.values() for place, node in enumerate(row)}
    byFloor: dict[int, list[tuple[int, int]]] = {}
    for upper, lower in lines:
        byFloor.setdefault(upper.floor, []).append((places[upper], places[lower]))
    return sum(
        (one[0] - other[0]) * (one[1] - other[1]) < 0
        for pairs in byFloor.values()
        for one, other in combinations(pairs, 2)
    )


def neighboursOf(lines: Iterable[Line]) -> dict[Node, list[Node]]:
    """
    @return: the nodes at the other ends of each node's lines.
    """
    found: dict[Node, list[Node]] = {}
    for upper, lower in lines:
        found.setdefault(upper, []).append(lower)
        found.setdefault(lower, []).append(upper)
    return found


def mean(values: list[float], otherwise: float) -> float:
    """
    @return: the mean of some values, or another value where there are none.
    """
    return fsum(values) / len(values) if values else otherwise


def arranged(nodes: Iterable[Node], lines: list[Line]) -> Rows:
    """
    Find an order in which few lines cross: each node goes where its neighbours are in the
    middle, floor by floor, down and up by turns.

    @return: the best order that was found.
    """
    rows: Rows = {}
    for node in sorted(nodes):
        rows.setdefault(node.floor, []).append(node)
    neighbours = neighboursOf(lines)
    best, fewest = rows, crossings(rows, lines)
    for sweep in range(SWEEPS):
        step = 1 if sweep % 2 else -1
        rows = {floor: list(row) for floor, row in rows.items()}
        for floor in sorted(rows, reverse=step < 0):
            at = {node: place / len(rows[floor - step]) for place, node in enumerate(rows.get(floor - step, []))}
            own = {node: place / len(rows[floor]) for place, node in enumerate(rows[floor])}
            wanted = {
                node: mean([at[other] for other in neighbours.get(node, []) if other in at], own[node])
                for node in rows[floor]
            }
            rows[floor].sort(key=lambda node: (round(wanted[node], 6), node.package))
        crossed = crossings(rows, lines)
        if crossed < fewest:
            best, fewest = rows, crossed
    return best


def placed(rows: Rows, lines: list[Line]) -> dict[Node, float]:
    """
    @return: the middle of each node, in pixels from the left: near those of its neighbours,
        and apart from others on its floor.
    """
    neighbours = neighboursOf(lines)
    middles: dict[Node, float] = {}
    for row in rows.values():
        whole = sum(node.width + GAP for node in row)
        left = -whole / 2
        for node in row:
            middles[node] = left + (node.width + GAP) / 2
            left += node.width + GAP
    for _ in range(SWEEPS):
        for row in rows.values():
            wanted = [mean([middles[other] for other in neighbours.get(node, [])], middles[node]) for node in row]
            fromLeft = pushed(row, wanted)
            fromRight = pushed(row[::-1], [-middle for middle in wanted[::-1]])[::-1]
            for node, one, other in zip(row, fromLeft, fromRight, strict=True):
                middles[node] = (one - other) / 2
    first = min(middle - node.width / 2 for node, middle in middles.items())
    return {node: round(middle - first + LABEL_WIDTH + MARGIN, 1) for node, middle in middles.items()}


def pushed(row: list[Node], wanted: list[float]) -> list[float]:
    """
    @return: the places, moved to the right as far as they would overlap.
    """
    found: list[float] = []
    for index, node in enumerate(row):
        least = found[-1] + (row[index - 1].width + node.width) / 2 + GAP if found else wanted[index]
        found.append(max(wanted[index], least))
    return found


def element(name: str, content: str = "", **attributes: object) -> str:
    """
    @return: an element of SVG; an underscore in an attribute's name stands for a hyphen.
    """
    words = "".join(f' {key.rstrip("_").replace("_", "-")}="{value}"' for key, value in attributes.items())
    return f"<{name}{words}>{content}</{name}>" if content else f"<{name}{words}/>"


def text(words: str, x: float, y: float, **attributes: object) -> str:
    """
    @return: some words, of which the left end, or the anchor, is at a place.
    """
    return element("text", escape(words), x=x, y=y, **attributes)


def curve(line: Line, middles: Mapping[Node, float], heights: Mapping[int, float], colour: str) -> str:
    """
    @return: one line, with the head of an arrow where it reaches a box.
    """
    upper, lower = line
    half = BOX_HEIGHT / 2
    x, y = middles[upper], heights[upper.floor] + half
    toX, toY = middles[lower], heights[lower.floor] - half - (HEAD_HEIGHT if lower.isBox else 0)
    bend = (toY - y) / 2
    path = f"M{x:.1f} {y:.1f}C{x:.1f} {y + bend:.1f} {toX:.1f} {toY - bend:.1f} {toX:.1f} {toY:.1f}"
    if not lower.isBox:
        return element("path", d=f"{path}v{BOX_HEIGHT}", fill="none", stroke=colour, stroke_width=1.8)
    head = f"M{toX - 4.5:.1f} {toY - 1:.1f}h9l-4.5 {HEAD_HEIGHT + 1}z"
    return element("path", d=path, fill="none", stroke=colour, stroke_width=1.8) + element("path", d=head, fill=colour)


def box(node: Node, x: float, y: float, colour: str, values: Iterable[str]) -> list[str]:
    """
    @return: the box of a package, with those of the lowest floor that it imports.
    """
    corner = {"x": f"{x - BOX_WIDTH / 2:.1f}", "y": f"{y - BOX_HEIGHT / 2:.1f}"}
    small = " ".join(values)
    return [
        element(
            "rect", **corner, width=BOX_WIDTH, height=BOX_HEIGHT, rx=7, fill="#ffffff", stroke=colour, stroke_width=2
        ),
        text(node.package, x, y - 2 if small else y + 5, text_anchor="middle", font_size=16, font_weight="bold"),
        text(small, x, y + 15, text_anchor="middle", font_size=11, fill="#666666"),
    ]


def picture() -> str:
    """
    @return: the picture of the code as it is, in SVG.
    """
    imported = imports()
    floors = floorsOf(imported)
    values = {package for package, floor in floors.items() if floor == 1}
    lines = linesOf(imported, floors)
    boxes = sorted(Node(floor, package) for package, floor in floors.items())
    middles = placed(arranged({*boxes, *(node for line in lines for node in line)}, lines), lines)
    top = max(floors.values())
    heights = {floor: MARGIN + BOX_HEIGHT / 2 + (top - floor) * FLOOR_HEIGHT for floor in range(1, top + 1)}
    width = max(middle + node.width / 2 for node, middle in middles.items()) + MARGIN
    height = heights[1] + BOX_HEIGHT / 2 + MARGIN
    targets = sorted({lower.package for _, lower in lines})
    colours = {package: COLOURS[index % len(COLOURS)] for index, package in enumerate(targets)}
    parts = [element("rect", width="100%", height="100%", fill="#ffffff")]
    for floor, y in heights.items():
        parts.append(text(f"{floor}", MARGIN, y + 7, font_size=22, fill="#999999"))
        parts.append(text(FLOORS[floor], MARGIN + 24, y + 5, font_size=13, fill="#777777"))
    parts += [curve(line, middles, heights, colours[line[1].package]) for line in lines]
    for node in boxes:
        used = sorted(imported[node.package] & values)
        parts += box(node, middles[node], heights[node.floor], colours.get(node.package, "#444444"), used)
    size = {"width": f"{width:.0f}", "height": f"{height:.0f}", "viewBox": f"0 0 {width:.0f} {height:.0f}"}
    drawing = "\n".join(["", *parts, ""])
    return element("svg", drawing, xmlns="http://www.w3.org/2000/svg", **size, font_family="sans-serif") + "\n"


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
