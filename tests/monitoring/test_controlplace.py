"""
Where control sockets are, and where they are looked for.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from uotp.monitoring import controlplace
from uotp.monitoring.controlplace import MOST_FOUND, foundSockets, usualDirectory


class PlaceTests(SynchronousTestCase):
    """
    Ask for directories and sockets.
    """

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory(prefix="uotp-")
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        self.patch(controlplace, "SYSTEM_DIRECTORY", str(self.directory / "system"))

    def test_theServiceManagersComesFirst(self) -> None:
        for environment, user, directory in (
            ({"RUNTIME_DIRECTORY": "/run/uotp/office"}, 1000, "/run/uotp/office"),
            ({"RUNTIME_DIRECTORY": "/run/a:/run/b", "XDG_RUNTIME_DIR": "/run/user/7"}, 0, "/run/a"),
            ({"RUNTIME_DIRECTORY": "relative", "XDG_RUNTIME_DIR": "/run/user/7"}, 7, "/run/user/7/uotp"),
            ({"XDG_RUNTIME_DIR": "/run/user/0"}, 0, controlplace.SYSTEM_DIRECTORY),
            ({}, 0, controlplace.SYSTEM_DIRECTORY),
            ({"XDG_RUNTIME_DIR": ""}, 7, None),
            ({}, 7, None),
        ):
            self.assertEqual(usualDirectory(environment, user), directory)

    def make(self, *names: str) -> list[str]:
        """
        Make files.

        @return: their paths.
        """
        paths = [self.directory / name for name in names]
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return [str(path) for path in paths]

    def test_allAreFoundThatMayBeThere(self) -> None:
        """
        Those of a user and of the system, also those of units, which have directories of their own; each once.
        """
        own = self.make("own/uotp/client-8911.sock")
        system = self.make("system/server-443.sock", "system/server-8443.sock", "system/office/client-1.sock")
        self.make("system/.abc/s", "system/.abc/s.sock", "system/notes", "own/other.sock", "system/a/b/c.sock")
        environment = {"XDG_RUNTIME_DIR": str(self.directory / "own"), "RUNTIME_DIRECTORY": ""}
        self.assertEqual(foundSockets(environment), own + system)
        self.assertEqual(foundSockets({}), system)

    def test_insideAUnitOnlyItsOwnIsFound(self) -> None:
        (own,) = self.make("unit/server-443.sock")
        self.make("own/uotp/client-8911.sock", "system/server-8443.sock")
        environment = {name: str(self.directory / "own") for name in ("XDG_RUNTIME_DIR", "HOME")}
        environment["RUNTIME_DIRECTORY"] = f"{self.directory / 'unit'}:/run/other"
        self.assertEqual(foundSockets(environment), [own])

    def test_nothingIsFoundWhereNothingIs(self) -> None:
        self.assertEqual(foundSockets({"XDG_RUNTIME_DIR": str(self.directory / "missing")}), [])

    def test_noMoreAreFoundThanAreAsked(self) -> None:
        self.make(*(f"system/server-{number}.sock" for number in range(MOST_FOUND + 10)))
        self.assertEqual(len(foundSockets({})), MOST_FOUND)
