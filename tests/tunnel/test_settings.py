"""
What both ends can be told, and what not.
"""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.contracts import SettingsTestCase
from uotp.duplicate import Duplicate
from uotp.errors import ConfigurationError
from uotp.net import sockopts
from uotp.net.sockopts import MAX_BUFFER_BYTES, MIN_BUFFER_BYTES, TunnelSocketOptions
from uotp.order import MAX_REORDER_SECONDS, MIN_REORDER_SECONDS, Order, OrderMode
from uotp.process.memory import LEAST_MEMORY_BYTES
from uotp.telemetry.spelling import Spelling
from uotp.tunnel import settings
from uotp.tunnel.settings import CommonSettings


class CommonSettingsTests(SettingsTestCase):
    """
    Check the settings that both ends have.
    """

    def settings(self, **chosen: Any) -> CommonSettings:
        return CommonSettings(**chosen)

    def test_howLongDatagramsMayWaitForOthers(self) -> None:
        times = (MIN_REORDER_SECONDS, MAX_REORDER_SECONDS)
        self.assertUsable("reorder", None, Order(), *(Order.within(seconds) for seconds in times))
        self.assertUsable("reorder", Order(OrderMode.OFF), Order(OrderMode.BULK))
        self.assertUnusable("reorder", *(Order.within(seconds) for seconds in (0.0, 0.0009, 5.001, float("nan"))))
        self.assertUsable("duplicate", *Duplicate)
        self.assertUnusable("duplicate", "auto", None, 0)
        self.assertUnusable("reorder", Order(OrderMode.TIME), Order(OrderMode.OFF, 0.2), 0.2, 0, "off")

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
        needed = "an Order of 0.001 to 5 seconds, or one without a time"
        error = self.assertRaises(ConfigurationError, CommonSettings, reorder=7)
        self.assertEqual(str(error), f"reorder is 7, and not {needed}")
        self.patch(Spelling, "spellings", {"reorder": "--reorder"})
        error = self.assertRaises(ConfigurationError, CommonSettings, reorder=7)
        self.assertEqual(str(error), f"--reorder is 7, and not {needed}")

    def test_settingsAreFrozen(self) -> None:
        frozen: Any = CommonSettings()
        with self.assertRaises(FrozenInstanceError):
            frozen.reorder = 7
