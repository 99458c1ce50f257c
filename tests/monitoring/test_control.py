"""
The service that has a control socket.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from twisted.logger import LogLevel, capturedLogs, formatEvent

from tests.doubles.reactors import MemoryReactor
from tests.doubles.reports import ScriptedReporter
from tests.monitoring.test_controlsocket import SocketTestCase
from uotp.errors import StartError
from uotp.monitoring.control import PATH_LOOK_SECONDS, ControlService
from uotp.monitoring.controlplace import ControlPlace
from uotp.monitoring.controlsocket import listenAt


class ServiceTests(SocketTestCase):
    """
    Start and stop.
    """

    def setUp(self) -> None:
        super().setUp()
        self.reactor = MemoryReactor()
        self.port = 8443
        capture = capturedLogs()
        self.events: Any = capture.__enter__()
        self.addCleanup(capture.__exit__, None, None, None)

    def service(self, path: str | None = None, directory: str | None = None) -> ControlService:
        """
        @return: one that is stopped in the end.
        """
        reporter = ScriptedReporter()
        place = ControlPlace(path, directory)
        made = ControlService(place, reporter, reporter.reloadProgram, "server", lambda: self.port, self.reactor)
        self.addCleanup(made.stopService)
        return made

    def lines(self) -> list[str]:
        """
        @return: what the log says.
        """
        return [formatEvent(each) for each in self.events if each["log_level"] >= LogLevel.info]

    def test_itListensWhileItRuns(self) -> None:
        service = self.service(self.path)
        self.assertIsNone(service.path)
        service.privilegedStartService()
        self.assertEqual(service.path, self.path)
        self.assertEqual(self.reactor.getReaders(), [])
        service.startService()
        self.assertEqual(len(self.reactor.getReaders()), 1)
        self.connect()
        service.stopService()
        self.assertEqual((self.names(), self.reactor.getReaders(), service.path), ([], [], None))

    def test_itMayBeStartedAgain(self) -> None:
        service = self.service(self.path)
        for _ in range(2):
            service.startService()
            self.connect()
            service.stopService()
            self.assertEqual(self.names(), [])

    def test_whatWasRemovedIsMadeAgain(self) -> None:
        """
        With its directory, as soon as that can be made; where another program listens now it is left alone.
        """
        directory = self.directory / "user" / "uotp"
        directory.parent.mkdir()
        service = self.service(directory=str(directory))
        service.startService()
        self.reactor.advance(PATH_LOOK_SECONDS)
        first = service.path
        assert first is not None
        self.path = first
        self.connect()
        shutil.rmtree(directory.parent)
        self.reactor.advance(PATH_LOOK_SECONDS)
        self.assertEqual((self.lines(), len(self.reactor.getReaders())), ([], 1))
        directory.parent.mkdir()
        self.reactor.advance(PATH_LOOK_SECONDS)
        self.connect()
        words = f"the control socket was removed, and is there again: {first}"
        self.assertEqual((self.lines(), service.path, len(self.reactor.getReaders())), ([words], first, 1))
        os.unlink(first)
        other = listenAt(first)
        self.addCleanup(other.close)
        self.reactor.advance(PATH_LOOK_SECONDS)
        self.assertEqual(service.path, f"{directory}/server-8443-{os.getpid()}.sock")
        service.stopService()
        self.assertEqual((self.reactor.getReaders(), os.listdir(directory)), ([], ["server-8443.sock"]))

    def test_whatIsHiddenIsNotMadeAgain(self) -> None:
        """
        In a chroot, it is where it was.
        """
        service = self.service(self.path)
        service.privilegedStartService()
        os.rename(self.path, f"{self.path}.hidden")
        service.startService()
        self.reactor.advance(PATH_LOOK_SECONDS)
        self.assertEqual(self.names(), ["server-8443.sock.hidden"])
        os.rename(f"{self.path}.hidden", self.path)

    def test_inADirectoryItIsNamedAfterThePort(self) -> None:
        """
        The directory is made if need be.
        """
        directory = str(self.directory / "uotp")
        first, second = self.service(directory=directory), self.service(directory=directory)
        first.startService()
        self.assertEqual(first.path, f"{directory}/server-8443.sock")
        second.startService()
        self.assertEqual(second.path, f"{directory}/server-8443-{os.getpid()}.sock")
        self.assertEqual(self.lines(), [])

    def test_withoutAPortItIsNamedAfterTheProcess(self) -> None:
        """
        As in a chroot, before any port is there.
        """
        self.port = 0
        service = self.service(directory=str(self.directory))
        service.open()
        self.port = 8443
        service.startService()
        self.assertEqual(service.path, f"{self.directory}/server-{os.getpid()}.sock")

    def test_withoutSuchADirectoryTheProgramGoesOn(self) -> None:
        missing = str(self.directory / "missing" / "uotp")
        service = self.service(directory=missing)
        service.privilegedStartService()
        service.startService()
        self.assertIsNone(service.path)
        self.assertEqual(
            self.lines(),
            [f"no control socket in {missing}: No such file or directory; control says another place, or off"] * 2,
        )
        self.assertEqual(self.reactor.getReaders(), [])

    def test_aPathThatWasSaidIsNeeded(self) -> None:
        other = listenAt(self.path)
        self.addCleanup(other.close)
        error = self.assertRaises(StartError, self.service(self.path).privilegedStartService)
        self.assertEqual(str(error), f"control {self.path}: another program answers there")
        Path(f"{self.directory}/a").touch()
        error = self.assertRaises(StartError, self.service(f"{self.directory}/a").startService)
        self.assertIn("which is no socket", str(error))
