"""
What all command lines have in common: GNU order, one line for an error, and words that become values.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from typing import Any

from twisted.python import usage
from twisted.trial.unittest import SynchronousTestCase

import uotp
from tests.doubles.commands import CommandTestCase
from uotp.cli.options import GnuOptions, convert
from uotp.cli.parsers import (
    absolutePath,
    parseBindAddress,
    parseCount,
    parseListeningPort,
    parseMark,
    parsePort,
    parseSeconds,
)


class Sample(GnuOptions):
    """
    Has an option of every kind.
    """

    commandName = "sample"
    positionals = "FROM TO"
    optParameters = [["size", "s", "1", "how large"], ["file-name", "f", None, "where"]]
    optFlags = [["fast", "q", "hurry"], ["file-less", None, "nowhere"]]
    words: tuple[str, ...] = ()

    def parseArgs(self, *words: Any) -> None:
        self.words = words

    def opt_each(self, word: str) -> None:
        self["each"] = (*self.get("each", ()), word)


def parsed(*words: str) -> Sample:
    """
    @return: the options of this command line.
    """
    options = Sample()
    options.parseOptions(words)
    return options


class OrderTests(CommandTestCase):
    """
    Put options wherever they may stand.
    """

    def test_optionsMayStandAnywhere(self) -> None:
        for words in (
            ["--size", "3", "--fast", "--file-name", "x", "a", "b"],
            ["--size=3", "--file-name=x", "a", "--fast", "b"],
            ["a", "b", "-s", "3", "-q", "-f", "x"],
            ["a", "-s3", "b", "-qfx"],
            ["a", "b", "--si", "3", "--fa", "--file-n=x"],
        ):
            options = parsed(*words)
            self.assertEqual((options["size"], options["fast"], options["file-name"]), ("3", 1, "x"), words)
            self.assertEqual(options.words, ("a", "b"), words)

    def test_whatIsNotGivenHasItsDefault(self) -> None:
        options = parsed()
        self.assertEqual((options["size"], options["fast"], options["file-name"]), ("1", 0, None))
        self.assertEqual(options.words, ())

    def test_twoDashesEndTheOptions(self) -> None:
        """
        What stands behind them is a positional, whatever it looks like.
        """
        options = parsed("a", "--fast", "--", "--size", "-x")
        self.assertEqual(options.words, ("a", "--size", "-x"))
        self.assertEqual((options["fast"], options["size"]), (1, "1"))
        self.assertEqual(parsed("--", "--size", "-x").words, ("--size", "-x"))

    def test_aValueMayLookLikeAnOption(self) -> None:
        options = parsed("a", "-s", "-5", "--file-name", "--fast", "--each=--", "--each", "-q")
        self.assertEqual((options["size"], options["file-name"], options["fast"]), ("-5", "--fast", 0))
        self.assertEqual(options["each"], ("--", "-q"))

    def test_aValueMayBeEmpty(self) -> None:
        """
        An empty word, as an unset variable in quotes leaves it, is no licence to take the next one.
        """
        for words in (
            ["--file-name", "", "-s", "3", "a"],
            ["a", "--file-name=", "--size=3"],
            ["-f", "", "-s", "3", "a"],
            ["a", "-s", "3", "-f", ""],
        ):
            options = parsed(*words)
            self.assertEqual((options["file-name"], options["size"], options.words), ("", "3", ("a",)), words)

    def test_theLastOfTwoCountsAndRepeatableOnesAddUp(self) -> None:
        options = parsed("-s", "1", "--each", "x", "a", "--size", "2", "--each", "y")
        self.assertEqual((options["size"], options["each"]), ("2", ("x", "y")))

    def test_theProcessesOwnWordsAreTheDefault(self) -> None:
        self.patch(sys, "argv", ["program", "a", "-s", "7"])
        options = Sample()
        options.parseOptions()
        self.assertEqual((options["size"], options.words), ("7", ("a",)))

    def test_theWordsBehindASubCommandAreItsOwn(self) -> None:
        class Commands(GnuOptions):
            subCommands = [["sub", None, Sample, "something"]]

        options = Commands()
        options.parseOptions(["sub", "a", "--size", "3"])
        self.assertEqual((options.subOptions["size"], options.subOptions.words), ("3", ("a",)))


class RefusalTests(CommandTestCase):
    """
    Type command lines that cannot be used.
    """

    def test_anUnusableCommandLineIsOneLineAndStatus2(self) -> None:
        for words, reason in (
            (["--unknown"], "option --unknown not recognized"),
            (["a", "-x"], "option -x not recognized"),
            (["a", "--size"], "option --size requires argument"),
            (["a", "-s"], "option -s requires argument"),
            (["--fast=1"], "option --fast must not have an argument"),
            (["--file", "x"], "option --file not a unique prefix"),
        ):
            line = self.refusalOf(lambda words=words: parsed(*words))  # type: ignore[misc]
            self.assertEqual(line, f"sample: {reason} (see --help)")

    def test_whatTheCommandItselfRefusesReadsTheSame(self) -> None:
        """
        Errors of values and combinations come from C{postOptions}.
        """

        class Refusing(Sample):
            def postOptions(self) -> None:
                reason = "no"
                raise usage.UsageError(reason)

        self.assertEqual(self.refusalOf(lambda: Refusing().parseOptions([])), "sample: no (see --help)")

    def test_aRefusalIsOneLineWhateverTheUserTyped(self) -> None:
        for word in ("a\nb", "a\r\nb", "\n"):
            line = self.refusalOf(lambda word=word: Sample().refuse(f"--size {word}: no"))  # type: ignore[misc]
            self.assertTrue(line.startswith("sample: --size "), line)
            self.assertTrue(line.endswith(": no"), line)


class HelpTests(CommandTestCase):
    """
    Ask a command what it is.
    """

    def test_helpShowsEveryOption(self) -> None:
        for words in (["--help"], ["-h"], ["a", "b", "-h"]):
            text = self.outputOf(lambda words=words: parsed(*words))  # type: ignore[misc]
            self.assertEqual(text.splitlines()[0], "Usage: sample [options] FROM TO")
        for name in ("-s, --size=", "-f, --file-name=", "-q, --fast", "--file-less", "--each=", "--help", "--version"):
            self.assertIn(name, text)

    def test_versionIsTheNameAndTheVersion(self) -> None:
        self.assertEqual(self.outputOf(lambda: parsed("--version")), f"sample {uotp.__version__}\n")

    def test_underTwistdTheUsageNamesTwistd(self) -> None:
        """
        There the command is a word of twistd's.
        """

        class Twistd(usage.Options):
            subCommands = [["sample", None, Sample, "something"]]

        text = self.outputOf(lambda: Twistd().parseOptions(["sample", "--help"]))
        self.assertEqual(text.splitlines()[0], "Usage: twistd [twistd options] sample [options] FROM TO")

    def test_helpWithoutPositionals(self) -> None:
        options = GnuOptions()
        self.assertEqual(options.getSynopsis(), "Usage: uotp [options]")

    def test_theShellsCompletionIsAskedForAsTwistdDoesIt(self) -> None:
        """
        The completion's question is answered, and not parsed as a command line.
        """
        self.patch(sys, "argv", ["sample"])
        answer = io.BytesIO()
        self.patch(Sample, "_shellCompFile", answer)
        self.outputOf(lambda: parsed("--unknown", "--_shell-completion", "zsh:2"))
        self.assertIn(b"--size", answer.getvalue())


class ConvertTests(SynchronousTestCase):
    """
    Replace a word by its value.
    """

    def test_aWordBecomesAValue(self) -> None:
        options = parsed("-s", "12")
        convert(options, "size", int)
        self.assertEqual(options["size"], 12)

    def test_whatWasNotGivenStaysAway(self) -> None:
        options = parsed()
        convert(options, "file-name", int)
        self.assertIsNone(options["file-name"])

    def test_anErrorNamesTheOptionAndTheWord(self) -> None:
        options = parsed("-s", "0")
        error = self.assertRaises(usage.UsageError, convert, options, "size", parseCount(3))
        self.assertEqual(str(error), "--size 0: a number from 1 to 3 is needed")


class ParserTests(SynchronousTestCase):
    """
    Turn words into values.
    """

    def assertParsed(self, parse: Callable[[str], Any], *pairs: tuple[str, object]) -> None:
        """
        @param pairs: words, and their values.
        """
        for word, value in pairs:
            result = parse(word)
            self.assertEqual(result, value, word)
            self.assertIs(type(result), type(value), word)

    def assertRefused(self, parse: Callable[[str], Any], reason: str, *words: str) -> None:
        """
        @param reason: what the user is told.
        @param words: what is refused for it.
        """
        for word in words:
            try:
                value = parse(word)
            except ValueError as error:
                self.assertEqual(str(error), reason, word)
            else:
                self.fail(f"{word!r} was taken for {value!r}")

    def test_portsToListenOn(self) -> None:
        self.assertParsed(parseListeningPort, ("0", 0), ("1", 1), ("8443", 8443), ("65535", 65535))
        reason = "a port from 0 to 65535 is needed"
        self.assertRefused(parseListeningPort, reason, "", "65536", "-1", "http", "80.0", "0x50", "1 ", "1_0", "\u0663")

    def test_portsToSendTo(self) -> None:
        self.assertParsed(parsePort, ("1", 1), ("65535", 65535))
        self.assertRefused(parsePort, "a port from 1 to 65535 is needed", "0", "00")
        self.assertRaises(ValueError, parsePort, "65536")
        self.assertRaises(ValueError, parsePort, "")

    def test_addressesToListenOn(self) -> None:
        self.assertParsed(
            parseBindAddress,
            ("0.0.0.0", "0.0.0.0"),  # noqa: S104 - a word like any other
            ("127.0.0.1", "127.0.0.1"),
            ("::", "::"),
            ("2001:DB8:0::1", "2001:db8::1"),
            ("fe80::1%lo", "fe80::1%lo"),
        )
        reason = "an IPv4 or IPv6 address is needed, 0.0.0.0 or :: for all"
        self.assertRefused(parseBindAddress, reason, "", "localhost", "*", "[::1]", "1.2.3", "1.2.3.4:5", "eth0", " ::")

    def test_seconds(self) -> None:
        self.assertParsed(parseSeconds, ("120", 120.0), ("0.5", 0.5), (".25", 0.25), ("1e3", 1000.0))
        self.assertParsed(parseSeconds, ("31536000", 31536000.0))
        reason = "a number of seconds is needed, above 0 and at most a year"
        self.assertRefused(parseSeconds, reason, "", "0", "-1", "nan", "soon", "5s", "0.0", "1_0")
        for word in ("inf", "1e999", "31536001"):
            self.assertRaises(ValueError, parseSeconds, word)

    def test_counts(self) -> None:
        self.assertParsed(parseCount(64), ("1", 1), ("8", 8), ("64", 64))
        self.assertRefused(
            parseCount(64), "a number from 1 to 64 is needed", "", "0", "65", "-1", "1.5", "eight", "\u00b2"
        )

    def test_marks(self) -> None:
        self.assertParsed(parseMark, ("0", 0), ("51820", 51820), ("0xca6c", 51820), ("0XCA6C", 51820))
        self.assertParsed(parseMark, ("4294967295", 0xFFFFFFFF), ("0xffffffff", 0xFFFFFFFF))
        reason = "a number from 0 to 0xffffffff is needed"
        self.assertRefused(
            parseMark,
            reason,
            "",
            "0x",
            "ca6c",
            "-1",
            "+5",
            " 5",
            "\u0663",
            "4294967296",
            "0x100000000",
            "1_0",
            "0x_1",
            "1.0",
            "0x1/0xff",
        )

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
