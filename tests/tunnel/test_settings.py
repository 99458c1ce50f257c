"""
What both ends can be told, and what not.
"""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.contracts import SettingsTestCase
from uotp.errors import ConfigurationError
from uotp.net import sockopts
from uotp.net.sockopts import MAX_BUFFER_BYTES, MIN_BUFFER_BYTES, TunnelSocketOptions
from uotp.process.memory import LEAST_MEMORY_BYTES
from uotp.telemetry.spelling import Spelling
from uotp.tunnel import settings
from uotp.tunnel.settings import MAX_REORDER_SECONDS, CommonSettings


class CommonSettingsTests(SettingsTestCase):
    """
    Check the settings that both ends have.
    """

    def settings(self, **chosen: Any) -> CommonSettings:
        return CommonSettings(**chosen)

    def test_howLongDatagramsMayWaitForOthers(self) -> None:
        self.assertUnusable("reorder", -0.001, 5.001, float("nan"))
        self.assertUsable("reorder", None, 0, MAX_REORDER_SECONDS)

    def test_sizesOfBuffers(self) -> None:
        for name in ("unsentLimit", "udpBuffer"):
            self.assertUnusable(name, 0, -1, MIN_BUFFER_BYTES - 1, MAX_BUFFER_BYTES + 1)
            self.assertUsable(name, MIN_BUFFER_BYTES, MAX_BUFFER_BYTES)

    def test_memory(self) -> None:
        self.assertUnusable("memory", 0, -1, LEAST_MEMORY_BYTES - 1)
        self.assertUsable("memory", LEAST_MEMORY_BYTES, 1 << 40)

    def test_congestionControlIsAskedForAtOnce(self) -> None:
        """
        A kernel that does not have it is no surprise of the first connection.
        """
        self.patch(sockopts, "TCP_CONGESTION", None)
        error = self.assertRaises(ConfigurationError, CommonSettings, congestion="bbr")
        self.assertEqual(str(error), "congestion bbr: this system does not let a program choose")

    def test_socketsAreTunedByThem(self) -> None:
        self.patch(settings, "checkCongestion", lambda _: None)
        self.assertEqual(CommonSettings().tuning, TunnelSocketOptions())
        tuned = CommonSettings(unsentLimit=4096, congestion="cubic")
        self.assertEqual(tuned.tuning, TunnelSocketOptions(4096, "cubic"))


class SettingTests(SynchronousTestCase):
    """
    See what every setting has from the way it is written down.
    """

    def test_errorSaysWhatItIsAndWhatIsNeeded(self) -> None:
        error = self.assertRaises(ConfigurationError, CommonSettings, reorder=7)
        self.assertEqual(str(error), "reorder is 7, and not a number of seconds from 0 to 5")
        self.patch(Spelling, "spellings", {"reorder": "--reorder"})
        error = self.assertRaises(ConfigurationError, CommonSettings, reorder=7)
        self.assertEqual(str(error), "--reorder is 7, and not a number of seconds from 0 to 5")

    def test_settingsAreFrozen(self) -> None:
        frozen: Any = CommonSettings()
        with self.assertRaises(FrozenInstanceError):
            frozen.reorder = 7
