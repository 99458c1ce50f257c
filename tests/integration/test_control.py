"""
An operator at the control sockets of real programs.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
from datetime import datetime, timezone
from pathlib import Path

from bench.rig.ports import LOOPBACK
from bench.rig.programs import HANG_SECONDS, until
from tests.integration import harness
from tests.integration.harness import LISTENING, needed, ourCommand, ourEnvironment, runToEnd
from tests.integration.hosts import writeProgram
from tests.integration.rig import PLAIN, RigTestCase, said, twistdCommand
from tests.integration.test_pages import blocksHere
from uotp.net import steeringTrouble
from uotp.pki import openAuthority
from uotp.pki.directory import Pki
from uotp.pki.issue import issueClient

NOBODY = 65534


class ControlTests(RigTestCase):
    """
    Have the control sockets in a directory that is the test's alone.
    """

    def setUp(self) -> None:
        super().setUp()
        folder = tempfile.TemporaryDirectory(prefix="uotp-run-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.sockets = self.folder / "run"
        self.sockets.mkdir(mode=0o755)
        self.folder.chmod(0o755)
        self.patch(harness, "runtimeDirectory", lambda: str(self.sockets))
        programs = self.folder / "bin"
        programs.mkdir()
        quoted = " ".join(f"'{word}'" for word in ourCommand())
        writeProgram(programs / "uotp", f'exec {quoted} "$@"\n')
        self.environment = ourEnvironment() | {"PATH": f"{programs}:{os.environ['PATH']}", "TERM": "screen"}

    def shell(self, script: str) -> str:
        """
        @return: what lines of shell print, which end well.
        """
        done = subprocess.run(
            ["/bin/sh", "-ec", script],
            check=False,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=HANG_SECONDS,
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        return done.stdout

    def names(self) -> list[str]:
        """
        @return: the sockets that there are.
        """
        return sorted(path.name for path in self.sockets.iterdir())

    def withLaptop(self) -> Pki:
        """
        @return: certificates, of which the client's says that it is a laptop.
        """
        pki = self.newPki()
        now = datetime.now(timezone.utc)
        laptop = issueClient(openAuthority(pki, lambda _: b"", now), "laptop", now)
        Path(pki.clientCertificate).write_bytes(laptop.certificatePem())
        Path(pki.clientKey).write_bytes(laptop.keyPem())
        return pki

    def test_whatThePageSaysIsWhatHappens(self) -> None:
        """
        An operator looks, has files read again, and ends the sessions of a client, which dials again.
        """
        blocks = blocksHere()
        if shutil.which("jq") is None:
            needed("jq is missing: install the package jq")
        target = self.udpEnd()
        pair = self.pair(target.address, self.withLaptop())
        self.flow(pair, target).openPool()  # its session stays for as long as an operator needs
        ports = pair.serverAddress[1], pair.clientAddress[1]
        self.assertEqual(self.names(), [f"client-{ports[1]}.sock", f"server-{ports[0]}.sock"])
        for name in self.names():
            self.assertEqual(stat.S_IMODE((self.sockets / name).stat().st_mode), 0o600)

        text = self.shell(blocks["status-all"])
        for words in (f"[server-{ports[0]}]", f"[client-{ports[1]}]", "laptop, sha256", "ready"):
            self.assertIn(words, text)
        client, server = self.shell(blocks["status-json"]).splitlines()
        self.assertEqual(client.split()[0], server.split()[0])
        self.assertEqual(len(client.split()[0]), 8)

        self.assertEqual(
            self.shell(blocks["status-reload"]), f"client-{ports[1]}: reloaded\nserver-{ports[0]}: reloaded\n"
        )
        self.assertIn("1 session ended", self.shell(blocks["status-disconnect"]))
        until(lambda: len(said(pair.server, "opened from")) > 1, "the client begins a new session")
        for program in (pair.client, pair.server):
            self.assertStops(program)
        self.assertEqual(self.names(), [])

    def test_aReloadSaysWhatNeedsARestart(self) -> None:
        """
        Whether one process does the work or two.  A file with which no program could start is refused whole.
        """
        said = blocksHere()["status-restart"]
        text = f'server = "{LOOPBACK}:9"\nno-tls = true\nbind-address = "{LOOPBACK}"\nbind-port = 0\n'
        file = self.folder / "client.toml"
        for workers in (1, 2) if steeringTrouble() is None else (1,):
            same = f"{text}workers = {workers}\n"
            file.write_text(same)
            program = self.start("our client", ourCommand("client", str(file)))
            name = f"client-{self.listening(program)[1]}"
            for more, status, words in (
                ("pool-size = 16\n", 0, f"{name}: reloaded\n"),
                ('pool-size = 9\nmark = "0x51"\n', 3, said.replace("client-8911", name)),
                ("pool-size = 9\nmin-pool = 12\n", 1, f"uotp reload: {name}: {file}:6: min-pool 12 is more than"),
                ("polsize = 9\n", 1, f"uotp reload: {name}: {file}:6: there is no key polsize"),
                ("", 0, f"{name}: reloaded\n"),
            ):
                file.write_text(f"{same}{more}")
                done = runToEnd([*ourCommand(), "reload"], environment=self.environment)
                told = (done.stdout, done.stderr) if status != 1 else (done.stderr, done.stdout)
                self.assertEqual((done.returncode, told[1]), (status, ""), told[0])
                self.assertTrue(told[0].startswith(words), told[0])
            self.assertStops(program)

    def test_topOnATerminal(self) -> None:
        """
        Of 80 columns and 24 rows; q gives the shell back as it was.
        """
        if shutil.which("tmux") is None:
            needed("tmux is missing: install the package tmux")
        target = self.udpEnd()
        pair = self.pair(target.address, self.withLaptop())
        self.flow(pair, target).openPool()  # its session stays for as long as an operator needs
        tmux = f"tmux -f /dev/null -S {self.folder}/tmux"
        self.addCleanup(
            subprocess.run, ["/bin/sh", "-c", f"{tmux} kill-server"], check=False, stderr=subprocess.DEVNULL
        )
        seen = self.folder / "seen.sh"
        writeProgram(seen, "uotp top -i 200ms\necho over $?\nstty -a\nread end\n")
        self.shell(f"{tmux} new-session -d -x 80 -y 24 {seen}")

        def sees(words: str) -> bool:
            return words in self.shell(f"{tmux} capture-pane -p")

        until(lambda: sees("OUTbit/s") and sees("laptop"), "top shows the server's session")
        screen = self.shell(f"{tmux} capture-pane -p").splitlines()
        self.assertLessEqual(max(map(len, screen)), 80)
        self.assertIn("sorted by rate", screen[0])
        self.shell(f"{tmux} send-keys s")
        until(lambda: sees("sorted by age"), "what is typed is read")
        self.assertStops(pair.server)
        until(lambda: sees("it has ended; waiting for it"), "top says that the server has ended")
        self.shell(f"{tmux} send-keys q")
        until(lambda: sees("over 0"), "q ends it")
        until(lambda: sees(" icanon"), "the shell says how the terminal is")
        self.assertFalse(sees("-icanon") or sees("-echo "))

    def test_whoeverRootBecomesMayAsk(self) -> None:
        """
        The socket is made before, and is that user's.
        """
        if os.geteuid() != 0:
            needed("only root can give root away")
        user = str(NOBODY)
        words = ["-n", "--pidfile=", "--uid", user, "--gid", user, "uotp-server", *PLAIN, "-a", LOOPBACK, "-p", "0"]
        program = self.start("server", twistdCommand(*words, LOOPBACK, "9"))
        program.waitForLine(LISTENING)
        program.waitForLine("whoever reaches this port")
        (path,) = self.sockets.iterdir()
        found = path.stat()
        self.assertEqual((found.st_uid, stat.S_IMODE(found.st_mode)), (NOBODY, 0o600))
        self.assertIn(f"[{path.stem}]", self.shell("uotp status"))
        self.assertStops(program)

    def test_aPathThatWasSaidIsNeeded(self) -> None:
        """
        The second program that is told the same one does not start, and says why in one line.
        """
        path = str(self.folder / "said.sock")
        first = self.startServer((LOOPBACK, 9), *PLAIN, "--control", path)
        self.listening(first)
        second = self.startServer((LOOPBACK, 9), *PLAIN, "--control", path)
        self.assertEqual(second.waitForExit(), 1)
        self.assertIn(f"uotp-server: --control {path}: another program answers there", second.lines)
        self.assertIn("uotp-server", self.shell(f"uotp status -s {path}"))
        self.assertEqual(self.names(), [])
        self.assertStops(first)
