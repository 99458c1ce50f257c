"""
The picture of the packages in C{docs} is that of the code as it is.
"""

from __future__ import annotations

import functools
import runpy
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.test_packages import ALLOWED, MOST_FLOORS

DOCS = Path(__file__).resolve().parents[1] / "docs"
"""Found in a checkout only; it is no part of what is installed."""


@functools.cache
def drawing() -> dict[str, Any]:
    """
    @return: what the program defines, and under C{imported} what it has read of the code.
    """
    program = DOCS / "draw_packages.py"
    if not program.exists():
        reason = "docs/draw_packages.py is not here: run the tests in a checkout"
        raise SkipTest(reason)
    found = runpy.run_path(str(program))
    return {**found, "imported": found["imports"]()}


class MetricsPageTests(SynchronousTestCase):
    """
    The page of all metrics is that of the code as it is.
    """

    def test_thePageHasTheMetricsThatThereAre(self) -> None:
        """
        Whoever changes one writes the page again, by C{python docs/write_metrics.py}.
        """
        program = DOCS / "write_metrics.py"
        if not program.exists():
            reason = "docs/write_metrics.py is not here: run the tests in a checkout"
            raise SkipTest(reason)
        written = runpy.run_path(str(program))["page"]()
        self.assertTrue((DOCS / "reference" / "metrics.rst").read_text("utf-8") == written)


class PictureTests(SynchronousTestCase):
    """
    The picture, and the program that draws it, where they are.
    """

    def setUp(self) -> None:
        self.drawing = drawing()

    def test_thePictureShowsTheCodeAsItIs(self) -> None:
        """
        Whoever changes what a package imports draws the picture again, by C{python
        docs/draw_packages.py}.
        """
        self.assertTrue((DOCS / "packages.svg").read_text("utf-8") == self.drawing["picture"]())

    def test_theFloorsAreThoseOfTheRules(self) -> None:
        """
        It shows each package, on as many floors as there may be, and each has its words.
        """
        floors = self.drawing["floorsOf"](self.drawing["imported"])
        self.assertEqual(set(floors), set(ALLOWED))
        self.assertEqual(set(floors.values()), set(range(1, MOST_FLOORS + 1)))
        self.assertEqual(len(self.drawing["FLOORS"]), MOST_FLOORS + 1)

    def test_eachPackageHasItsWords(self) -> None:
        """
        The table beside the picture says what each package does.
        """
        page = (DOCS / "development.rst").read_text("utf-8")
        self.assertEqual([package for package in ALLOWED if f"``{package}``" not in page], [])

    def test_everyImportIsDrawn(self) -> None:
        """
        An arrow goes down all the way, or the lowest floor's name stands in the box.
        """
        imported = self.drawing["imported"]
        floors = self.drawing["floorsOf"](imported)
        lines = self.drawing["linesOf"](imported, floors)
        targets = {lower.package for _, lower in lines if lower.isBox}
        self.assertEqual(targets, {other for others in imported.values() for other in others if floors[other] > 1})
        for upper, lower in lines:
            self.assertEqual(upper.floor, lower.floor + 1)
            self.assertTrue(upper.isBox or upper.package == lower.package)
