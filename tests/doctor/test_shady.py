"""
The doctor meets servers that break off, or say what no honest one says: each is named, and none ends the examination.
"""

from __future__ import annotations

from functools import partial

from tests.doctor.test_examination import ExaminationTestCase
from tests.doubles.examined import Plain, Secured, Uotp
from uotp.doctor.findings import ExamStep, Outcome
from uotp.doctor.webquestion import dateIn
from uotp.errors import PeerError
from uotp.tls.credentials import ServerCredentials
from uotp.wire.negotiation import WireChoice

NO_RECORD = b"\x17\x03\x03\0\x20" + bytes(32)
"""A record of TLS whose authenticity cannot be verified."""

ALERT = b"\x15\x03\x03\0\2\2\x50"
"""The other end has a fault of its own, as before there are keys."""

DATES = (
    b"1 Jan 2020 00:00:00 -0000",
    b"1 Jan 2020 00:00:00",
    b"1 Jan 2020 00:00:00 +9999999999999999999",
    b"31 Dec 9999 23:59:59 -2300",
    b"1 Jan 0001 00:00:00 +2300",
    b"never",
)
"""What may stand where a web server says what time it is: no time zone, or none that there is."""


class Breaking(Secured):
    """
    Breaks TLS in its own time, once it has welcomed a session.
    """

    def __init__(self, credentials: ServerCredentials, program: Uotp, words: int, says: bytes) -> None:
        """
        @param words: how often it listens before that.
        @param says: what it says then, in place of TLS.
        """
        super().__init__(credentials, program)
        self._uotp = program
        self._words = words
        self._says = says

    def take(self, data: bytes) -> None:
        try:
            super().take(data)
        except PeerError:  # it was asked as a web server
            self.isClosed = True
        if not self._uotp.tokens:
            return
        if not self._words:
            self.outgoing += self._says
        self._words -= 1


class Dated(Plain):
    """
    Answers questions of HTTP, and says nothing else.
    """

    def __init__(self, date: bytes) -> None:
        super().__init__()
        self._date = date

    def take(self, data: bytes) -> None:
        self.heard += data
        if b"\r\n\r\n" in self.heard:
            self.outgoing += b"HTTP/1.1 200 OK\r\nDate: " + self._date + b"\r\n\r\n"
            self.isClosed = True


class BrokenTlsTests(ExaminationTestCase):
    """
    TLS comes to its end at any moment.
    """

    def test_eachMomentIsNamed(self) -> None:
        for says in (NO_RECORD, ALERT):
            for number in range(9):
                self.breakOff(number, says)

    def breakOff(self, number: int, says: bytes) -> None:
        credentials = self.server()
        self.machine.program = lambda: Breaking(credentials, self.newUotp(), number, says)
        self.examine()
        self.assertTrue(self.outcomes(Outcome.FAULT), (number, says))


class DateTests(ExaminationTestCase):
    """
    A web server says what time it is there.
    """

    def test_anyDateIsJudged(self) -> None:
        for date in DATES:
            self.machine.program = partial(Dated, date)
            found = self.examine(tls=None, wire=WireChoice.TWO)
            self.assertIn(found[ExamStep.CLOCK].outcome, {Outcome.OK, Outcome.WARNING}, date)

    def test_timeIsToldInUtc(self) -> None:
        for zone, hour in ((b"GMT", 12), (b"-0000", 12), (b"+0200", 10)):
            found = dateIn(b"HTTP/1.1 200 OK\r\nDate: Fri, 27 Nov 2026 12:00:00 " + zone + b"\r\n\r\n")
            assert found is not None
            self.assertEqual(f"{found:%H %Z}", f"{hour} UTC")
