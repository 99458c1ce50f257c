"""
The command lines of C{uotp status} and its neighbours, and how they end.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from tests.doubles.commands import CommandTestCase
from tests.doubles.reports import CLIENT_REPORT, SERVER_REPORT
from uotp.cli.operate import commands
from uotp.cli.operate.asking import RELOAD_SECONDS, AskError, NobodyThere, NotPermitted, Program
from uotp.cli.operate.commands import disconnect, reload, status, top
from uotp.monitoring import ControlRequest
from uotp.monitoring.controlwire import piecesOfAnswer

OPERATING = {"status": status, "top": top, "reload": reload, "disconnect": disconnect}
SERVER, CLIENT = "/run/uotp/server-8443.sock", "/run/uotp/client-8911.sock"


class CommandsTests(CommandTestCase):
    """
    Run commands for two programs that are none.
    """

    def setUp(self) -> None:
        super().setUp()
        self.answers: dict[str, Mapping[str, Any] | AskError] = {
            SERVER: json.loads(b"".join(piecesOfAnswer(SERVER_REPORT))),
            CLIENT: json.loads(b"".join(piecesOfAnswer(CLIENT_REPORT))),
        }
        self.asked: list[tuple[str, ControlRequest, float]] = []
        self.patch(commands, "foundSockets", lambda _: [SERVER, CLIENT])
        self.patch(commands, "askProgram", self.ask)

    def ask(self, program: Program, request: ControlRequest, seconds: float = 0.0) -> Mapping[str, Any]:
        """
        In place of a program.
        """
        self.asked.append((program.path, request, seconds))
        answer = self.answers.get(program.path, NobodyThere(f"no program answers at {program.path}"))
        if isinstance(answer, AskError):
            raise answer
        return answer

    def paths(self) -> list[str]:
        """
        @return: which programs were asked, in order.
        """
        return [path for path, _, _ in self.asked]

    def test_allProgramsAreShown(self) -> None:
        self.assertEqual(status([]), 0)
        text = self.out.getvalue()
        self.assertIn("uotp-server 0.1.0, pid 4711", text)
        self.assertIn("\n\nuotp-client 0.1.0, pid 4712", text)
        self.assertIn("1f2e3d4c", text)
        self.assertNotIn(" \n", text)
        self.assertIn("and 1 more", text)  # the client's report tells one of two
        self.assertEqual(self.err.getvalue(), "")

    def test_oneMayBeNamed(self) -> None:
        for words, paths in (
            (["server-8443"], [SERVER]),
            (["client"], [CLIENT]),
            (["8443"], [SERVER]),
            (["--socket", "/x/y.sock"], ["/x/y.sock"]),
            (["-s", "y.sock"], [os.path.abspath("y.sock")]),
        ):
            self.asked.clear()
            status(words)
            self.assertEqual(self.paths(), paths)

    def test_jsonIsTheReportAsItCame(self) -> None:
        """
        One program a line, also what this version does not know.
        """
        answer: Any = self.answers[SERVER]
        answer["report"]["mood"] = "fine"
        self.assertEqual(status(["--json"]), 0)
        first, second = map(json.loads, self.out.getvalue().splitlines())
        self.assertEqual((first["pid"], first["mood"], second["pid"]), (4711, "fine", 4712))

    def setReady(self, *, isReady: bool) -> None:
        """
        Let the client be ready, or not.
        """
        answer: Any = self.answers[CLIENT]
        answer["report"].update(isReady=isReady, trouble="" if isReady else "no server")

    def test_aCheckTellsByItsStatusWhoIsNotReady(self) -> None:
        """
        All are shown all the same, and who does not ask for it is told by words alone.
        """
        for words in ([], ["--json"]):
            for isReady, checked in ((True, 0), (False, 3)):
                self.setReady(isReady=isReady)
                self.assertEqual(status(words), 0)
                shown = self.out.getvalue()
                self.assertEqual(status([*words, "--check"]), checked)
                self.assertEqual(self.out.getvalue(), shown * 2)
                self.out.truncate(0)
                self.out.seek(0)

    def test_aCheckThatOneDoesNotAnswerHasFailed(self) -> None:
        """
        Whatever another has said of itself.
        """
        self.setReady(isReady=False)
        self.answers[SERVER] = AskError("server-8443 has not answered")
        self.assertEqual(status(["--check"]), 1)

    def test_withoutAnyProgramThatIsSaid(self) -> None:
        self.patch(commands, "foundSockets", lambda _: [])
        self.patch(os, "environ", {"XDG_RUNTIME_DIR": "/run/user/7"})
        for name, run in OPERATING.items():
            if name == "top":
                continue
            self.err.truncate(0)
            self.err.seek(0)
            self.assertEqual(run(["1f2e3d4c"] if name == "disconnect" else []), 1)
            self.assertEqual(
                self.err.getvalue(),
                f"uotp {name}: no uotp program answers on this host (looked in /run/user/7/uotp, /run/uotp): if it has "
                "a --control PATH of its own, give that by --socket PATH\n",
            )
        self.assertEqual(self.out.getvalue(), "")

    def test_oneThatIsNotThereIsSaidWhenItWasNamed(self) -> None:
        self.assertEqual(status(["-s", "/gone"]), 1)
        self.assertEqual(self.err.getvalue(), "uotp status: no program answers at /gone\n")
        self.err.truncate(0)
        self.err.seek(0)
        self.assertEqual(status(["office"]), 1)
        self.assertIn(
            "no running uotp program matches office: if it has a --control PATH of its own, give", self.err.getvalue()
        )

    def test_whatAKilledProgramHasLeftIsNoTrouble(self) -> None:
        del self.answers[CLIENT]
        self.assertEqual(status([]), 0)
        self.assertEqual(self.err.getvalue(), "")

    def test_whatOthersRunIsSaidWhenNothingElseIsThere(self) -> None:
        self.answers[SERVER] = NotPermitted("server-8443 belongs to root")
        self.assertEqual(status([]), 0)
        self.assertEqual(self.err.getvalue(), "")
        del self.answers[CLIENT]
        self.assertEqual(status([]), 1)
        self.assertEqual(self.err.getvalue(), "uotp status: server-8443 belongs to root\n")

    def test_oneThatFailsDoesNotHideTheOther(self) -> None:
        self.answers[SERVER] = AskError("server-8443 has not answered in 12 s")
        self.assertEqual(status([]), 1)
        self.assertIn("uotp-client", self.out.getvalue())
        self.assertEqual(self.err.getvalue(), "uotp status: server-8443 has not answered in 12 s\n")

    def test_aReportThatIsNotUnderstoodIsSaidToBe(self) -> None:
        self.answers[SERVER] = {"control": 1, "report": {"end": "server"}}
        self.assertEqual(status(["server"]), 1)
        self.assertIn("the report of server-8443 is not understood", self.err.getvalue())

    def test_reloadSaysWhatBecameOfIt(self) -> None:
        self.answers = {SERVER: {"control": 1, "reloaded": True}, CLIENT: AskError("client-8911: no such file")}
        self.assertEqual(reload([]), 1)
        self.assertEqual(self.out.getvalue(), "server-8443: reloaded\n")
        self.assertEqual(self.err.getvalue(), "uotp reload: client-8911: no such file\n")
        self.assertEqual(reload(["server"]), 0)
        self.assertEqual({(request.ask, seconds) for _, request, seconds in self.asked}, {("reload", RELOAD_SECONDS)})

    def test_reloadSaysWhatNeedsARestart(self) -> None:
        """
        It has a status of its own, unless another program has failed.
        """
        self.answers[SERVER] = {"control": 1, "reloaded": True, "restart": ["mark", "pool-size"]}
        self.answers[CLIENT] = {"control": 1, "reloaded": True}
        self.assertEqual(reload([]), 3)
        said = "server-8443: reloaded, but a restart is needed for new values of mark, pool-size\n"
        self.assertEqual(self.out.getvalue(), f"{said}client-8911: reloaded\n")
        self.assertEqual(self.err.getvalue(), "")
        self.assertEqual(reload(["client"]), 0)
        self.answers[CLIENT] = AskError("client-8911: no such file")
        self.assertEqual(reload([]), 1)

    def test_namesThatNeedARestartAreNoOrdersForATerminal(self) -> None:
        for told, shown in ((["\x1b[2J"], "\\x1b[2J"), ("mark", "mark"), ({"a": 1}, "{'a': 1}")):
            self.answers = {SERVER: {"control": 1, "reloaded": True, "restart": told}}
            self.assertEqual(reload(["server"]), 3)
            self.assertIn(f"new values of {shown}\n", self.out.getvalue())

    def test_disconnectSaysHowMany(self) -> None:
        self.answers = {SERVER: {"control": 1, "ended": 2}, CLIENT: {"control": 1, "ended": 0}}
        self.assertEqual(disconnect(["laptop"]), 0)
        self.assertEqual(
            self.out.getvalue(), "server-8443: 2 sessions ended; a client that is not revoked dials again\n"
        )
        self.assertEqual({request.session for _, request, _ in self.asked}, {"laptop"})
        self.assertEqual(self.paths(), [SERVER, CLIENT])

    def test_nobodyOfThatNameIsSaid(self) -> None:
        self.answers = {SERVER: {"control": 1, "ended": 0}, CLIENT: {"control": 1, "ended": 0}}
        self.assertEqual(disconnect(["laptop"]), 1)
        self.assertEqual(
            self.err.getvalue(), "uotp disconnect: no session id begins with laptop, and no client is called laptop\n"
        )
        self.assertEqual(self.out.getvalue(), "")

    def test_whatCannotBeMeantIsRefused(self) -> None:
        for run, words, reason in (
            (status, ["a", "b"], "uotp status: at most one argument is needed, and there are 2"),
            (status, ["-s", "/x", "a"], "uotp status: --socket and the name a exclude each other"),
            (disconnect, [], "uotp disconnect: give a session id or a client's name (see --help)"),
            (disconnect, [""], "uotp disconnect: one argument is needed, and it is empty"),
            (top, ["-i", "0.1"], "uotp top: --interval 0.1: a time from 200ms to 365d is needed"),
            (reload, ["--json"], "uotp reload: there is no option --json"),
        ):
            line = self.refusalOf(lambda run=run, words=words: run(words))  # type: ignore[misc]
            self.assertTrue(line.startswith(reason), line)

    def test_topNeedsATerminal(self) -> None:
        self.assertEqual(top([]), 1)
        self.assertEqual(self.err.getvalue(), "uotp top: a terminal is needed: uotp status prints the same once\n")
        self.assertEqual(self.asked, [])

    def test_helpSaysWhatEachIsFor(self) -> None:
        for name, run in OPERATING.items():
            text = self.outputOf(lambda run=run: run(["--help"]))  # type: ignore[misc]
            self.assertIn(f"Usage: uotp {name} [options]", text)
            self.out.truncate(0)
            self.out.seek(0)
