"""
Words of a command line that become values: ports, times, sizes, counts, shares, marks and files.
"""

from __future__ import annotations

import os
import socket

from tests.doubles.words import ParserTestCase
from uotp.cli.parsers import (
    absolutePath,
    inAnyCase,
    parseBytes,
    parseCount,
    parseListeningPort,
    parseMark,
    parseOrder,
    parsePercent,
    parsePort,
    parseSeconds,
    parseSecondsFrom,
    sizeInWords,
    timeInWords,
)
from uotp.order import Order, OrderMode


class PortTests(ParserTestCase):
    """
    Read ports.
    """

    def setUp(self) -> None:
        """
        Know two services, whatever this system's file says.
        """
        services = {("https", "tcp"): 443, ("domain", "udp"): 53}

        def getservbyname(name: str, protocol: str) -> int:
            name.encode("ascii")  # as the system's does
            try:
                return services[name, protocol]
            except KeyError:
                raise OSError from None

        self.patch(socket, "getservbyname", getservbyname)

    def test_portsToListenOn(self) -> None:
        self.assertParsed(parseListeningPort, ("0", 0), ("1", 1), ("8443", 8443), ("65535", 65535))
        reason = "a port from 0 to 65535 is needed"
        self.assertRefused(parseListeningPort, reason, "", "65536", "-1", "http", "80.0", "0x50", "\u0663", "9" * 5000)

        for word in ("0.0.0.0", "::1"):  # noqa: S104 - a word like any other
            self.assertRefused(parseListeningPort, f"{reason}; the address stands behind -a: write -a {word}", word)

    def test_portsToSendTo(self) -> None:
        self.assertParsed(parsePort, ("1", 1), ("65535", 65535))
        self.assertRefused(parsePort, "a port from 1 to 65535 is needed", "0", "00", "", "65536")

    def test_whatIsMeantIsSaid(self) -> None:
        reason = "a port from 1 to 65535 is needed"
        for word, meant in (
            ("8911/udp", ": write 8911"),
            ("8911/", ": write 8911"),
            ("443/TCP", ": write 443"),
            (":8443", ": write 8443"),
            ("0.0.0.0:8443", ", without an address: write 8443"),
            ("[::1]:8443", ", without an address: write 8443"),
            ("https", ", as a number: https is 443"),
            ("HTTPS", ", as a number: HTTPS is 443"),
            ("domain", ", as a number: domain is 53"),
            (" 80", ": write 80"),
            ("8 443", ": write 8443"),
            ("8,443", ": write 8443"),
            ("1_0", ": write 10"),
        ):
            self.assertRefused(parsePort, reason + meant, word)


class TimeTests(ParserTestCase):
    """
    Read times.
    """

    FORMS = "as 90 or 1.5 (seconds), 500ms, 2m, 6h or 1d"

    def test_withoutAUnitTheyAreSeconds(self) -> None:
        self.assertParsed(parseSeconds, ("120", 120.0), ("0.5", 0.5), (".25", 0.25), ("1e3", 1000.0), ("5.", 5.0))
        self.assertParsed(parseSeconds, ("31536000", 31536000.0))

    def test_aUnitMayFollow(self) -> None:
        self.assertParsed(
            parseSeconds,
            *(("1500ms", 1.5), ("0.5ms", 0.0005), ("90s", 90.0), ("2m", 120.0), ("2min", 120.0), ("1.5h", 5400.0)),
            *(
                ("6h", 21600.0),
                ("1d", 86400.0),
                ("365d", 31536000.0),
                ("30sec", 30.0),
                ("3MIN", 180.0),
                ("6H", 21600.0),
            ),
            *(("1h30m", 5400.0), ("1d12h", 129600.0), ("2m30s", 150.0), ("1s500ms", 1.5), ("2minutes", 120.0)),
            ("6H", 21600.0),
        )

    def test_whatIsNoTime(self) -> None:
        self.assertRefused(
            parseSeconds,
            f"a time above 0 and at most 365d is needed, {self.FORMS}",
            *(
                "",
                "0",
                "-1",
                "nan",
                "inf",
                "soon",
                "0.0",
                "0s",
                "1e999",
                "31536001",
                "366d",
                "+5",
                "s",
                "ms",
                "5x",
                "5w",
            ),
            *("30m1h", "2m2m", "1h2", "\u0663", "1e", "9" * 5000, "1,500", "never"),
        )

    def test_howToWriteItIsSaid(self) -> None:
        for word, meant in (
            ("2 m", "2m"),
            ("1_000", "1000"),
            ("1 000s", "1000s"),
            (" 5", "5"),
            ("0,5", "0.5"),
            ("1,5h", "1.5h"),
            ("2M", "2m"),
        ):
            reason = f"a time above 0 and at most 365d is needed, {self.FORMS}: write {meant}"
            self.assertRefused(parseSeconds, reason, word)

    def test_someMayNotBeTooShort(self) -> None:
        parse = parseSecondsFrom(1.0)
        self.assertParsed(parse, ("1", 1.0), ("1000ms", 1.0))
        self.assertRefused(parse, f"a time from 1s to 365d is needed, {self.FORMS}", "0", "0.9", "999ms", "", "366d")

    def test_timesInWordsAreRead(self) -> None:
        for seconds, words in ((0.001, "1ms"), (0.25, "250ms"), (1.0, "1s"), (5.0, "5s"), (120.0, "120s")):
            self.assertEqual(timeInWords(seconds), words)
            self.assertEqual(parseSeconds(words), seconds)


class WaitTests(ParserTestCase):
    """
    Read how long datagrams may wait for others: bare numbers are milliseconds there.
    """

    REASON = "auto, off, bulk, or a time from 1ms to 5s is needed, as 80 (milliseconds), 80ms or 0.08s"

    def test_values(self) -> None:
        self.assertParsed(
            parseOrder,
            *(("auto", Order()), ("AUTO", Order()), ("off", Order(OrderMode.OFF)), ("Bulk", Order(OrderMode.BULK))),
            *((word, Order.within(seconds)) for word, seconds in (("200", 0.2), ("1", 0.001), ("5000", 5.0))),
            *((word, Order.within(seconds)) for word, seconds in (("200ms", 0.2), ("0.2s", 0.2), ("5s", 5.0))),
            *((word, Order.within(seconds)) for word, seconds in (("1.5ms", 0.0015), ("1s", 1.0))),
        )

    def test_whatIsNone(self) -> None:
        self.assertRefused(parseOrder, self.REASON, "", "-1", "5001", "on", "time", "6s", "0.5ms", "1m", "7.5e3")

    def test_aBareFractionCouldMeanBoth(self) -> None:
        for word, meant in (
            ("0.2", "0.2s"),
            (".5", ".5s"),
            ("1.5", "1.5s or 1.5ms"),
            ("10.5", "10.5ms"),
            ("0", "off"),
            ("0.0", "off"),
            ("0s", "off"),
            ("0ms", "off"),
            ("200 ms", "200ms"),
            ("2_00", "200"),
        ):
            self.assertRefused(parseOrder, f"{self.REASON}: write {meant}", word)


class SizeTests(ParserTestCase):
    """
    Read sizes.
    """

    def test_values(self) -> None:
        self.assertParsed(
            parseBytes(1, 1 << 50),
            *(("1", 1), ("65536", 65536), ("512B", 512), ("64K", 65536), ("64k", 65536), ("64KB", 65536)),
            *(("64kB", 65536), ("64KiB", 65536), ("64kib", 65536), ("4M", 4 << 20), ("4MB", 4 << 20)),
            *(("4mb", 4 << 20), ("4MiB", 4 << 20), ("2G", 2 << 30), ("2GB", 2 << 30), ("2GiB", 2 << 30)),
            *(("1.5M", 3 << 19), ("0.5K", 512), (".5k", 512), ("1T", 1 << 40), ("1TiB", 1 << 40)),
        )

    def test_whatIsNone(self) -> None:
        reason = "a size from 1K to 1G is needed, in bytes, or as 64K, 1.5M or 1G (K is 1024)"
        self.assertRefused(
            parseBytes(1 << 10, 1 << 30),
            reason,
            *("", "0", "1023", "2G", "1.5", "K", "MB", "-1K", "16Mbit", "16Kbps", "1KK", "0x400", "1P", "9" * 5000),
        )
        for word, meant in (("16 K", "16K"), ("64_000", "64000"), ("65,536", "65536"), ("1,5M", "1.5M")):
            self.assertRefused(parseBytes(1 << 10, 1 << 30), f"{reason}: write {meant}", word)

    def test_sizesInWordsAreRead(self) -> None:
        for size, words in (
            (0, "0"),
            (1000, "1000"),
            (1024, "1K"),
            (3 << 19, "1536K"),
            (1 << 40, "1T"),
            (1 << 50, "1024T"),
        ):
            self.assertEqual(sizeInWords(size), words)
            self.assertEqual(parseBytes(0, 1 << 60)(words), size)


class NumberTests(ParserTestCase):
    """
    Read counts, shares and marks.
    """

    def test_counts(self) -> None:
        self.assertParsed(parseCount(64), ("1", 1), ("8", 8), ("64", 64))
        reason = "a number from 1 to 64 is needed"
        self.assertRefused(parseCount(64), reason, "", "0", "65", "-1", "1.5", "eight", "\u00b2", "1_00", "9" * 5000)
        self.assertRefused(parseCount(64), f"{reason}: write 10", "1_0", "1 0", " 10", "10 ")
        self.assertRefused(parseCount(4096), "a number from 1 to 4096 is needed: write 4096", "4,096", "4'096")

    def test_shares(self) -> None:
        self.assertParsed(parsePercent(100), ("1", 1), ("25", 25), ("25%", 25), ("100%", 100))
        reason = "a whole number of percent from 1 to 100 is needed, as 25 or 25%"
        self.assertRefused(parsePercent(100), reason, "", "%", "0", "101", "0.25", "25%%", "half")

    def test_marks(self) -> None:
        self.assertParsed(parseMark, ("0", 0), ("51820", 51820), ("0xca6c", 51820), ("0XCA6C", 51820))
        self.assertParsed(parseMark, ("4294967295", 0xFFFFFFFF), ("0xffffffff", 0xFFFFFFFF))
        reason = "a number from 0 to 0xffffffff is needed, decimal or with 0x before it"
        self.assertRefused(
            parseMark,
            reason,
            *("", "0x", "-1", "+5", "\u0663", "4294967296", "0x100000000", "0x_1", "1.0", "wg0", "9" * 5000),
        )
        for word, meant in (("ca6c", ": write 0xca6c"), ("1_0", ": write 10"), (" 5", ": write 5")):
            self.assertRefused(parseMark, reason + meant, word)
        self.assertRefused(parseMark, f"{reason}, without a mask: write 0x1", "0x1/0xff")

    def test_filesAreMeantFromWhereTheCommandWasTyped(self) -> None:
        """
        A daemon changes its directory afterwards.
        """
        self.assertParsed(
            absolutePath,
            ("a.pem", os.path.join(os.getcwd(), "a.pem")),
            (os.path.join("..", "a.pem"), os.path.join(os.path.dirname(os.getcwd()), "a.pem")),
            (os.path.abspath("x"), os.path.abspath("x")),
        )
        self.assertRefused(absolutePath, "a file name is needed", "")

    def test_aTildeIsTheHomeDirectory(self) -> None:
        """
        A shell leaves it as it is in C{--cert=~/a.pem}.
        """
        self.patch(os, "environ", {**os.environ, "HOME": os.path.abspath("home")})
        self.assertParsed(
            absolutePath,
            ("~/a.pem", os.path.abspath(os.path.join("home", "a.pem"))),
            ("a~", os.path.abspath("a~")),
            ("~nobody-has-this-name/a.pem", os.path.abspath("~nobody-has-this-name/a.pem")),
        )

    def test_wordsMayBeInLettersOfAnySize(self) -> None:
        parse = inAnyCase({"warn": 1, "2": 2}.__getitem__, {"warning": "warn"})
        self.assertParsed(parse, ("warn", 1), ("WARN", 1), ("Warning", 1), ("2", 2))
        self.assertRaises(KeyError, parse, "warned")
