"""
What the page about configuration files prints is so.
"""

from __future__ import annotations

import shlex
from pathlib import Path

from twisted.trial.unittest import SkipTest

from tests.doubles.commands import CommandTestCase
from tests.pages import printedBlocks
from uotp.cli import server
from uotp.cli.check import check
from uotp.cli.configurable import isConfigurationFile
from uotp.tls.clients import readClients
from uotp.tls.tokens import readTokens

FAULTY = 'server = "vpn.example.com:8443"\npool-size = 999\n\nlinger = 3\nexpires = 5\n'
"""The file of which the page shows what is said."""


class ConfigurationPageTests(CommandTestCase):
    """
    Do what the page says.
    """

    def setUp(self) -> None:
        super().setUp()
        self.blocks = printedBlocks()
        if not self.blocks:
            reason = "docs is not here: run the tests in a checkout"
            raise SkipTest(reason)
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.file = self.folder / "vpn.toml"

    def test_theCommandsReadAFile(self) -> None:
        lines = self.blocks["config-start"].splitlines()
        self.assertEqual(len(lines), 3)
        for line in lines:
            self.assertTrue(isConfigurationFile([shlex.split(line)[-1]]))

    def test_textOfACertificateIsNoName(self) -> None:
        self.file.write_text('target = "127.0.0.1:51820"\n' + self.blocks["config-inline"])
        options = server.Options()
        options.parseOptions([str(self.file)])
        text = options.serviceArguments()["files"].read(options["cert"])
        self.assertTrue(text.startswith(b"-----BEGIN CERTIFICATE-----\n"))

    def test_listsAreThose(self) -> None:
        self.file.write_text('target = "127.0.0.1:51820"\ncert = "x"\n' + self.blocks["config-lists"])
        options = server.Options()
        options.parseOptions([str(self.file)])
        files = options.serviceArguments()["files"]
        self.assertEqual(list(readClients(options["clients"], files).names.values()), ["laptop"])
        self.assertIsNotNone(readTokens(options["token-file"], files).first)

    def test_faultsAreSaidSo(self) -> None:
        self.file.write_text(FAULTY)
        self.assertEqual(check([str(self.file)]), 2)
        self.assertEqual(self.err.getvalue().replace(str(self.folder) + "/", ""), self.blocks["config-faults"])
