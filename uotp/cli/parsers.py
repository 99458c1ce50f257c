"""
Parsers that turn words of a command line into values.  They know no option.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_network

from uotp.net import Host

MAX_PORT = 65535
"""Ports are 16 bits wide in TCP and UDP."""


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
    if not (word.isascii() and word.isdigit() and lowest <= int(word) <= MAX_PORT):
        reason = f"a port from {lowest} to {MAX_PORT} is needed"
        raise ValueError(reason)
    return int(word)


def parseBindAddress(word: str) -> str:
    """
    @return: an IPv4 or IPv6 address of this machine to listen on.
    @raise ValueError: in words; names are refused, since looking one up could
        block, and could open a port on another interface than was meant.
    """
    host = Host.parse(word)
    if host.address is None:
        reason = "an IPv4 or IPv6 address is needed, 0.0.0.0 or :: for all"
        raise ValueError(reason)
    return host.text


def parseNetwork(word: str) -> IPv4Network | IPv6Network:
    """
    @return: a network of IPv4 or IPv6; an address alone is a network of one.
    @raise ValueError: in words, also for an address inside a network, since nobody knows
        which of both was meant.
    """
    try:
        network = ip_network(word, strict=False)
    except ValueError as error:
        reason = "a network is needed, as 192.0.2.0/24 or 2001:db8::/32, or one address"
        raise ValueError(reason) from error
    try:
        return ip_network(word)
    except ValueError as error:
        reason = f"it is an address inside of a network: say {network}, or the address alone"
        raise ValueError(reason) from error


def parseSeconds(word: str) -> float:
    """
    @return: a time in seconds, above 0 and at most a year.
    @raise ValueError: in words.
    """
    year = 365 * 86400.0
    try:
        seconds = math.nan if "_" in word else float(word)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= year:
        reason = "a number of seconds is needed, above 0 and at most a year"
        raise ValueError(reason)
    return seconds


def parseSecondsFrom(least: float) -> Callable[[str], float]:
    """
    @param least: the shortest time allowed, in seconds.
    @return: a parser of times from that to a year, which raises ValueError in words.
    """

    def parse(word: str) -> float:
        reason = f"a number of seconds is needed, at least {least:g} and at most a year"
        try:
            seconds = parseSeconds(word)
        except ValueError as error:
            raise ValueError(reason) from error
        if seconds < least:
            raise ValueError(reason)
        return seconds

    return parse


def parseCount(most: int, least: int = 1) -> Callable[[str], int]:
    """
    @param most: the largest count allowed.
    @param least: the smallest.
    @return: a parser of counts, which raises ValueError in words.
    """

    def parse(word: str) -> int:
        if not (word.isascii() and word.isdigit() and least <= int(word) <= most):
            reason = f"a number from {least} to {most} is needed"
            raise ValueError(reason)
        return int(word)

    return parse


def sizeInWords(size: int) -> str:
    """
    @return: a size in bytes as L{parseBytes} reads it, with the largest unit that leaves it whole.
    """
    for letter, bits in (("G", 30), ("M", 20), ("K", 10)):
        if size and size % (1 << bits) == 0:
            return f"{size >> bits}{letter}"
    return str(size)


def parseBytes(least: int, most: int) -> Callable[[str], int]:
    """
    @param least: the smallest size allowed, in bytes.
    @param most: the largest.
    @return: a parser of sizes, in bytes or with a K, M or G behind them for 2^10,
        2^20 and 2^30, which raises ValueError in words.
    """

    def parse(word: str) -> int:
        match = re.fullmatch("([0-9]{1,12})([KkMmGg]?)", word)
        size = int(match[1]) << {"": 0, "k": 10, "m": 20, "g": 30}[match[2].lower()] if match else -1
        if not least <= size <= most:
            reason = f"a number of bytes from {sizeInWords(least)} to {sizeInWords(most)} is needed"
            raise ValueError(reason)
        return size

    return parse


def parseMilliseconds(most: float) -> Callable[[str], float | None]:
    """
    @param most: the longest time allowed, in seconds.
    @return: a parser of times in milliseconds, which returns seconds: 0 for C{off}, and
        L{None} for C{auto}; it raises ValueError in words.
    """

    def parse(word: str) -> float | None:
        if word in ("auto", "off"):
            return None if word == "auto" else 0.0
        if not (word.isascii() and word.isdigit() and 1 <= int(word) <= most * 1000):
            reason = f"auto, off, or a number of milliseconds from 1 to {most * 1000:g} is needed"
            raise ValueError(reason)
        return int(word) / 1000

    return parse


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
        reason = "a number from 0 to 0xffffffff is needed"
        raise ValueError(reason)
    return mark


def absolutePath(word: str) -> str:
    """
    @return: the path made absolute, since a daemon changes its directory.
    @raise ValueError: for an empty path.
    """
    if not word:
        reason = "a file name is needed"
        raise ValueError(reason)
    return os.path.abspath(word)
