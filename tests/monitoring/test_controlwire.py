"""
What is asked and answered at a control socket, as bytes.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.reports import CLIENT_REPORT, SERVER_REPORT, crowded
from uotp.monitoring.controlwire import (
    ASK_DISCONNECT,
    ASK_RELOAD,
    ASK_REPORT,
    MOST_REQUEST_BYTES,
    ControlRequest,
    RequestError,
    answerOf,
    encodeRequest,
    parseRequest,
    piecesOfAnswer,
)


class RequestTests(SynchronousTestCase):
    """
    Read what somebody asks.
    """

    def test_whatIsAskedIsRead(self) -> None:
        for request in (
            ControlRequest(ASK_REPORT),
            ControlRequest(ASK_RELOAD),
            ControlRequest(ASK_DISCONNECT, "1f2e3d4c"),
            ControlRequest(ASK_DISCONNECT, "Jürgen's laptop"),
        ):
            line = encodeRequest(request)
            self.assertTrue(line.endswith(b"\n"))
            self.assertLess(len(line), MOST_REQUEST_BYTES)
            self.assertEqual(parseRequest(line[:-1]), request)

    def test_whatCannotBeAnsweredIsRefusedInWords(self) -> None:
        for line, words in (
            (b"", "this is no request: a line of JSON is needed"),
            (b"GET / HTTP/1.1", "this is no request: a line of JSON is needed"),
            (b"\xff\xfe", "this is no request: a line of JSON is needed"),
            (b"[" * 4000, "this is no request: a line of JSON is needed"),
            (b"[1]", "this is no request: a JSON object is needed"),
            (b'{"ask":"report"}', "by version 1 of the control protocol, and not by None"),
            (b'{"control":2,"ask":"report"}', "by version 1 of the control protocol, and not by 2"),
            (b'{"control":1}', "nothing is known of this request: 'None'"),
            (b'{"control":1,"ask":"stop"}', "nothing is known of this request: 'stop'"),
            (b'{"control":1,"ask":"disconnect"}', "nothing is known of this request: 'disconnect'"),
            (b'{"control":1,"ask":"disconnect","session":7}', "nothing is known of this request: 'disconnect'"),
            (b'{"control":1,"ask":"disconnect","session":""}', "is named by 1 to 256 letters"),
            (b'{"control":1,"ask":"disconnect","session":"' + b"x" * 257 + b'"}', "is named by 1 to 256 letters"),
        ):
            error = self.assertRaises(RequestError, parseRequest, line)
            self.assertIn(words, str(error))
            self.assertTrue(str(error).isprintable())

    @given(st.binary(max_size=200))
    def test_nothingElseIsEverRaised(self, line: bytes) -> None:
        try:
            parseRequest(line)
        except RequestError as error:
            self.assertLess(len(str(error)), 200)


class AnswerTests(SynchronousTestCase):
    """
    Write answers.
    """

    def test_aReportIsJsonOfItsFields(self) -> None:
        for report in (SERVER_REPORT, CLIENT_REPORT, replace(SERVER_REPORT, sessions=())):
            line = b"".join(piecesOfAnswer(report))
            self.assertEqual(line.count(b"\n"), 1)
            self.assertTrue(line.endswith(b"\n"))
            expected = json.loads(json.dumps(asdict(report)))
            self.assertEqual(json.loads(line), {"control": 1, "report": expected})

    def test_noPieceOfALargeReportIsLarge(self) -> None:
        """
        So that no turn takes long, however many sessions there are.
        """
        pieces = list(piecesOfAnswer(crowded(256, 10)))
        self.assertEqual(len(pieces), 260)
        self.assertLess(max(map(len, pieces)), 8192)

    def test_shortAnswersAreLines(self) -> None:
        self.assertEqual(answerOf(ended=3), b'{"control":1,"ended":3}\n')
        self.assertEqual(json.loads(answerOf(error='no "such" file\n')), {"control": 1, "error": 'no "such" file\n'})

    def test_whatJsonDoesNotHaveIsAnError(self) -> None:
        self.assertRaises(ValueError, answerOf, ended=float("nan"))
        self.assertRaises(TypeError, answerOf, ended=b"bytes")
