"""
Asking a program, which may be of another version, another's, hung, or none.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import tempfile
import threading
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.reports import CLIENT_REPORT, SERVER_REPORT, crowded
from uotp.cli.operate import asking
from uotp.cli.operate.asking import AskError, NobodyThere, NotPermitted, Program, askProgram, reportOf
from uotp.monitoring import ASK_DISCONNECT, ASK_REPORT, ControlRequest
from uotp.monitoring.controlwire import answerOf, parseRequest, piecesOfAnswer

REPORT = ControlRequest(ASK_REPORT)


class AskingTests(SynchronousTestCase):
    """
    Ask what a test answers, from a thread.
    """

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory(prefix="uotp-")
        self.addCleanup(directory.cleanup)
        self.path = str(Path(directory.name) / "server-8443.sock")
        self.program = Program(self.path)

    def listen(self) -> socket.socket:
        """
        @return: a socket at which somebody listens, until the end of the test.
        """
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.addCleanup(listening.close)
        listening.bind(self.path)
        listening.listen(1)
        return listening

    def answerWith(self, answer: Callable[[bytes], bytes]) -> None:
        """
        Serve one connection.

        @param answer: makes an answer of a request.
        """
        listening = self.listen()

        def serve() -> None:
            accepted, _ = listening.accept()
            with accepted:
                accepted.sendall(answer(accepted.makefile("rb").readline()))

        thread = threading.Thread(target=serve)
        thread.start()
        self.addCleanup(thread.join)

    def test_whatIsAnsweredIsGiven(self) -> None:
        asked: list[ControlRequest] = []

        def answer(line: bytes) -> bytes:
            asked.append(parseRequest(line[:-1]))
            return answerOf(ended=3)

        self.answerWith(answer)
        request = ControlRequest(ASK_DISCONNECT, "1f2e3d4c")
        self.assertEqual(askProgram(self.program, request), {"control": 1, "ended": 3})
        self.assertEqual(asked, [request])

    def test_aLargeReportComesWhole(self) -> None:
        report = crowded(256, 10)
        self.answerWith(lambda _: b"".join(piecesOfAnswer(report)))
        self.assertEqual(reportOf(self.program, askProgram(self.program, REPORT)), report)

    def failure(self, kind: type[AskError] = AskError, seconds: float = 10.0) -> str:
        """
        @return: why it is not answered, in one line.
        """
        error = self.assertRaises(kind, askProgram, self.program, REPORT, seconds)
        self.assertTrue(str(error).isprintable())
        return str(error)

    def test_nobodyIsThere(self) -> None:
        self.assertIn(f"no program answers at {self.path}: No such file", self.failure(NobodyThere))
        self.listen().close()
        self.assertIn("Connection refused", self.failure(NobodyThere))

    def test_anothersIsNotToBeAsked(self) -> None:
        """
        Whose it is is said, and what helps.
        """
        Path(self.path).touch()

        class Refused(socket.socket):
            def connect(self, _: Any) -> None:
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

        self.patch(socket, "socket", Refused)
        said = self.failure(NotPermitted)
        self.assertRegex(said, r"^server-8443 belongs to \S+, and you may not ask it: use sudo \(/")
        os.unlink(self.path)
        self.assertIn("another user", self.failure(NotPermitted))

    def test_oneThatHangsIsNotWaitedForLong(self) -> None:
        self.listen()
        self.assertIn("server-8443 has not answered in 0.05 s", self.failure(seconds=0.05))
        self.assertIn("has not answered in 0.05 s", self.failure(seconds=0.05))  # nobody takes that out of the queue
        self.assertIn("has not answered in 0.05 s", self.failure(seconds=0.05))

    def test_oneThatEndsMeanwhileIsSaidTo(self) -> None:
        self.answerWith(lambda _: b'{"control":1,"report":')
        self.assertIn("server-8443 has ended before it had answered", self.failure())

    def test_anotherVersionIsSaidToBe(self) -> None:
        self.answerWith(lambda _: b'{"control":2,"state":"fine"}\n')
        self.assertIn("answers in version 2 of the control protocol, and this is 1: use the uotp", self.failure())

    def test_somethingElseIsSaidToBe(self) -> None:
        self.answerWith(lambda _: b"HTTP/1.1 400 Bad Request\n")
        self.assertIn("is no control socket of ours", self.failure())

    def test_aRefusalIsPassedOn(self) -> None:
        """
        Without anything that a terminal would act by.
        """
        self.answerWith(lambda _: answerOf(error="\x1b[2Jno such file"))
        self.assertEqual(self.failure(), "server-8443: \\x1b[2Jno such file")

    def test_anAnswerWithoutEndIsNotKept(self) -> None:
        self.patch(asking, "MOST_ANSWER_BYTES", 10_000)
        self.answerWith(lambda _: b"x" * 100_000)
        self.assertIn("what it answers has no end", self.failure())


class ReportOfTests(SynchronousTestCase):
    """
    Read reports.
    """

    program = Program("/run/uotp/server-8443.sock")

    def answer(self, **changes: Any) -> dict[str, Any]:
        """
        @return: an answer with a report that has been changed.
        """
        report = json.loads(json.dumps(asdict(SERVER_REPORT)))
        return {"control": 1, "report": {**report, **changes}}

    def test_reportsAreReadAsTheyWere(self) -> None:
        for report in (SERVER_REPORT, CLIENT_REPORT):
            answer = json.loads(b"".join(piecesOfAnswer(report)))
            self.assertEqual(reportOf(self.program, answer), report)

    def test_whatANewerProgramTellsBesidesIsNoError(self) -> None:
        self.assertEqual(reportOf(self.program, self.answer(mood="fine")), SERVER_REPORT)

    def test_whatIsMissingOrOfAnotherKindIs(self) -> None:
        answer = self.answer()
        del answer["report"]["pid"]
        for wrong in (answer, self.answer(sessions=3), {"control": 1}, {"control": 1, "report": []}):
            error = self.assertRaises(AskError, reportOf, self.program, wrong)
            self.assertIn("the report of server-8443 is not understood", str(error))
            self.assertTrue(str(error).isprintable())


class ProgramTests(SynchronousTestCase):
    """
    Name programs.
    """

    def test_aProgramIsMeantByWhatItIsCalled(self) -> None:
        office = Program("/run/uotp/office/server-8443.sock")
        for word in ("server-8443", "server", "8443", "office"):
            self.assertTrue(office.isMeant(word), word)
        for word in ("serv", "844", "client", "uotp", "443", ""):
            self.assertFalse(office.isMeant(word), word)
        self.assertTrue(Program("/x/server-8443-77.sock").isMeant("server-8443"))
        self.assertEqual(Program("/x/a\x1bb.sock").name, "a\\x1bb")
