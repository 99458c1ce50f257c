"""
The files for systemd that the package has.
"""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.doubles.commands import CommandTestCase
from uotp.cli import systemd
from uotp.cli.systemd import FILES, SOCKETS, programOf, unitCommand


class SystemdTests(CommandTestCase):
    """
    Print them.
    """

    def printed(self, *words: str) -> str:
        """
        @return: what a command line prints.
        """
        before = len(self.out.getvalue())
        self.assertEqual(systemd.systemd(words), 0)
        return self.out.getvalue()[before:]

    def test_everythingCanBePrinted(self) -> None:
        """
        Each begins with where it belongs, and nothing is left to be put in.
        """
        for words in (*([what] for what in FILES), *([what, "--socket"] for what in SOCKETS)):
            text = self.printed(*words)
            first = next(line for line in text.splitlines() if not line.startswith("#!"))
            self.assertRegex(first, r"^# /etc/[\w/.@-]+")
            self.assertNotRegex(text, r"@(server|client|hardening)@")

    def test_servicesRunTheProgramBesideThisOne(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        for name in ("uotp-server", "uotp-client"):
            (folder / name).touch(0o755)
        self.patch(sys, "executable", str(folder / "python"))
        where = folder.absolute()
        for end in SOCKETS:
            text = self.printed(end)
            self.assertIn(f"\nExecStart={where}/uotp-{end} /etc/uotp/%i.toml\n", text)
            self.assertIn("\nNoNewPrivileges=yes\n", text)

    def test_withoutAProgramThePythonRunsTheModule(self) -> None:
        self.patch(sys, "executable", "/nowhere/python3")
        self.assertEqual(programOf("client", None), ["/nowhere/python3", "-m", "uotp.cli.main", "client"])

    def test_thePrefixMayBeThatOfAnotherMachine(self) -> None:
        self.assertIn("\nExecStart=/opt/uotp/bin/uotp-server /etc", self.printed("server", "--prefix", "/opt/uotp"))

    def test_aSingleFileIsForNoService(self) -> None:
        """
        What has no place of its own can be printed all the same.
        """
        path = self.mktemp()
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("__main__.py", "")
        self.patch(sys, "argv", [path, "systemd", "server"])
        line = self.refusalOf(lambda: systemd.systemd(["server"]))
        self.assertIn("a single file unpacks itself in a home directory, and a service has none", line)
        self.printed("server", "--prefix", "/opt/uotp")
        self.printed("networkd")

    def test_aProgramThatAServiceCannotSeeIsWarnedOf(self) -> None:
        """
        Those of home directories are hidden from services; hooks run them all the same.
        """
        self.patch(os.path, "realpath", lambda path: path.replace("/opt/link", "/root/v"))
        for prefix in ("/root/v", "/opt/link"):
            self.assertEqual(self.warned("client", "--prefix", prefix), "and /root/v/bin/uotp-client is there")
        self.assertEqual(self.warned("server", "--prefix", "/home/a/v"), "and /home/a/v/bin/uotp-server is there")
        self.patch(sys, "executable", "/opt/v/bin/python")
        self.patch(os.path, "realpath", lambda path: path.replace("/opt/v/bin/python", "/root/.pyenv/bin/python3"))
        self.assertEqual(self.warned("server"), "and /root/.pyenv/bin/python3 is there")
        for words in (["networkd", "--prefix", "/root/v"], ["server", "--socket"], ["server", "--prefix", "/roots/v"]):
            self.assertEqual(self.warned(*words), "")

    def warned(self, *words: str) -> str:
        """
        @return: the middle of the warning that a command line leads to; nothing when there is none.
        """
        self.err.seek(0)
        self.err.truncate()
        self.printed(*words)
        line = self.err.getvalue()
        if line:
            self.assertRegex(line, r"\Auotp systemd: warning: the service cannot start: [^\n]+\n\Z")
        return line.partition("from it, ")[2].partition(";")[0]

    def test_whatUnitsHaveAMeaningForIsEscaped(self) -> None:
        self.assertEqual(unitCommand(["/a b/100%/$x"]), "'/a b/100%%/$$x'")

    def test_sockets(self) -> None:
        """
        A server's are those of connections, and a client's those of datagrams.
        """
        self.assertIn("\nListenStream=8443\n", self.printed("server", "--socket"))
        self.assertIn("\nListenDatagram=127.0.0.1:8911\n", self.printed("client", "-s"))

    def test_whatThereIsNotIsRefused(self) -> None:
        for words, reason in (
            ([], "one of server, client, sysusers, networkmanager, networkd, logrotate is needed"),
            (["openrc"], "one of server, client"),
            (["server", "client"], "one of server, client"),
            (["sysusers", "--socket"], "--socket is for server and client"),
        ):
            line = self.refusalOf(lambda words=words: systemd.systemd(words))  # type: ignore[misc]
            self.assertIn(f"uotp systemd: {reason}", line)

    def runHook(self, what: str, *words: str, **variables: str) -> str:
        """
        Run a hook as its caller does, where C{systemctl} writes down what it is told.

        @return: that.
        """
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        told = folder / "told"
        stub = folder / "systemctl"
        stub.write_text(f'#!/bin/sh\necho "$@" >>"{told}"\n', encoding="ascii")
        stub.chmod(0o755)
        hook = folder / "hook"
        hook.write_text(self.printed(what), encoding="ascii")
        environment = {"PATH": f"{folder}:{os.defpath}", **variables}
        subprocess.run(["/bin/sh", str(hook), *words], env=environment, check=True, timeout=60)  # noqa: S603 - ours
        return told.read_text("ascii") if told.exists() else ""

    def test_networkManagersHookTellsClientsOfChanges(self) -> None:
        """
        And not of what changes nothing for them.
        """
        reload = "--no-block try-reload-or-restart uotp-client@*.service\n"
        for words, told in (
            (["eth0", "up"], reload),
            (["wlan0", "dhcp4-change"], reload),
            (["none", "connectivity-change"], reload),
            (["eth0", "pre-up"], ""),
            (["none", "hostname"], ""),
            ([], ""),
        ):
            self.assertEqual(self.runHook("networkmanager", *words), told, words)

    def test_networkdsHookTellsClientsOfChanges(self) -> None:
        self.assertEqual(
            self.runHook("networkd", IFACE="eth0"), "--no-block try-reload-or-restart uotp-client@*.service\n"
        )
        self.assertEqual(self.runHook("networkd", IFACE="lo"), "")
