"""
What a server can be told, and what not.
"""

from __future__ import annotations

from typing import Any

from tests.doubles.contracts import SettingsTestCase
from uotp.errors import ConfigurationError
from uotp.net import sockopts
from uotp.server.settings import ServerSettings


class ServerSettingsTests(SettingsTestCase):
    """
    Check the settings that only a server has.
    """

    def settings(self, **chosen: Any) -> ServerSettings:
        return ServerSettings(**{"target": ("127.0.0.1", 51820), **chosen})

    def test_times(self) -> None:
        self.assertUnusable("linger", 0, -1.0, float("nan"), float("inf"))
        self.assertUsable("linger", 0.001, 1e6)

    def test_counts(self) -> None:
        self.assertUnusable("maxSessions", 0, -1, 65537)
        self.assertUsable("maxSessions", 1, 65536)
        self.assertUnusable("maxConnections", 0, -1, 63, (1 << 20) + 1)
        self.assertUsable("maxConnections", 64, 1 << 20)
        self.assertUnusable("ownerShare", 0, -1, 101)
        self.assertUsable("ownerShare", 1, 100)

    def test_whatBothEndsHaveIsCheckedToo(self) -> None:
        self.assertUnusable("udpBuffer", 0)
        self.assertUnusable("reorder", -1)
        self.patch(sockopts, "TCP_CONGESTION", None)
        self.assertRaises(ConfigurationError, self.settings, congestion="bbr")

    def test_hostsThatAreNone(self) -> None:
        """
        It would otherwise be found out by the first datagram.
        """
        for host in ("two..dots.test", "x" * 64 + ".test", "", "no name"):
            error = self.assertRaises(ConfigurationError, self.settings, target=(host, 9))
            self.assertRegex(str(error), f"^the target {host}: .* host name")
