"""
twistd gives root away, wholly or by half.
"""

from __future__ import annotations

import os

from bench.rig.ports import LOOPBACK
from tests.integration.harness import LISTENING, needed, requireProcfs
from tests.integration.rig import PLAIN, RigTestCase, said, twistdCommand

NOBODY = "65534"


class PrivilegesTests(RigTestCase):
    """
    Start a server as root, which becomes somebody else.
    """

    def setUp(self) -> None:
        requireProcfs()
        if os.geteuid() != 0:
            needed("only root can give root away")
        super().setUp()

    def usersOf(self, *options: str) -> tuple[list[str], list[str]]:
        """
        @param options: of twistd.
        @return: the real, effective, saved and filesystem user of the server, and what it says of root.
        """
        words = ["-n", "--pidfile=", "--uid", NOBODY, "--gid", NOBODY, *options, "uotp-server"]
        program = self.start("server", twistdCommand(*words, *PLAIN, "-a", LOOPBACK, "-p", "0", LOOPBACK, "9"))
        program.waitForLine(LISTENING)
        program.waitForLine("whoever reaches this port")
        with open(f"/proc/{program.process.pid}/status", encoding="ascii") as status:
            users = next(line.split()[1:] for line in status if line.startswith("Uid:"))
        self.assertStops(program)
        return users, said(program, "can become root")

    def test_rootThatIsKeptBehindTheBackIsSaid(self) -> None:
        users, lines = self.usersOf("--euid")
        self.assertEqual(users, ["0", NOBODY, "0", NOBODY])
        self.assertEqual(len(lines), 1)
        self.assertIn("this process can become root again: leave twistd's --euid out", lines[0])

    def test_rootThatIsGivenUpIsNotMentioned(self) -> None:
        users, lines = self.usersOf()
        self.assertEqual(users, [NOBODY] * 4)
        self.assertEqual(lines, [])
