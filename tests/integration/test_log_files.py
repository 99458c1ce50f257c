"""
The files of the log: as JSON, of several processes, and moved away by logrotate.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

from bench.rig.ports import LOOPBACK
from bench.rig.programs import until
from tests.integration.harness import needed, runToEnd
from tests.integration.rig import PLAIN, RigTestCase, foregroundCommand
from uotp.cli.systemd import packaged

FILES = ("ours.log", "twistd.log")


class LogFilesTests(RigTestCase):
    """
    Run a server with workers under twistd, which logs to a file of its own, too.
    """

    def setUp(self) -> None:
        super().setUp()
        self.folder = Path(tempfile.mkdtemp(prefix="uotp-log-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def lines(self, name: str) -> list[dict[str, Any]]:
        """
        @return: what a file holds, each line by itself, as far as it is written to its end.
        """
        file = self.folder / name
        *lines, _ = file.read_text("ascii").split("\n") if file.exists() else [""]
        return [json.loads(line) for line in lines]

    def has(self, name: str, message: str) -> bool:
        """
        @return: whether a file has this message.
        """
        return any(line["message"] == message for line in self.lines(name))

    def wait(self, message: str) -> None:
        """
        Wait until both files have a message.
        """
        until(lambda: all(self.has(name, message) for name in FILES), f"{message!r} is logged")

    def test_bothFilesAreMovedAwayByLogrotate(self) -> None:
        """
        By the file that C{uotp systemd logrotate} prints.  Each line is an object, also in the file of twistd, and
        those of workers have their number.
        """
        logrotate = shutil.which("logrotate", path=f"{os.environ['PATH']}:/usr/sbin")
        if logrotate is None:
            needed("logrotate is not installed")
        words = [*PLAIN, "-v", "debug", "--workers", "2", "-a", LOOPBACK, "-p", "0", "--log-format", "json"]
        command = foregroundCommand("server", *words, "-l", str(self.folder / "ours.log"), LOOPBACK, "9")
        command.insert(command.index("--pidfile="), f"--logfile={self.folder / 'twistd.log'}")
        program = self.start("a server", command)
        self.wait("all 2 workers are ready")

        text = packaged("logrotate.conf").replace("/var/log/uotp", str(self.folder))
        text = re.sub(r"^    su .*\n", "", text, flags=re.MULTILINE)
        text, count = re.subn(r"systemctl try-reload-or-restart .*", f"kill -HUP {program.process.pid}", text)
        self.assertEqual(count, 1)
        configuration = self.folder / "logrotate.conf"
        configuration.write_text(text, "ascii")
        configuration.chmod(0o644)
        done = runToEnd([logrotate, "--force", f"--state={self.folder / 'state'}", str(configuration)])
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.wait("reloaded")
        self.assertStops(program)
        for name in FILES:
            self.assertTrue(self.has(f"{name}.1", "all 2 workers are ready"))
            self.assertFalse(self.has(f"{name}.1", "reloaded"))
            self.assertTrue(self.has(name, "stopping"))
            lines = self.lines(f"{name}.1") + self.lines(name)
            self.assertEqual({line["worker"] for line in lines if "worker" in line}, {1, 2})
            for line in lines:
                self.assertRegex(line["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")
                self.assertNotIn("worker 1: ", line["message"])
