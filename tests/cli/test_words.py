"""
The words of a command line, told apart, and what is said of those that nobody meant.
"""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from uotp.cli.pasted import pastedTrouble
from uotp.cli.words import KnownOptions, WordsError, tellApart

KNOWN = KnownOptions(
    {
        "cert": True,
        "key": True,
        "pin": True,
        "pool-size": True,
        "max-age": True,
        "max-bytes": True,
        "bind-port": True,
        "no-tls": False,
        "tls-servername": True,
        "resolve-once": False,
        "help": False,
        "help-all": False,
    },
    {"c": "cert", "k": "key", "n": "pool-size", "p": "bind-port", "R": "resolve-once", "h": "help"},
    lambda typed: "somebody's" if typed in ("--linger", "-L") else None,
)


class TellApartTests(SynchronousTestCase):
    """
    Tell options, their words and arguments apart.
    """

    def setUp(self) -> None:
        """
        Take the user's wish away that nothing be an option behind an argument.
        """
        wish = os.environ.pop("POSIXLY_CORRECT", None)
        if wish is not None:
            self.addCleanup(os.environ.__setitem__, "POSIXLY_CORRECT", wish)

    def refused(self, *words: str) -> str:
        """
        @return: why a command line cannot be used.
        """
        return str(self.assertRaises(WordsError, tellApart, words, KNOWN))

    def test_optionsMayStandAnywhereAndBeWrittenInAnyWay(self) -> None:
        for words in (
            ["-c", "x", "-R", "a", "-n", "4", "b"],
            ["a", "--cert=x", "--resolve-once", "b", "--pool-size", "4"],
            ["a", "b", "-cx", "-Rn4"],
            ["-c=x", "-Rn=4", "a", "b"],
            ["--ce", "x", "--res", "--pool=4", "a", "b"],
            ["--cert=x", "-R", "-n", "4", "--", "a", "b"],
        ):
            line = tellApart(words, KNOWN)
            self.assertEqual(line.options, [("cert", "x"), ("resolve-once", None), ("pool-size", "4")], words)
            self.assertEqual(line.arguments, ["a", "b"], words)

    def test_aLoneHyphenIsAnArgumentAndTwoEndTheOptions(self) -> None:
        self.assertEqual(tellApart(["-", "-c", "-", "--", "-c", "--"], KNOWN).arguments, ["-", "-c", "--"])

    def test_aUserMayWishThatNoOptionStandsBehindAnArgument(self) -> None:
        os.environ["POSIXLY_CORRECT"] = ""
        self.addCleanup(os.environ.pop, "POSIXLY_CORRECT", None)
        line = tellApart(["-R", "a", "-c", "--nonsense"], KNOWN)
        self.assertEqual((line.options, line.arguments), ([("resolve-once", None)], ["a", "-c", "--nonsense"]))

    def test_anOptionThatThereIsNot(self) -> None:
        for word, told in (
            ("--tls-server-name=x", "there is no option --tls-server-name: did you mean --tls-servername?"),
            ("--Pool_Size", "there is no option --Pool_Size: did you mean --pool-size?"),
            ("--poolsize", "there is no option --poolsize: did you mean --pool-size?"),
            ("--port", "there is no option --port: did you mean --bind-port?"),
            ("--cret", "there is no option --cret: did you mean --cert?"),
            ("--hlep", "there is no option --hlep: did you mean --help?"),
            ("--zzz", "there is no option --zzz"),
            ("---", "there is no option ---"),
            ("--=x", "there is no option --"),
            ("-z", "there is no option -z"),
            ("-Rz", "there is no option -z"),
            ("--linger=3", "--linger is somebody's"),
            ("-L", "-L is somebody's"),
        ):
            self.assertEqual(self.refused(word), told)

    def test_aBeginningOfSeveralNamesThem(self) -> None:
        self.assertEqual(self.refused("--max", "3"), "--max may be --max-age or --max-bytes: write more of it")
        self.assertEqual(self.refused("--p"), "--p may be --pin or --pool-size: write more of it")

    def test_aWholeNameIsNoBeginning(self) -> None:
        self.assertEqual(tellApart(["--help"], KNOWN).options, [("help", None)])

    def test_aNameWithOneHyphen(self) -> None:
        for word in ("-cert", "-key=x", "-pin", "-no-tls", "-help"):
            self.assertEqual(self.refused(word, "x"), f"{word} has one hyphen: write -{word}")
        self.assertEqual(tellApart(["-certs"], KNOWN).options, [("cert", "erts")])

    def test_aWordThatIsMissing(self) -> None:
        way = "if that is the word, write "
        for words, told in (
            (["--cert"], "--cert needs a word behind it, and there is none"),
            (["a", "-Rc"], "-c (--cert) needs a word behind it, and there is none"),
            (
                ["-c", "-k", "x"],
                f"-c (--cert) needs a word behind it, and there is -k: {way}--cert=-k",
            ),
            (
                ["--key", "--pin=x"],
                f"--key needs a word behind it, and there is --pin=x: {way}--key=--pin=x",
            ),
            (
                ["-c", "--", "a"],
                f"-c (--cert) needs a word behind it, and there is --: {way}--cert=--",
            ),
        ):
            self.assertEqual(self.refused(*words), told)
        for words in (["-c", "-"], ["-c", "-5"], ["--cert=-k"], ["-c-k"], ["-c", ""], ["--cert="]):
            self.assertEqual(len(tellApart(words, KNOWN).options), 1, words)

    def test_aWordTooMuch(self) -> None:
        self.assertEqual(
            self.refused("--no-tls=false"),
            "--no-tls takes no word: leave =false out; it holds when it is given, and else not",
        )

    def test_twoWordsInOne(self) -> None:
        """
        As a variable in quotation marks leaves them.
        """
        for option in ("--cert", "-c"):
            told = f"the word '{option} x' has a space in it: write two words, {option} and x"
            self.assertEqual(self.refused(f"{option} x"), told)
        self.assertEqual(tellApart(["--cert=a b", "-ka b"], KNOWN).options, [("cert", "a b"), ("key", "a b")])


class PastedTests(SynchronousTestCase):
    """
    Paste words from web pages, and from files of Windows.
    """

    def assertTold(self, word: str, *parts: str) -> None:
        """
        @param parts: what is told of a word, among other things.
        """
        told = pastedTrouble(word)
        self.assertIsNotNone(told, word)
        for part in parts:
            self.assertIn(part, str(told))

    def test_dashes(self) -> None:
        for dash in "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe63\uff0d":
            self.assertTold(f"{dash}c", f"U+{ord(dash):04X}", "no hyphen: write -c")
            self.assertTold(f"{dash}cert", "write --cert")
            self.assertTold(f"{dash}{dash}cert=a{dash}b", f"write --cert=a{dash}b")
            self.assertTold(f"-{dash}cert", "write --cert")
            self.assertTold(f"--pool{dash}size=3", "write --pool-size=3")
            self.assertIsNone(pastedTrouble(f"a{dash}b"))
            self.assertIsNone(pastedTrouble(f"--cert=a{dash}b"))

    def test_spaces(self) -> None:
        for space in "\u00a0\u2003\u2009\u202f\u3000":
            self.assertTold(f"-n{space}4", f"U+{ord(space):04X} is in it, no plain space")
        for space in "\u200b\u2060\ufeff\u00ad":
            self.assertTold(f"vpn.{space}test", f"U+{ord(space):04X} is in it, an invisible letter")

    def test_quotationMarks(self) -> None:
        for word in (
            "\u201ca.pem\u201d",
            "\u2018a.pem\u2019",
            "\u201ea.pem\u201c",
            "\u00aba\u00bb",
            "--cert=\u201ca",
            "a\u2019",
        ):
            self.assertTold(word, "a quotation mark that no shell knows")
        self.assertIsNone(pastedTrouble("/home/bob\u2019s/a.pem"))

    def test_whatAShellWouldHaveTakenAway(self) -> None:
        for word in ('"8443"', "'8443'", "--bind-port='8443'"):
            self.assertTold(word, "quotation marks are around it that no shell has taken away: write 8443")
        for word in ("''", '""', "--reorder=''"):
            self.assertTold(
                word, "two quotation marks that no shell has taken away, with nothing between them: leave it out"
            )
        for word in ("$PORT", "${PORT}", "--bind-port=$PORT", "${PORT}0"):
            self.assertTold(word, "PORT", "no shell has put the value of the variable in its place")
        for word in ("#", "# the server", "&", "&&", "|", ";", ">log", "2>&1", "&>log", ">>", "<"):
            self.assertTold(word, "only a shell knows what it means, and none has read it: leave it out")
        for word in ("a$", "$1", "a#b", "a>b", "5'", "'", "it's", "$()"):
            self.assertIsNone(pastedTrouble(word), word)

    def test_endsOfLines(self) -> None:
        self.assertTold("8443\r", "a carriage return", "dos2unix")
        self.assertTold("\\\r", "a carriage return")
        self.assertTold("\r", "a carriage return")
        self.assertTold("\\", "it is a backslash and nothing else")
        self.assertTold("`", "it is a backtick and nothing else")
        self.assertTold("^", "it is a caret and nothing else")
        self.assertTold("a.test\n", "at its begin or end: write a.test")
        self.assertTold(" --cert=a b", "at its begin or end: write --cert=a b")
        self.assertTold(" ", "a backslash continues a line only if nothing stands behind it")

    def test_whatCanBeTypedIsNoTrouble(self) -> None:
        for word in (
            "",
            "-c",
            "--cert=a b",
            "b\u00fccher.test",
            "\u4f8b\u5b50.test",
            "C:\\a.pem",
            "fe80::1%eth0",
            "a\\",
            "-",
        ):
            self.assertIsNone(pastedTrouble(word), word)

    def test_theCommandLineIsRefusedForIt(self) -> None:
        error = self.assertRaises(WordsError, tellApart, ["a", "-c", "\u2013k", "1"], KNOWN)
        self.assertEqual(str(error), r"the word '\u2013k': U+2013 is in it, a dash that is no hyphen: write -k")

    def test_aFileMayHaveAnyName(self) -> None:
        path = Path(self.mktemp() + "\u00a0")
        path.write_bytes(b"")
        for words in (["-c", str(path)], [f"--cert={path}"]):
            self.assertEqual(tellApart(words, KNOWN).options, [("cert", str(path))])
