"""
What programs of the system tell, as far as it can be tried without them.
"""

from __future__ import annotations

import sys

from twisted.trial.unittest import SynchronousTestCase

from uotp.doctor import machine
from uotp.doctor.machine import SystemMachine, endpointsOf, toolOutput


class MachineTests(SynchronousTestCase):
    """
    Read what C{wg} and C{timedatectl} print.
    """

    def test_endpointsOfAWireGuard(self) -> None:
        """
        Of IPv4 and IPv6; a peer that was never heard has none.
        """
        told = "KEY1=\t127.0.0.1:8911\nKEY2=\t[::1]:8911\nKEY3=\t(none)\nKEY4=\t[fe80::1%eth0]:51820\n"
        self.patch(machine, "toolOutput", lambda *_: told)
        found = endpointsOf("wg0")
        self.assertEqual(found, (("127.0.0.1", 8911), ("::1", 8911), ("fe80::1%eth0", 51820)))
        self.patch(machine, "toolOutput", lambda *_: None)
        self.assertIsNone(endpointsOf("wg0"))

    def test_whetherTheClockIsKeptRight(self) -> None:
        for told, known in (("yes\n", True), ("no\n", False), ("", None), (None, None)):
            self.patch(machine, "toolOutput", lambda *_, told=told: told)
            self.assertIs(SystemMachine().isSynchronized(), known)

    def test_programsThatAreNotThereOrFail(self) -> None:
        self.assertIsNone(toolOutput("no-such-program-anywhere"))
        self.assertIsNone(toolOutput(sys.executable, "-c", "raise SystemExit(1)"))
        self.assertEqual(toolOutput(sys.executable, "-c", "print('told')"), "told\n")
