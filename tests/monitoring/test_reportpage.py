"""
What the reference says of a report, compared with what there is.
"""

from __future__ import annotations

import re
from dataclasses import fields

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.pages import DOCS
from uotp.monitoring.report import (
    CertificateReport,
    Report,
    SessionReport,
    Traffic,
    TunnelReport,
    WorkerReport,
)

TITLES = {
    "The program": Report,
    "Traffic": Traffic,
    "Workers": WorkerReport,
    "Certificates": CertificateReport,
    "Sessions": SessionReport,
    "Tunnels": TunnelReport,
}
"""Which chapter tells of what."""

KINDS = {"str": "text", "int": "number", "float": "number", "bool": "true or false", "tuple[str, ...]": "list of text"}


def kindOf(annotation: str) -> str:
    """
    @return: what JSON has for a field, in the words of the page.
    """
    if annotation.startswith("tuple[") and annotation not in KINDS:
        return "list"
    return "object of numbers" if annotation.startswith("Mapping[") else KINDS.get(annotation, "object")


class ReportPageTests(SynchronousTestCase):
    """
    Read the page.
    """

    def test_everyKeyIsThereWithItsKind(self) -> None:
        """
        In the order in which they come, and no other.
        """
        page = DOCS / "reference" / "report.rst"
        if not page.exists():
            reason = "the pages are not here: run the tests in a checkout"
            raise SkipTest(reason)
        chapters = re.split(r"^(.+)\n=+\n\n", page.read_text("utf-8"), flags=re.MULTILINE)
        texts = dict(zip(chapters[1::2], chapters[2::2], strict=True))
        for title, kind in TITLES.items():
            rows = re.findall(r"^``(\w+)``  +(\w+(?: \w+)*)  +\S", texts[title], re.MULTILINE)
            self.assertEqual(rows, [(field.name, kindOf(str(field.type))) for field in fields(kind)], title)
