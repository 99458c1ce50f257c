"""
What the log says first.
"""

from __future__ import annotations

import platform
from types import ModuleType

import cryptography
import OpenSSL
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import LogLevel, capturedLogs, formatEvent

import twisted
import uotp
from tests.doubles.commands import CommandTestCase
from uotp.cli import client, server
from uotp.cli.introduction import MOST_LETTERS, introduce
from uotp.telemetry.log import Logger


class IntroductionTests(CommandTestCase):
    """
    Introduce a program that was called in some way.
    """

    def setUp(self) -> None:
        super().setUp()
        self.patch(Logger, "threshold", LogLevel.info)

    def said(self, module: ModuleType, *words: str) -> str:
        """
        @return: the line.
        """
        options = module.Options()
        options.parseOptions(words)
        with capturedLogs() as events:
            introduce(options, MemoryReactorClock())
        (event,) = events
        self.assertIs(event["log_level"], LogLevel.info)
        return str(formatEvent(event))

    def told(self, module: ModuleType, *words: str) -> str:
        """
        @return: what the line says of the command line.
        """
        return self.said(module, *words).partition(", told: ")[2]

    def test_versionsOfAllThatMattersAreThere(self) -> None:
        line = self.said(server, "--no-tls", "192.0.2.1", "51820")
        self.assertTrue(line.startswith(f"uotp-server {uotp.__version__} on "), line)
        for name, version in (
            (platform.python_implementation(), platform.python_version()),
            ("Twisted", twisted.__version__),
            ("pyOpenSSL", OpenSSL.__version__),
            ("cryptography", cryptography.__version__),
            (platform.system(), platform.release()),
        ):
            self.assertIn(f" {name} {version}", line)
        self.assertRegex(line, r", OpenSSL \d+\.\d+\.\d+\S*, ")
        self.assertIn("(MemoryReactorClock)", line)

    def test_onlyWhatIsNotTheDefaultIsSaid(self) -> None:
        """
        However it was typed.
        """
        self.assertEqual(self.told(server, "--no-tls", "--linger", "150.0", "a", "1"), "--no-tls a 1")
        self.assertEqual(
            self.told(client, "a", "-n16", "1", "-w", "4", "-B2", "--udp-buffer=4096K", "-R", "-v", "info"),
            "--backoff 2 --resolve-once a 1",
        )

    def test_filesAreNamed(self) -> None:
        words = ["-c", "/etc/my certificate.pem", "-k", "/k\\n.pem", "a", "1"]
        self.assertEqual(self.told(server, *words), "--cert '/etc/my certificate.pem' --key '/k\\n.pem' a 1")

    def test_optionsThatAreRepeatedAreAllThere(self) -> None:
        pin = "ab" * 32
        line = self.told(client, "--allow", "192.0.2.0/24", "--allow", "fd00::/8", "--pin", pin, "::1", "8443")
        self.assertEqual(line, f"--allow 192.0.2.0/24 --allow fd00::/8 --pin {pin} ::1 8443")

    def test_itIsOneLineAndNotTooLong(self) -> None:
        line = self.told(server, "-c", "/a\nb\x1b", "-k", "/" + "x" * 5000, "a", "1")
        self.assertIn(r"/a\nb\x1b", line)
        self.assertEqual(len(line), MOST_LETTERS + 3)
