"""
Manual pages and completion say what the definition of the options says.
"""

from __future__ import annotations

import re
import runpy
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.doubles.commands import CommandTestCase
from uotp.cli.check import check
from uotp.cli.manual.bash import bashCompletion
from uotp.cli.manual.command import SHELLS, completion, man
from uotp.cli.manual.pages import CLIENT_EXAMPLE, SERVER_EXAMPLE, fileKeys, filePage, manualPages
from uotp.cli.manual.programs import MOST_SUMMARY_LETTERS, programs
from uotp.cli.manual.roff import LINE_LETTERS, bold, escaped, prose

ROOT = Path(__file__).resolve().parents[3]

ASKED = """
source {script}
asked() {{
    COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 )); COMPREPLY=()
    _uotp "$1"
    echo "${{COMPREPLY[*]}}"
}}
cd {folder}
{questions}
"""
"""What bash does when somebody presses the tabulator key."""

ANSWERS = (
    (["uotp", "che"], "check"),
    (["uotp", "cert", "re"], "renew revoke"),
    (["uotp", "cert", "revoke", "--vers"], "--version"),
    (["uotp-server", "--verb"], "--verbosity"),
    (["uotp-server", "--verbosity", ""], "debug info warn error fatal"),
    (["/usr/bin/uotp-server", "-v", "d"], "debug"),
    (["uotp-server", "--verbosity", "=", "i"], "info"),
    (["uotp-server", "--verbosity", "="], "debug info warn error fatal"),
    (["uotp-client", "--min-pool", ""], ""),
    (["uotp-client", "vpn"], "vpn of anna.toml"),
    (["uotp-client", "--cert", "k"], "k.pem"),
    (["uotp-client", "--bind-address", "::1", "--pool"], "--pool-size"),
    (["uotp", "server", "--wire", ""], "auto 1 2"),
    (["uotp", "check", "v"], "vpn of anna.toml"),
)


class InstalledTests(SynchronousTestCase):
    """
    What is kept in the tree is what the definition leads to.
    """

    def test_theTreeHasWhatIsWritten(self) -> None:
        """
        Whoever changes an option writes it again, by C{python docs/write_options.py}.
        """
        program = ROOT / "docs" / "write_options.py"
        if not program.exists():
            reason = "docs/write_options.py is not here: run the tests in a checkout"
            raise SkipTest(reason)
        written: dict[Path, str] = runpy.run_path(str(program))["texts"]()
        stale = [str(path) for path, text in written.items() if not path.exists() or path.read_text("utf-8") != text]
        self.assertEqual(stale, [], "run python docs/write_options.py")
        there = {path for path in (ROOT / "share").rglob("*") if path.is_file()}
        self.assertEqual(there - set(written), set())

    def test_everyOptionStandsEverywhere(self) -> None:
        pages = manualPages()
        texts = {shell: make() for shell, make in SHELLS.items()}
        self.assertEqual(set(programs()), {"uotp", "uotp-server", "uotp-client"})
        for name, program in programs().items():
            for option in program.options:
                self.assertIn(bold(f"--{option.name}"), pages[f"{name}.1"])
                for shell, text in texts.items():
                    self.assertIn(f"-l {option.name} " if shell == "fish" else f"--{option.name}", text)
                if program.isConfigurable and option.name not in {"help", "version"}:
                    self.assertIn(bold(option.name), filePage())
        for command in list(programs()["uotp"].walked())[1:]:
            isEnd = command.name in {"uotp server", "uotp client"}
            self.assertEqual(f'.SH "{escaped(command.name.upper())}"' in pages["uotp.1"], not isEnd)

    def test_thePageOfOptionsHasThemAll(self) -> None:
        """
        That page says more than the manual, and so is written by hand.
        """
        page = ROOT / "docs" / "reference" / "options.rst"
        if not page.exists():
            reason = "docs/reference/options.rst is not here: run the tests in a checkout"
            raise SkipTest(reason)
        rows = re.findall(r"^(?:``(-\w)``, )?``--([a-z-]+)``  +\S", page.read_text("utf-8"), re.MULTILINE)
        ends = [program for program in programs().values() if program.isConfigurable]
        options = {option for program in ends for option in program.options}
        self.assertEqual(
            {(short.strip("-"), name) for short, name in rows}, {(each.short or "", each.name) for each in options}
        )

    def test_eachKeySaysWhatItsValueIs(self) -> None:
        kinds = {name: kind for _, keys in fileKeys() for name, kind, _ in keys}
        for names, kind in (
            (("pin", "allow", "bind-address"), "text, or an array of texts"),
            (("congestion", "verbosity", "duplicate", "tls-servername"), "text"),
            (("pool-size", "mss", "bind-port", "owner-share"), "number"),
            (("memory", "linger", "workers", "wire", "metrics"), "number, or text"),
            (("resolve-once",), "true or false"),
        ):
            self.assertEqual({name: kinds[name] for name in names}, dict.fromkeys(names, kind))

    def test_summariesAreShort(self) -> None:
        for program in programs()["uotp"].walked():
            for option in program.options:
                self.assertTrue(0 < len(option.summary) <= MOST_SUMMARY_LETTERS, option)


class RoffTests(SynchronousTestCase):
    """
    Text means nothing to roff unless it is meant to.
    """

    def test_lettersOfRoffAreEscaped(self) -> None:
        self.assertEqual(escaped(".x -y 'z' \\"), "\\&.x \\-y \\(aqz\\(aq \\e")
        self.assertEqual(prose("One.  Two `--x` three."), "One.\nTwo \\fB\\-\\-x\\fP three.")

    def test_noLineIsACommandByAccident(self) -> None:
        macros = {"TH", "SH", "TP", "PP", "br", "nf", "fi", "RS", "RE"}
        for text in manualPages().values():
            for line in text.splitlines():
                self.assertFalse(line.startswith("'") or not line)
                if line.startswith("."):
                    self.assertIn(line[1:].split()[0], macros)
                elif " " in line[LINE_LETTERS:]:
                    self.assertTrue(line.startswith("\\fB"), line)  # what is typed, in one line


class BashTests(SynchronousTestCase):
    """
    Let bash complete.
    """

    def test_bashCompletes(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        (folder / "script").write_text(bashCompletion())
        for name in ("vpn of anna.toml", "k.pem"):
            (folder / name).touch()
        questions = "\n".join(f"asked {shlex.join(words)}" for words, _ in ANSWERS)
        path = shlex.quote(str(folder.resolve()))
        program = ASKED.format(script=f"{path}/script", folder=path, questions=questions)
        bash = shutil.which("bash") or "bash"
        command = [bash, "--norc", "-c", program]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - of ours
        self.assertEqual((ran.stderr, ran.returncode), ("", 0))
        self.assertEqual(ran.stdout.splitlines(), [answer for _, answer in ANSWERS])


class CommandTests(CommandTestCase):
    """
    Ask for a page or a script.
    """

    def said(self, run: Any, word: str) -> str:
        """
        @return: what a command prints.
        """
        self.out.truncate(0)
        self.out.seek(0)
        self.assertEqual(run([word]), 0)
        return self.out.getvalue()

    def test_whatIsAskedForIsPrinted(self) -> None:
        for name, text in manualPages().items():
            self.assertEqual(self.said(man, name.rpartition(".")[0]), text)
        for shell, make in SHELLS.items():
            self.assertEqual(self.said(completion, shell), make())

    def test_anythingElseIsRefused(self) -> None:
        for run, words in ((man, ["ls"]), (completion, ["csh"]), (man, []), (completion, ["bash", "zsh"])):
            self.assertIn(" is needed", self.refusalOf(lambda run=run, words=words: run(words)))  # type: ignore[misc]


class ExampleTests(CommandTestCase):
    """
    Files that are printed as examples are fine.
    """

    def assertFine(self, text: str) -> None:
        """
        Check a file whose certificates are not here.
        """
        path = self.mktemp()
        Path(path).write_text(text.replace("sha256//BASE64", "00" * 32))
        self.err.truncate(0)
        self.err.seek(0)
        self.assertEqual(check([path]), 2)
        self.assertRegex(
            self.err.getvalue(), r"\A([^\n]*: cannot read the (certificate|CA|key|revocation) file [^\n]*\n)+\Z"
        )

    def test_thoseOfTheManualAre(self) -> None:
        self.assertFine(CLIENT_EXAMPLE)
        self.assertFine(SERVER_EXAMPLE)

    def test_thoseInTheTreeAre(self) -> None:
        if not (ROOT / "examples").exists():
            reason = "the examples are not here: run the tests in a checkout"
            raise SkipTest(reason)
        for name in ("client.toml", "server.toml"):
            self.assertFine((ROOT / "examples" / name).read_text())
