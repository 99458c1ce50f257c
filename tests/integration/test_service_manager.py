"""
Our programs and a service manager: the sockets that it hands in, and what it is told.
"""

from __future__ import annotations

import io
import os
import re
import shlex
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path

from bench.rig.ports import LOOPBACK, Address, freePort
from bench.rig.programs import HANG_SECONDS, Program
from tests.integration.harness import needed, ourCommand, ourEnvironment, runToEnd
from tests.integration.hosts import writeProgram
from tests.integration.rig import PLAIN, RigTestCase
from tests.pages import printedBlocks
from uotp.cli.cert import cert
from uotp.cli.systemd import systemd

ACTIVATE = "systemd-socket-activate"

MOST_EXPOSURE = 2.5
"""systemd 252 rates the services 1.7, of 10; each version of it has rules of its own."""

HAND_IN = """\
import os
import socket
import sys

kind, address, count, *command = sys.argv[1:]
host, port = address.rsplit(":", 1)
for number in range(3, 3 + int(count)):
    made = socket.socket(socket.AF_INET, getattr(socket, kind))
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind((host, int(port)))
    if kind == "SOCK_STREAM":
        made.listen()
    if made.fileno() != number:
        os.dup2(made.fileno(), number)
    os.set_inheritable(number, True)
    made.detach()
os.environ.update(LISTEN_FDS=count, LISTEN_PID=str(os.getpid()))
os.execv(command[0], command)
"""
"""Does what systemd does with ReusePort=yes, which its own tool for trying it out cannot."""


BLOCKS = (
    "systemd-install",
    "systemd-server-files",
    "systemd-server-start",
    "systemd-client",
    "systemd-revoke",
    "systemd-warnings",
    "systemd-networkmanager",
    "systemd-networkd",
    "systemd-sockets",
    "systemd-logrotate",
)
"""Those of the page on systemd, in their order."""

TOLD = """\
systemd-sysusers
systemctl daemon-reload
chgrp -R uotp ETC/uotp
systemctl enable --now uotp-server@home
chgrp -R uotp ETC/uotp
systemctl enable --now uotp-client@laptop
journalctl -p warning -u uotp-server@*
systemctl daemon-reload
systemctl enable --now uotp-server@home.socket
"""
"""What they tell programs of systemd to do."""

HIDDEN_HERE = "uotp systemd: warning: the service cannot start"
"""What is said where the checkout, or Python, is in a home directory."""

MADE = {
    "NetworkManager/dispatcher.d/50-uotp",
    "logrotate.d/uotp",
    "networkd-dispatcher/routable.d/50-uotp",
    "systemd/system/uotp-client@.service",
    "systemd/system/uotp-server@.service",
    "systemd/system/uotp-server@.socket",
    "sysusers.d/uotp.conf",
    *(f"uotp/{name}" for name in ("ca.pem", "crl.pem", "home.toml", "laptop.toml", "server.key", "server.pem")),
}
"""The files that they make in C{/etc}; no key of the CA is among them."""


class PageTests(RigTestCase):
    """
    Do what the page on systemd says, on a host that is none.
    """

    def test_thePageMakesEachFileInItsPlace(self) -> None:
        printed = printedBlocks()
        if not printed:
            needed("the pages are not here: run the tests in a checkout")
        folder = Path(tempfile.mkdtemp(prefix="uotp-host-"))
        self.addCleanup(shutil.rmtree, folder)
        etc, told = folder / "etc", folder / "told"
        for name in {os.path.dirname(each) for each in MADE} - {"uotp"}:
            (etc / name).mkdir(parents=True)
        with redirect_stdout(io.StringIO()):
            cert(["init", str(folder / "pki"), "--host", "vpn.example.com"])
            cert(["add", "laptop", "--pki", str(folder / "pki"), "--bundle", "vpn.example.com"])
        shutil.copy(folder / "pki" / "laptop.uotp", folder)  # as scp does it
        for name in ("systemctl", "systemd-sysusers", "journalctl", "chgrp"):
            writeProgram(folder / name, f'echo "{name} $*" | sed "s/ $//" >>"{told}"\n')
        uotp = shlex.join(ourCommand())
        for name in BLOCKS:
            if name == "systemd-server-start":
                (etc / "uotp" / "home.toml").write_text(printed["systemd-server-file"], "utf-8")
            text = printed[name].replace("/opt/uotp/bin/uotp", uotp).replace("/etc/", f"{etc}/")
            environment = {**ourEnvironment(), "PATH": f"{folder}:{os.environ['PATH']}"}
            done = runToEnd(["bash", "-e", "-c", f"cd {folder}\n{text}"], environment=environment)
            said = [line for line in done.stderr.splitlines() if not line.startswith(HIDDEN_HERE)]
            self.assertEqual((done.returncode, said), (0, []), name)
        self.assertEqual(told.read_text("utf-8"), TOLD.replace("ETC", str(etc)))
        made = {str(file.relative_to(etc)) for file in etc.rglob("*") if file.is_file()}
        self.assertEqual(made, MADE)
        modes = {name: (etc / "uotp" / name).stat().st_mode & 0o777 for name in ("", "server.key", "laptop.toml")}
        self.assertEqual(modes, {"": 0o750, "server.key": 0o640, "laptop.toml": 0o640})
        lists = [file.read_bytes() for file in (etc / "uotp" / "crl.pem", folder / "pki" / "crl.pem")]
        self.assertEqual(lists[0], lists[1])
        hooks = [etc / name for name in MADE if name.endswith("50-uotp")]
        for hook in hooks:
            self.assertTrue(os.access(hook, os.X_OK), hook)
        shellcheck = shutil.which("shellcheck")
        if shellcheck is None:
            needed("shellcheck is not installed")
        done = runToEnd([shellcheck, *map(str, hooks)])
        self.assertEqual((done.returncode, done.stdout), (0, ""))


class ServiceManagerTests(RigTestCase):
    """
    Start both ends as a service manager does.
    """

    def setUp(self) -> None:
        super().setUp()
        self.addressOfServer: Address = (LOOPBACK, freePort(socket.SOCK_STREAM))
        self.addressOfClient: Address = (LOOPBACK, freePort(socket.SOCK_DGRAM))
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.manager.close)
        name = f"uotp-test-{os.getpid()}-{self.addressOfServer[1]}"  # a path may be longer than such a name can be
        self.manager.bind(f"\0{name}")
        self.notify = f"@{name}"
        self.manager.settimeout(HANG_SECONDS)

    def heardUntil(self, line: bytes) -> list[bytes]:
        """
        @return: what the manager is told until it is told this, each line by itself.
        """
        heard: list[bytes] = []
        while line not in heard:
            heard += self.manager.recv(512).split(b"\n")
        return heard

    def carried(self, datagram: bytes) -> None:
        """
        A datagram reaches the target, and its answer comes back.
        """
        self.application.send(datagram, self.addressOfClient)
        where = self.target_.expect(datagram)
        self.target_.send(datagram[::-1], where)
        self.application.expect(datagram[::-1])

    def openEnds(self) -> None:
        """
        Open the sockets of the application and of the target.
        """
        self.application, self.target_ = self.udpEnd(), self.udpEnd()

    def test_whatStartsAProgramIsTheFirstThatItCarries(self) -> None:
        """
        By the tool that systemd has for it: a datagram starts the client, whose connection starts the server.  Both
        say how they are.
        """
        tool = shutil.which(ACTIVATE)
        if tool is None:
            needed(f"{ACTIVATE} is not installed")
        self.openEnds()
        environment = ourEnvironment()
        passed = [f"--setenv={name}={environment[name]}" for name in ("PYTHONPATH", "PATH")]
        told = [f"--setenv=NOTIFY_SOCKET={self.notify}", "--setenv=WATCHDOG_USEC=200000"]
        server = self.start(
            "server",
            [
                *(tool, *passed, *told, f"--listen={LOOPBACK}:{self.addressOfServer[1]}"),
                *ourCommand("server", *PLAIN, LOOPBACK, str(self.target_.address[1])),
            ],
        )
        client = self.start(
            "client",
            [
                *(tool, *passed, "--datagram", f"--listen={LOOPBACK}:{self.addressOfClient[1]}"),
                *ourCommand("client", *PLAIN, LOOPBACK, str(self.addressOfServer[1])),
            ],
        )
        for program in (client, server):
            program.waitForLine("Listening on ")
        self.carried(b"who is there?")
        self.carried(b"and again?")
        heard = self.heardUntil(b"READY=1")
        heard += self.heardUntil(b"WATCHDOG=1") + self.heardUntil(b"WATCHDOG=1")
        self.assertTrue(any(line.startswith(b"STATUS=") and b" sessions, " in line for line in heard), heard)
        for program, transport in ((server, "TCP"), (client, "UDP")):
            program.waitForLine(rf"listening on {LOOPBACK}:\d+ \({transport}\)")
            self.assertNoneIsInherited(program)
            self.assertStops(program)
        self.heardUntil(b"STOPPING=1")

    def assertNoneIsInherited(self, program: Program) -> None:
        """
        The descriptors that were handed in are closed in every program that this one starts.
        """
        flags = Path(f"/proc/{program.process.pid}/fdinfo/3").read_text("ascii").split("flags:")[1].split()[0]
        self.assertTrue(int(flags, 8) & os.O_CLOEXEC)

    def test_printedUnitsAreSound(self) -> None:
        """
        Systemd finds no fault in them, and little that the services may do beyond their work.
        """
        verifier = shutil.which("systemd-analyze")
        if verifier is None:
            needed("systemd-analyze is not installed")
        folder = Path(tempfile.mkdtemp(prefix="uotp-units-"))
        self.addCleanup(shutil.rmtree, folder)
        (folder / "bin").mkdir()
        units = []
        for what in ("server", "client"):
            (folder / "bin" / f"uotp-{what}").touch(0o755)
            for words, kind in ((["--prefix", str(folder)], "service"), (["--socket"], "socket")):
                with redirect_stdout(io.StringIO()) as printed:
                    systemd([what, *words])
                units.append(folder / f"uotp-{what}@home.{kind}")
                units[-1].write_text(printed.getvalue(), "utf-8")
        done = runToEnd([verifier, "verify", *map(str, units)])
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        services = [str(unit) for unit in units if unit.suffix == ".service"]
        done = runToEnd([verifier, "security", "--offline=yes", *services])
        exposures = [float(each) for each in re.findall(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)]
        self.assertEqual(len(exposures), 2)
        self.assertLess(max(exposures), MOST_EXPOSURE)

    def handedIn(self, kind: str, address: Address, count: int, command: Sequence[str]) -> list[str]:
        """
        @return: what starts a program with so many sockets.
        """
        return [sys.executable, "-c", HAND_IN, kind, f"{address[0]}:{address[1]}", str(count), *command]

    def test_eachWorkerHasASocketOfItsOwn(self) -> None:
        """
        At either end; and where there is none for each, that is refused with the remedy.
        """
        self.openEnds()
        words = ("--workers", "2", *PLAIN, LOOPBACK)
        forServer = ourCommand("server", *words, str(self.target_.address[1]))
        forClient = ourCommand("client", *words, str(self.addressOfServer[1]))
        ends = (("SOCK_STREAM", self.addressOfServer, forServer), ("SOCK_DGRAM", self.addressOfClient, forClient))
        started = [self.start(kind, self.handedIn(kind, address, 2, command)) for kind, address, command in ends]
        refused = self.start("alone", self.handedIn("SOCK_STREAM", (LOOPBACK, 0), 1, forServer))
        for program in started:
            program.waitForLine("all 2 workers are ready")
        deadline = time.monotonic() + HANG_SECONDS
        for number in range(6):  # whichever worker each source belongs to
            self.assertLess(time.monotonic(), deadline)
            self.application = self.udpEnd()
            self.carried(b"number %d" % number)
        refused.waitForLine("1 sockets at .* were handed in, and 2 workers need 2: name the address as often")
        self.assertEqual(refused.waitForExit(), 2)
        for program in started:
            self.assertStops(program, signal.SIGINT)
