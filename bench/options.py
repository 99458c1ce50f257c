"""
The command line.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from bench.contenders import namedContender, originalContender, wsTunnelContender
from bench.ways import WAYS, throughContender

EMULATOR = Path(__file__).resolve().parents[2] / "shared" / "tools" / "linkemu" / "linkemu.c"
"""Where the source of the link emulator is, if it is anywhere."""

ROUNDS = 5
SECONDS = 5.0


def parser() -> argparse.ArgumentParser:
    """
    @return: of C{python -m bench}.
    """
    one = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure uotp, in turn with the original and with others.",
    )
    add = one.add_argument
    add("--list", action="store_true", help="say what can be measured, and end")
    add("--original", type=Path, metavar="BIN", help="bin directory of an environment with udp-over-tls-pool 0.1.1")
    add("--wstunnel", type=Path, metavar="PROGRAM", help="wstunnel 10, which takes part where one session is measured")
    add(
        "--contender",
        action="append",
        default=[],
        metavar="NAME=OPTIONS",
        help="uotp with more options at both ends; NAME=@FOLDER for another checkout, NAME=VARIABLE=VALUE for the "
        "environment; OPTIONS may follow those; may be repeated",
    )
    add(
        "--way",
        action="append",
        default=[],
        metavar="NAME",
        help=f"uotp through what stands between: {', '.join(WAYS)}; may be repeated",
    )
    add("--only", type=_words, default=[], metavar="PATTERN,...", help="names, with wildcards, or families: see --list")
    add("--rounds", type=int, default=ROUNDS, help=f"of all ({ROUNDS})")
    add(
        "--seconds",
        type=float,
        default=SECONDS,
        help=f"of a load on loopback ({SECONDS:g}); twice that over a link, three times inside WireGuard",
    )
    add("--pools", type=_numbers, default=[], metavar="1,32", help="sizes of pools to measure, besides 8")
    add("--reverse", action="store_true", help="measure the flow inside WireGuard from server to client, too")
    add("--linkemu", type=Path, metavar="FILE", help="source or program of the link emulator")
    add("--json", type=Path, metavar="FILE", help="for the raw numbers; what it holds of other scenarios stays in it")
    add("--chart", type=Path, metavar="FILE.svg", help="draw the main figures")
    add("--from", type=Path, metavar="JSON", dest="source", help="measure nothing: tell and draw what is in a file")
    return one


def parsed(words: list[str] | None = None) -> argparse.Namespace:
    """
    @param words: the command line; this process's own when left out.
    @return: the options, with contenders and emulator found.
    @raise SystemExit: with a line that says why.
    """
    one = parser()
    options = one.parse_args(words)
    if options.rounds < 1 or not options.seconds > 0:
        one.error("--rounds and --seconds are more than 0")
    try:
        options.contenders = [namedContender(text) for text in options.contender]
        options.contenders += map(throughContender, options.way)
        if options.original is not None:
            options.contenders.insert(0, originalContender(options.original))
        if options.wstunnel is not None:
            options.contenders.append(wsTunnelContender(options.wstunnel))
    except ValueError as error:
        one.error(str(error))
    if options.linkemu is None and EMULATOR.is_file():
        options.linkemu = EMULATOR
    elif options.linkemu is not None and not options.linkemu.is_file():
        one.error(f"there is no {options.linkemu}")
    return options


def _words(text: str) -> list[str]:
    return [word for word in text.split(",") if word]


def _numbers(text: str) -> list[int]:
    numbers = [int(word) for word in _words(text)]
    if not all(number > 0 for number in numbers):
        raise ValueError
    return numbers
