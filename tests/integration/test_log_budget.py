"""
Lines that Twisted logs by itself, in every way to run a program.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench.rig.ports import LOOPBACK
from bench.rig.programs import Program
from tests.integration.rig import PLAIN, RigTestCase

MANY = f"""\
from twisted.internet import reactor
from twisted.logger import Logger


def speak():
    for number in range(500):
        Logger("twisted.internet.tcp.Port").info("strangers made me say this: {{number}}", number=number)
    Logger("{__name__}").info("all is said")


reactor.callWhenRunning(reactor.callLater, 0.0, speak)
"""
"""What makes Twisted speak as often as strangers could."""

WAYS = {
    "twistd": ("from twisted.scripts.twistd import run; run()", ["-n", "--pidfile=", "uotp-server"]),
    "twist": ("from twisted.application.twist._twist import Twist; Twist.main()", ["uotp-server"]),
    "console script": ("import sys; from uotp.cli.main import main; sys.exit(main())", ["server"]),
}
"""What runs a server, and its first words."""


def outputOf(program: Program) -> str:
    """
    @return: what it has written to its standard output and error.
    """
    return "\n".join(program.lines)


def textOf(file: Path) -> str:
    """
    @return: what is in a file, which may not be there yet.
    """
    return file.read_text() if file.exists() else ""


def hasSaidAll(log: Callable[[], str]) -> bool:
    """
    @return: whether a log has the last line of L{MANY}.
    """
    return "all is said" in log()


class LogBudgetTests(RigTestCase):
    """
    Let Twisted log the same five hundred times.
    """

    def test_eachObserverSaysItOnce(self) -> None:
        """
        Also those that C{twistd} and C{twist} make themselves, and the file of C{--logfile}.
        """
        for way, (run, words) in WAYS.items():
            for options in ((), ("-l", self.mktemp())):
                command = [sys.executable, "-c", MANY + run, *words, *PLAIN, "-a", LOOPBACK, "-p", "0", *options]
                program = self.start(way, [*command, LOOPBACK, "9"])
                file = Path(options[1]) if options else None
                logs: list[Callable[[], str]] = []
                if way != "console script" or file is None:
                    logs.append(partial(outputOf, program))
                if file is not None:
                    logs.append(partial(textOf, file))
                for log in logs:
                    program.waitFor(partial(hasSaidAll, log), "the end of what is said")
                self.assertStops(program)
                self.assertEqual([log().count("strangers made me say this") for log in logs], [1] * len(logs), way)
