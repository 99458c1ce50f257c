"""
The console scripts, without a process of their own.
"""

from __future__ import annotations

import gc
import runpy
import signal
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from twisted.internet.testing import MemoryReactorClock
from twisted.logger import Logger, LoggingFile, LogLevel, capturedLogs, formatEvent, globalLogBeginner

import uotp
import uotp.cli.cert
import uotp.cli.client
import uotp.cli.demo.command
import uotp.cli.server
import uotp.telemetry.log
from tests.doubles.commands import CommandTestCase
from tests.doubles.newcomers import listenInMemory
from tests.doubles.processlogs import RecordingProcessLog
from tests.doubles.services import RecordingService
from uotp.cli import common, main
from uotp.cli.options import GnuOptions
from uotp.errors import StartError
from uotp.server import service as serverservice
from uotp.telemetry import LogFormat

COMMANDS = "server, client, cert, check, demo, doctor, status, top, reload, disconnect, systemd, man, completion"


class ExampleOptions(GnuOptions):
    """
    Has the options of an end that is none.
    """

    commandName = "uotp-example"
    optParameters = [["logfile", "l", None, "log to this file"]]

    def postOptions(self) -> None:
        """
        Turn words into values.
        """
        self["log-format"] = LogFormat.TEXT


class ScriptTestCase(CommandTestCase):
    """
    Has a reactor in memory, and nothing of the process's log is begun.
    """

    def setUp(self) -> None:
        super().setUp()
        self.done: list[str] = []
        self.reactor: Any = MemoryReactorClock()
        self.patch(self.reactor, "run", lambda: self.done.append("run"))
        self.replaceReactor(self.reactor)
        self.observers: list[Any] = []
        self.patch(globalLogBeginner, "beginLoggingTo", self.beginLoggingTo)

    def beginLoggingTo(self, observers: Sequence[Any], *, redirectStandardIO: bool) -> None:
        """
        Remember who would be told.
        """
        self.assertFalse(redirectStandardIO)
        self.done.append("log")
        self.observers.extend(observers)


class RunEndTests(ScriptTestCase):
    """
    Run one end in the foreground.
    """

    def runExample(self, *words: str, error: Exception | None = None) -> int:
        """
        @param error: why the end cannot start.
        @return: the exit status of an end that is run with these words.
        """
        end = ModuleType("example")
        end.Options = ExampleOptions  # type: ignore[attr-defined]
        end.makeService = lambda _: RecordingService(journal=self.done, startError=error)  # type: ignore[attr-defined]
        self.patch(main, "import_module", {"example": end}.__getitem__)
        return main.runEnd("example", words)

    def test_itRunsUntilItIsStoppedAndThatIsSuccess(self) -> None:
        self.assertEqual(self.runExample(), 0)
        self.assertEqual(self.done, ["log", "bind", "start", "run"])
        ((stop, _, _),) = self.reactor.triggers["before"]["shutdown"]
        stop()
        self.assertEqual(self.done[-1], "stop")

    def test_theLogGoesToStandardError(self) -> None:
        """
        So that standard output stays free, and a supervisor sees it.
        """
        self.runExample()
        (observer,) = self.observers
        Logger(namespace="room", observer=observer).info("said")
        self.assertRegex(self.err.getvalue(), r"^\S+ \[room#info\] said\n$")
        self.assertEqual(self.out.getvalue(), "")

    def test_withALogfileTheTerminalStaysQuiet(self) -> None:
        self.assertEqual(self.runExample("-l", "file"), 0)
        self.assertEqual(self.observers, [])
        self.assertEqual((self.out.getvalue(), self.err.getvalue()), ("", ""))

    def test_aStartThatFailsIsOneLineAndStatus1(self) -> None:
        for words in ([], ["-l", "file"]):
            self.err.seek(0)
            self.err.truncate()
            self.assertEqual(self.runExample(*words, error=StartError("the port is taken")), 1)
            self.assertEqual(self.err.getvalue(), "uotp-example: the port is taken\n")
            self.assertEqual(self.done[-2:], ["log", "bind"])

    def test_anEndThatCannotWorkEndsWithItsStatus(self) -> None:
        """
        Where the log is in a file alone, the reason is on the terminal too.
        """
        self.patch(RecordingService, "exitStatus", 1)
        self.patch(RecordingService, "trouble", "no worker can be started")
        self.assertEqual(self.runExample(), 1)
        self.assertEqual(self.err.getvalue(), "")
        self.assertEqual(self.runExample("-l", "file"), 1)
        self.assertEqual(self.err.getvalue(), "uotp-example: no worker can be started\n")

    def test_garbageIsLookedForWhenItRunsAndNotBefore(self) -> None:
        """
        Also where it is not to be looked for at all, and after a start that has failed.
        """
        found: list[tuple[str, bool]] = []
        self.patch(RecordingService, "privilegedStartService", lambda _: found.append(("bind", gc.isenabled())))
        self.patch(RecordingService, "startService", lambda _: found.append(("start", gc.isenabled())))
        self.patch(self.reactor, "run", lambda: found.append(("run", gc.isenabled())))
        self.addCleanup(gc.enable)
        for isWanted in (True, False):
            (gc.enable if isWanted else gc.disable)()
            self.runExample()
            self.assertEqual(found, [("bind", False), ("start", False), ("run", isWanted)])
            found.clear()
            self.refusalOf(lambda: self.runExample("--nonsense"))
            self.assertIs(gc.isenabled(), isWanted)

    def test_aBugIsNotHidden(self) -> None:
        self.assertRaises(LookupError, self.runExample, error=LookupError())

    def test_whatIsPrintedMeanwhileGoesToTheLog(self) -> None:
        """
        Also the traceback of a crash: a pipe that nobody reads would take neither.
        """

        def crash() -> None:
            sys.stderr.write("printed\n")
            raise LookupError

        self.patch(self.reactor, "run", crash)
        with capturedLogs() as events:
            self.assertRaises(LookupError, self.runExample)
        self.assertEqual([formatEvent(event) for event in events], ["printed"])
        self.assertIsInstance(sys.stderr, LoggingFile)
        self.patch(self.reactor, "run", lambda: self.assertIsInstance(sys.stderr, LoggingFile))
        sys.stderr = self.err
        self.assertEqual(self.runExample(), 0)
        self.assertIs(sys.stderr, self.err)

    def test_anUnusableCommandLineIsStatus2(self) -> None:
        line = self.refusalOf(lambda: self.runExample("--nonsense"))
        self.assertEqual(line, "uotp-example: there is no option --nonsense (see --help)")
        self.assertEqual(self.done, [])

    def test_aServerRunsFromItsCommandLine(self) -> None:
        self.patch(uotp.telemetry.log.Logger, "threshold", LogLevel.info)
        self.patch(sys, "excepthook", sys.excepthook)
        self.patch(common, "raiseDescriptorLimit", lambda: None)
        self.patch(common, "ProcessLog", RecordingProcessLog)
        self.patch(serverservice, "listen", listenInMemory)
        self.patch(signal, "signal", lambda *_: None)
        self.assertEqual(main.runEnd("uotp.cli.server", ["--no-tls", "-p", "4433", "192.0.2.1", "51820"]), 0)
        self.assertEqual(self.done, ["log", "run"])
        ((port, _, _, interface),) = self.reactor.tcpServers
        self.assertEqual((port, interface), (4433, "0.0.0.0"))  # noqa: S104 - the default


class ScriptsTests(ScriptTestCase):
    """
    Ask which script runs what.
    """

    def setUp(self) -> None:
        super().setUp()
        self.ran: list[tuple[object, list[str] | None]] = []

        def runEnd(end: str, words: Sequence[str] | None = None) -> int:
            self.ran.append((end, None if words is None else list(words)))
            return 7

        def command(name: str) -> Any:
            def run(words: Sequence[str]) -> int:
                self.ran.append((name, list(words)))
                return 8

            return run

        self.patch(main, "runEnd", runEnd)
        self.patch(uotp.cli.cert, "cert", command("cert"))
        self.patch(uotp.cli.demo.command, "demo", command("demo"))

    def test_theEndsScriptsRunTheEnds(self) -> None:
        self.assertEqual((main.server(), main.client()), (7, 7))
        self.assertEqual(self.ran, [("uotp.cli.server", None), ("uotp.cli.client", None)])

    def test_commandsGetTheWordsBehindThem(self) -> None:
        self.assertEqual(main.main(["cert", "dir", "--host", "a"]), 8)
        self.assertEqual(main.main(["demo"]), 8)
        self.assertEqual(main.main(["demo", "--help"]), 8)
        self.assertEqual(main.main(["server", "-p", "1", "a", "2"]), 7)
        self.assertEqual(main.main(["client", "--version"]), 7)
        self.assertEqual(
            self.ran,
            [
                ("cert", ["dir", "--host", "a"]),
                ("demo", []),
                ("demo", ["--help"]),
                ("uotp.cli.server", ["-p", "1", "a", "2"]),
                ("uotp.cli.client", ["--version"]),
            ],
        )

    def test_theWordsOfTheProcessAreTheDefault(self) -> None:
        self.patch(sys, "argv", ["uotp", "cert", "dir"])
        main.main()
        self.assertEqual(self.ran, [("cert", ["dir"])])

    def test_withoutACommandTheChoiceIsNamed(self) -> None:
        for words in ([], ["--"]):
            line = self.refusalOf(lambda words=words: main.main(words))  # type: ignore[misc]
            self.assertEqual(line, f"uotp: a command is needed: {COMMANDS} (see --help)")

    def test_aCommandThatThereIsNotIsNamed(self) -> None:
        for word in ("help", "version"):
            line = self.refusalOf(lambda word=word: main.main([word]))  # type: ignore[misc]
            self.assertEqual(line, f"uotp: there is no command {word}: write uotp --{word} (see --help)")
        for word, shown in (("", "''"), ("vpn.example.com", "vpn.example.com")):
            line = self.refusalOf(lambda word=word: main.main([word, "--help"]))  # type: ignore[misc]
            self.assertEqual(line, f"uotp: there is no command {shown}: it is one of {COMMANDS} (see --help)")

    def test_aCommandThatIsMistypedIsGuessed(self) -> None:
        for word, meant in (("certs", "cert"), ("Demo", "demo"), ("uotp-client", "client"), ("sever", "server")):
            line = self.refusalOf(lambda word=word: main.main([word, "--help"]))  # type: ignore[misc]
            self.assertEqual(line, f"uotp: there is no command {word}: did you mean `uotp {meant}`? (see --help)")

    def test_aCommandThatWasPastedIsSaidToBe(self) -> None:
        line = self.refusalOf(lambda: main.main(["\u2013help"]))
        reason = r"the word '\u2013help': U+2013 is in it, a dash that is no hyphen: write --help"
        self.assertEqual(line, f"uotp: {reason} (see --help)")

    def test_anOptionThatThereIsNotIsNamed(self) -> None:
        for word, reason in (
            ("--host", "--host is an option of uotp cert"),
            ("--no-tls", "--no-tls is an option of uotp-server, and of uotp-client"),
            ("--size", "--size is an option of uotp demo"),
            ("--hlep", "there is no option --hlep: did you mean --help?"),
        ):
            line = self.refusalOf(lambda word=word: main.main([word, "a"]))  # type: ignore[misc]
            self.assertEqual(line, f"uotp: {reason} (see --help)")

    def test_helpNamesTheCommands(self) -> None:
        for word in ("--help", "-h"):
            text = self.outputOf(lambda word=word: main.main([word]))  # type: ignore[misc]
        self.assertEqual(text.splitlines()[0], "Usage: uotp [options] COMMAND [arguments]")
        lines = main.MainOptions().getUsage(80).splitlines()
        self.assertIn(lines[1], text)
        listed = lines[lines.index("Commands:") + 1 : lines.index("")]
        self.assertEqual(", ".join(line.split()[0] for line in listed), COMMANDS)  # each has one line

    def test_versionExits0(self) -> None:
        self.assertEqual(self.outputOf(lambda: main.main(["--version"])), f"uotp {uotp.__version__}\n")

    def test_theModuleIsAProgramToo(self) -> None:
        self.patch(sys, "argv", ["scripts.py", "check", "--version"])
        text = self.outputOf(lambda: runpy.run_path(main.__file__, run_name="__main__"))
        self.assertEqual(text, f"uotp check {uotp.__version__}\n")
