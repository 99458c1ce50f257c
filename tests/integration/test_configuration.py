"""
Programs that read their options from a file, and what other programs make of our manual and completion.
"""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

from bench.rig.ports import LOOPBACK
from tests.integration.harness import ProgramTestCase, needed, ourCommand, runToEnd
from tests.integration.rig import RigTestCase, foregroundCommand
from tests.integration.udpends import Flow
from uotp.cli.manual.bash import bashCompletion
from uotp.cli.manual.fish import fishCompletion
from uotp.cli.manual.pages import manualPages
from uotp.cli.manual.zsh import zshCompletion


class FileTests(RigTestCase):
    """
    Start both ends with a file each.
    """

    def test_filesCarryDatagramsAndAreReadAgain(self) -> None:
        """
        A server as twistd runs it, and a client with its key in the file, which changes while it runs.
        """
        pki = self.newPki()
        folder = Path(self.mktemp()).resolve()
        folder.mkdir()
        target = self.udpEnd()
        server, client = folder / "server.toml", folder / "client.toml"
        ca = Path(pki.caCertificate)
        server.write_text(
            f'target = "{LOOPBACK}"\nport = {target.address[1]}\nbind-address = ["{LOOPBACK}"]\nbind-port = 0\n'
            f'cert = "{os.path.relpath(pki.serverCertificate, folder)}"\nkey = "{os.path.abspath(pki.serverKey)}"\n'
            f'cafile = """{ca.read_text()}"""\n'
        )
        ours = self.start("our server", foregroundCommand("server", str(server)))
        port = self.listening(ours)[1]
        certificate, key = Path(pki.clientCertificate).read_text(), Path(pki.clientKey).read_text()
        text = (
            f'server = "{LOOPBACK}:{port}"\nbind-port = 0\ncafile = "{ca.resolve()}"\n'
            f'cert = """{certificate}"""\nkey = """{key}"""\n'
        )
        client.touch(mode=0o600)
        client.write_text(text)
        theirs = self.start("our client", ourCommand("client", str(client), "-a", LOOPBACK))
        flow = Flow(self.udpEnd(), self.listening(theirs), target)
        flow.both(b"hello")
        client.write_text(f"pool-size = 4\n{text}")
        theirs.process.send_signal(signal.SIGHUP)
        theirs.waitForLine("are taken up at a restart alone: pool-size")
        flow.both(b"again")
        done = runToEnd(ourCommand("check", str(client)))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        client.write_text(f"pool-size = 0\n{text}")
        done = runToEnd(ourCommand("client", str(client)))
        reason = "pool-size: 0: a number from 1 to 256 is needed"
        self.assertEqual((done.returncode, done.stderr), (2, f"uotp-client: {client}:1: {reason}\n"))


class ReadersTests(ProgramTestCase):
    """
    Let those who read them read what is installed.
    """

    def program(self, name: str) -> str:
        """
        @return: where a program is.
        """
        found = shutil.which(name)
        return found or needed(f"{name} is missing: it reads what is installed for it")

    def setUp(self) -> None:
        super().setUp()
        self.folder = Path(self.mktemp()).resolve()
        self.folder.mkdir()

    def test_thePagesHaveNoFault(self) -> None:
        pages = manualPages()
        for name, text in pages.items():
            (self.folder / name).write_text(text)
        files = [str(self.folder / name) for name in pages]
        done = runToEnd([self.program("mandoc"), "-T", "lint", "-W", "warning", *files])
        self.assertEqual((done.returncode, done.stdout), (0, ""))

    def test_shellsReadTheCompletion(self) -> None:
        for shell, text in (("bash", bashCompletion()), ("zsh", zshCompletion()), ("fish", fishCompletion())):
            (self.folder / shell).write_text(text)
            done = runToEnd([self.program(shell), "-n", str(self.folder / shell)])
            self.assertEqual((done.returncode, done.stderr), (0, ""), shell)

    def test_fishCompletes(self) -> None:
        (self.folder / "vpn.toml").touch()
        (self.folder / "fish").write_text(fishCompletion())
        asked = {
            "uotp cert rev": "revoke",
            "uotp-server --verb": "--verbosity",
            "uotp-client -v d": "debug",
            "uotp check v": "vpn.toml",
        }
        script = [f"source {self.folder}/fish; cd {self.folder}", *(f"complete -C '{line}'" for line in asked)]
        done = runToEnd([self.program("fish"), "--no-config", "-c", "; ".join(script)])
        self.assertEqual([each.split("\t")[0] for each in done.stdout.splitlines()], list(asked.values()))
