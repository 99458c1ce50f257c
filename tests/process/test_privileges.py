"""
Whether a process can become root again.
"""

from __future__ import annotations

from types import SimpleNamespace

from twisted.trial.unittest import SynchronousTestCase

from uotp.process import privileges

NOBODY = 65534


class PrivilegesTests(SynchronousTestCase):
    """
    Look at the users of a process.
    """

    def asked(self, **told: object) -> bool:
        """
        @param told: what the system tells, by the names of its functions.
        @return: whether the process can become root again.
        """
        functions = {name: lambda value=value: value for name, value in told.items()}
        self.patch(privileges, "os", SimpleNamespace(**functions))
        return privileges.canBecomeRoot()

    def test_whoeverKeepsRootCanGoBack(self) -> None:
        self.assertTrue(self.asked(geteuid=NOBODY, getuid=0, getresuid=(0, NOBODY, 0)))
        self.assertTrue(self.asked(geteuid=NOBODY, getuid=0, getresuid=(0, NOBODY, NOBODY)))
        self.assertTrue(self.asked(geteuid=NOBODY, getuid=NOBODY, getresuid=(NOBODY, NOBODY, 0)))

    def test_whoeverHasGivenItUpCannot(self) -> None:
        self.assertFalse(self.asked(geteuid=NOBODY, getuid=NOBODY, getresuid=(NOBODY, NOBODY, NOBODY)))
        self.assertFalse(self.asked(geteuid=NOBODY, getuid=1000, getresuid=(1000, NOBODY, 1000)))

    def test_rootItselfNeedNotGoBack(self) -> None:
        """
        That a process runs as root is what somebody has chosen.
        """
        self.assertFalse(self.asked(geteuid=0, getuid=0, getresuid=(0, 0, 0)))
        self.assertFalse(self.asked(geteuid=0, getuid=1000, getresuid=(1000, 0, 0)))

    def test_whereOnlyTheRealUserIsToldThatOneCounts(self) -> None:
        """
        On macOS, where C{twistd --euid} keeps it too.
        """
        self.assertTrue(self.asked(geteuid=NOBODY, getuid=0))
        self.assertFalse(self.asked(geteuid=NOBODY, getuid=NOBODY))

    def test_whereThereAreNoUsersThereIsNoRoot(self) -> None:
        self.assertFalse(self.asked(getlogin="somebody"))
