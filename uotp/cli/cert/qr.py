"""
A text as a QR code on a terminal.
"""

from __future__ import annotations

import shutil
from itertools import zip_longest
from typing import TextIO

BORDER = 2
"""Modules of light around the code.  The standard asks for 4; all of today's readers are content with 2."""

BLOCKS = {(False, False): " ", (True, False): "\u2580", (False, True): "\u2584", (True, True): "\u2588"}
"""One letter shows two modules, one above the other: whether the upper and the lower one are dark."""

COLOURS, NO_COLOURS = "\x1b[30;107m", "\x1b[0m"
"""Black on white, whatever the terminal has otherwise: many readers know no other."""


def showCode(data: bytes, terminal: TextIO) -> str:
    """
    @param data: the text.
    @param terminal: where it will be shown.
    @return: the code, or why it cannot be shown, in lines.
    """
    import segno  # noqa: PLC0415 - only those need it who want a code

    try:
        code = segno.make(data, error="l", boost_error=False, micro=False, mode="byte")
    except segno.DataOverflowError:
        return f"It does not fit into a QR code: that holds 2953 bytes, and it has {len(data)}.\n"
    try:
        "".join(BLOCKS.values()).encode(terminal.encoding or "utf-8")
    except UnicodeEncodeError:
        return f"A QR code cannot be shown in {terminal.encoding}: it needs a terminal in UTF-8.\n"
    rows = [tuple(map(bool, row)) for row in code.matrix_iter(border=BORDER)]
    width, height = len(rows[0]), (len(rows) + 1) // 2
    if terminal.isatty():
        there = shutil.get_terminal_size()
        if width > there.columns or height >= there.lines:
            return (
                f"The QR code needs a terminal of {width} columns and {height + 1} lines, and this one has "
                f"{there.columns} and {there.lines}: make its letters smaller, or copy the file.\n"
            )
    light = (False,) * width
    pairs = zip_longest(rows[::2], rows[1::2], fillvalue=light)
    lines = ["".join(BLOCKS[module] for module in zip(*pair, strict=True)) for pair in pairs]
    return "".join(f"{COLOURS}{line}{NO_COLOURS}\n" for line in lines)
