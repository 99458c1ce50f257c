"""
What all command lines have in common: GNU order, one line for an error, and words that become values.
"""

from __future__ import annotations

import io
import sys
from typing import Any

from twisted.python import usage
from twisted.trial.unittest import SynchronousTestCase

import uotp
from tests.doubles.commands import CommandTestCase
from uotp.cli.options import GnuOptions, Option, Repeated, convert
from uotp.cli.parsers import parseCount, parseSeconds


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

    def test_aValueMayLookLikeAnOptionWhereItCanBeNone(self) -> None:
        options = parsed("a", "-s", "-5", "--file-name=--fast", "--each=--", "--each=-q", "-s-")
        self.assertEqual((options["size"], options["file-name"], options["fast"]), ("-", "--fast", 0))
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

    def test_anOptionGivenAgainHasToSayTheSame(self) -> None:
        """
        Nobody knows which of two values is meant; two ways to write one value are one.
        """

        class Rows(GnuOptions):
            commandName = "rows"
            rows = (Option("wait", "w", "how long", parseSeconds), Repeated("each", None, "many", parseSeconds))

        options = Rows()
        options.parseOptions(["-w", "2m", "--wait=120", "--each", "1", "--each=2", "-w120"])
        self.assertEqual((options["wait"], options["each"]), (120.0, (1.0, 2.0)))
        line = self.refusalOf(lambda: Rows().parseOptions(["-w", "2m", "--wait=3m"]))
        self.assertEqual(line, "rows: --wait is given 2 times, as 2m and 3m: give it once (see --help)")

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
            (["--unknown"], "there is no option --unknown"),
            (["a", "-x"], "there is no option -x"),
            (["a", "--size"], "--size needs a word behind it, and there is none"),
            (["a", "-s"], "-s (--size) needs a word behind it, and there is none"),
            (["--fast=1"], "--fast takes no word: leave =1 out; it holds when it is given, and else not"),
            (["--file", "x"], "--file may be --file-less or --file-name: write more of it"),
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
        for word, shown in (
            ("a\nb", "a\\nb"),
            ("a\r\nb", "a\\r\\nb"),
            ("\n", "\\n"),
            ("\u200b\x1b[2J", "\\u200b\\x1b[2J"),
            ("\udcff", "\\udcff"),
        ):
            line = self.refusalOf(lambda word=word: Sample().refuse(f"--size {word}: no"))  # type: ignore[misc]
            self.assertEqual(line, f"sample: --size {shown}: no")


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
