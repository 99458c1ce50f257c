"""
Parsers that turn words of a command line into values.  They know no option, but of where a
port or an address belongs that stands in the wrong place.
"""

from __future__ import annotations

import math
import os
import re
import socket
from collections.abc import Callable, Mapping
from typing import Any

from uotp.cli.quantities import bytesIn, howToWrite, isBareNumber, secondsIn
from uotp.cli.unsaid import isPem, isUrl, mayBeLine
from uotp.net import MAX_PORT, Host
from uotp.order import MAX_REORDER_SECONDS, MIN_REORDER_SECONDS, Order, OrderMode
from uotp.tunnel import MAX_WORKERS

YEAR_SECONDS = 365 * 86400.0
"""A longer time can only be a typing error."""

TIMES_WRITTEN = "as 90 or 1.5 (seconds), 500ms, 2m, 6h or 1d"
SIZES_WRITTEN = "in bytes, or as 64K, 1.5M or 1G (K is 1024)"
"""How times and sizes are written, for errors."""

NOWHERE = "off"
"""Says that there is to be no control socket."""

MOST_SOCKET_PATH_BYTES = 107
"""So long the path of a UNIX socket may be on Linux."""

WORDS_OF_ORDER = tuple(mode.value for mode in (OrderMode.AUTO, OrderMode.OFF, OrderMode.BULK))
"""How datagrams can be put in order that do not all wait for one time."""


def parsePort(word: str) -> int:
    """
    @return: a port to connect or send to, 1 to 65535.
    @raise ValueError: in words.
    """
    return _parsePort(word, 1)


def parseListeningPort(word: str) -> int:
    """
    @return: a port to listen on, 0 to 65535; 0 lets the system choose.
    @raise ValueError: in words.
    """
    return _parsePort(word, 0)


def _parsePort(word: str, lowest: int) -> int:
    if not (isDigits(word) and lowest <= int(word) <= MAX_PORT):
        reason = f"a port from {lowest} to {MAX_PORT} is needed"
        isAddress = lowest == 0 and Host.parse(word).address is not None
        meant = f"; the address stands behind -a: write -a {word}" if isAddress else _portMeant(word)
        raise ValueError(reason + meant)
    return int(word)


def _portMeant(word: str) -> str:
    """
    @return: how to write the port that a word names in another way, to stand at the end of an
        error.  The name of a service is not taken: what it means is decided by a file of the
        system, which may be missing.
    """
    match = re.fullmatch(r"(.*:)?([0-9]{1,5})(/(tcp|udp)?)?", word, re.IGNORECASE)
    if match and match[1] and match[1] != ":":
        return f", without an address: write {match[2]}"
    if match and (match[1] or match[3]):
        return f": write {match[2]}"
    if re.fullmatch("[A-Za-z][A-Za-z0-9-]{1,14}", word):
        for protocol in ("tcp", "udp"):
            try:
                return f", as a number: {word} is {socket.getservbyname(word.lower(), protocol)}"
            except OSError:
                continue
    return howToWrite(word, isDigits, isWhole=True)


def isDigits(word: str) -> bool:
    """
    @return: whether a word is a number of digits alone, and of a reasonable length.
    """
    return word.isascii() and word.isdigit() and len(word) <= 20  # noqa: PLR2004 - Python refuses thousands of them


def parseControl(word: str) -> str:
    """
    @return: the path of a control socket; L{NOWHERE} for none.
    @raise ValueError: in words.
    """
    if word.lower() in {NOWHERE, ""}:
        return NOWHERE
    path = absolutePath(word)
    if len(os.fsencode(path)) > MOST_SOCKET_PATH_BYTES:
        reason = f"the path of a socket has at most {MOST_SOCKET_PATH_BYTES} bytes"
        raise ValueError(reason)
    return path


def parseSeconds(word: str) -> float:
    """
    @return: a time in seconds, above 0 and at most a year.
    @raise ValueError: in words.
    """
    return _parseSeconds(word, 0.0)


def parseSecondsFrom(least: float) -> Callable[[str], float]:
    """
    @param least: the shortest time allowed, in seconds.
    @return: a parser of times from that to a year, which raises ValueError in words.
    """
    return lambda word: _parseSeconds(word, least)


def _parseSeconds(word: str, least: float) -> float:
    seconds = _timeFrom(word, least)
    if seconds is None:
        limits = f"from {timeInWords(least)} to 365d" if least else "above 0 and at most 365d"
        hint = howToWrite(word, lambda written: _timeFrom(written, least) is not None)
        reason = f"a time {limits} is needed, {TIMES_WRITTEN}{hint}"
        raise ValueError(reason)
    return seconds


def _timeFrom(word: str, least: float) -> float | None:
    seconds = secondsIn(word)
    return seconds if seconds is not None and 0 < seconds <= YEAR_SECONDS and seconds >= least else None


def timeInWords(seconds: float) -> str:
    """
    @return: a time as L{parseSeconds} reads it, in seconds, or in milliseconds if it is
        shorter than one.
    """
    return f"{seconds:g}s" if seconds >= 1 else f"{seconds * 1000:g}ms"


def parseCount(most: int, least: int = 1) -> Callable[[str], int]:
    """
    @param most: the largest count allowed.
    @param least: the smallest.
    @return: a parser of counts, which raises ValueError in words.
    """

    def isGood(word: str) -> bool:
        return isDigits(word) and least <= int(word) <= most

    def parse(word: str) -> int:
        if not isGood(word):
            reason = f"a number from {least} to {most} is needed{howToWrite(word, isGood, isWhole=True)}"
            raise ValueError(reason)
        return int(word)

    return parse


def parseWorkers(word: str) -> int | None:
    """
    @return: how many workers there are to be, or L{None} for as many as there are processors.
    @raise ValueError: in words.
    """
    if word == "auto":
        return None
    if not (isDigits(word) and 1 <= int(word) <= MAX_WORKERS):
        reason = f"a number from 1 to {MAX_WORKERS} is needed, or auto"
        raise ValueError(reason)
    return int(word)


def parsePercent(most: int) -> Callable[[str], int]:
    """
    @param most: the largest share allowed, in percent.
    @return: a parser of whole percents from 1, with the sign or without, which raises
        ValueError in words.
    """

    def parse(word: str) -> int:
        try:
            return parseCount(most)(word.removesuffix("%"))
        except ValueError as error:
            reason = f"a whole number of percent from 1 to {most} is needed, as 25 or 25%"
            raise ValueError(reason) from error

    return parse


def sizeInWords(size: int) -> str:
    """
    @return: a size in bytes as L{parseBytes} reads it, with the largest unit that leaves it whole.
    """
    for letter, bits in (("T", 40), ("G", 30), ("M", 20), ("K", 10)):
        if size and size % (1 << bits) == 0:
            return f"{size >> bits}{letter}"
    return str(size)


def parseBytes(least: int, most: int) -> Callable[[str], int]:
    """
    @param least: the smallest size allowed, in bytes.
    @param most: the largest.
    @return: a parser of sizes, in bytes or with a unit behind them, K for 1024, which raises
        ValueError in words.
    """

    def sizeOf(word: str) -> int | None:
        size = bytesIn(word)
        return size if size is not None and least <= size <= most else None

    def parse(word: str) -> int:
        size = sizeOf(word)
        if size is None:
            hint = howToWrite(word, lambda written: sizeOf(written) is not None, isWhole=isDigits(word[-1:]))
            limits = f"from {sizeInWords(least)} to {sizeInWords(most)}"
            reason = f"a size {limits} is needed, {SIZES_WRITTEN}{hint}"
            raise ValueError(reason)
        return size

    return parse


def parseOrder(word: str) -> Order:
    """
    @return: how datagrams are put in order.  A bare number is one of milliseconds.  It has no
        fraction: 0.9 would be far more than 1 if seconds were meant.
    @raise ValueError: in words.
    """
    if word.lower() in WORDS_OF_ORDER:
        return Order(OrderMode(word.lower()))
    seconds = _waitIn(word)
    if seconds is not None:
        return Order.within(seconds)

    def isGood(written: str) -> bool:
        return _waitIn(written) is not None

    limits = f"from {timeInWords(MIN_REORDER_SECONDS)} to {timeInWords(MAX_REORDER_SECONDS)}"
    needed = f"{', '.join(WORDS_OF_ORDER)}, or a time {limits} is needed, as 80 (milliseconds), 80ms or 0.08s"
    hint = howToWrite(word, isGood)
    if (float(word) if isBareNumber(word) else secondsIn(word)) == 0:
        hint = ": write off"
    elif isBareNumber(word) and not isDigits(word):
        units = [written for written in (f"{word}s", f"{word}ms") if isGood(written)]
        hint = f": write {' or '.join(units)}" if units else hint
    raise ValueError(needed + hint)


def _waitIn(word: str) -> float | None:
    """
    @return: the seconds that a datagram may wait, L{None} if the word says something else.
    """
    seconds = (float(word) / 1000 if isDigits(word) else math.nan) if isBareNumber(word) else secondsIn(word)
    return seconds if seconds is not None and MIN_REORDER_SECONDS <= seconds <= MAX_REORDER_SECONDS else None


def parseCongestion(word: str) -> str:
    """
    @return: a name that the kernel could give to a congestion control.
    @raise ValueError: in words.
    """
    if not re.fullmatch("[A-Za-z0-9_-]{1,15}", word):
        reason = "a name as in /proc/sys/net/ipv4/tcp_available_congestion_control is needed"
        raise ValueError(reason)
    return word


def parseMark(word: str) -> int:
    """
    @return: a firewall mark, 0 to 2^32-1, from decimal or 0x-hexadecimal.
    @raise ValueError: in words.
    """
    highest = 0xFFFFFFFF
    if re.fullmatch("[0-9]{1,10}", word):
        mark = int(word)
    elif re.fullmatch("0[xX][0-9a-fA-F]{1,8}", word):
        mark = int(word, 16)
    else:
        mark = -1
    if not 0 <= mark <= highest:
        reason = f"a number from 0 to 0xffffffff is needed, decimal or with 0x before it{_markMeant(word)}"
        raise ValueError(reason)
    return mark


def _markMeant(word: str) -> str:
    """
    @return: how to write the mark that is meant, to stand at the end of an error.
    """
    value, _, mask = word.partition("/")
    if mask and re.fullmatch("0[xX][0-9a-fA-F]{1,8}|[0-9]{1,10}", value):
        return f", without a mask: write {value}"
    if re.fullmatch("[0-9a-fA-F]{1,8}", word) and not word.isdigit():
        return f": write 0x{word}"
    return howToWrite(word, lambda written: re.fullmatch("[0-9]{1,10}", written) is not None, isWhole=True)


def inAnyCase(parse: Callable[[str], Any], meant: Mapping[str, str] | None = None) -> Callable[[str], Any]:
    """
    @param parse: a parser that knows a few words in small letters.
    @param meant: for words that other programs have for them, which of these they are.
    @return: a parser that knows all of them, in letters of any size.
    """

    def parseAnyCase(word: str) -> Any:
        small = word.lower()
        return parse((meant or {}).get(small, small))

    return parseAnyCase


def absolutePath(word: str) -> str:
    """
    @return: the path made absolute, since a daemon changes its directory.  A tilde at its
        begin is the home directory: no shell puts that in its place behind an equals sign.
    @raise ValueError: for an empty path, for a URL, and for what a file holds.
    """
    if not word:
        reason = "a file name is needed"
        raise ValueError(reason)
    if isUrl(word):
        reason = "a file name is needed, and no URL"
        raise ValueError(reason)
    if isPem(word):
        reason = "a file name is needed, and not what is in the file"
        raise ValueError(reason)
    return os.path.abspath(os.path.expanduser(word))


def absolutePathOfLines(word: str) -> str:
    """
    @return: see L{absolutePath}; of a file that has a secret in each line.
    @raise ValueError: as there, and for what may be such a line itself.
    """
    path = absolutePath(word)
    if mayBeLine(word, path):
        reason = "there is no such file: its name is needed here, and not what is in it"
        raise ValueError(reason)
    return path
