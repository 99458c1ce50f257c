"""
What C{docs/howto/who-may-join.rst} prints: command lines that the programs take, and a list that they read.
"""

from __future__ import annotations

import os
import shlex
from typing import ClassVar

from twisted.trial.unittest import SkipTest

from tests.doubles.commands import CommandTestCase
from tests.pages import printedBlocks
from uotp.cli.client import Options as ClientOptions
from uotp.cli.common import CommonOptions
from uotp.cli.server import Options as ServerOptions
from uotp.tls.clients import readClients
from uotp.tls.files import CopiedFiles


class JoiningPageTests(CommandTestCase):
    """
    Read the page as its reader does.
    """

    COMMANDS: ClassVar[dict[str, tuple[type[CommonOptions], dict[str, str | None]]]] = {
        "join-crl": (ServerOptions, {"cafile": "pki/ca.pem", "crl": "pki/crl.pem", "clients": None}),
        "join-list": (ServerOptions, {"cafile": "pki/ca.pem", "crl": "pki/crl.pem", "clients": "clients.txt"}),
        "join-token-server": (ServerOptions, {"cafile": None, "token-file": "tokens"}),
        "join-token-client": (ClientOptions, {"cert": None, "token-file": "token"}),
    }

    def setUp(self) -> None:
        super().setUp()
        self.blocks = printedBlocks()
        if not self.blocks:
            reason = "the pages are not here: run the tests in a checkout"
            raise SkipTest(reason)

    def test_commandsAreTaken(self) -> None:
        for mark, (make, files) in self.COMMANDS.items():
            program, *words = shlex.split(self.blocks[mark])
            options = make()
            self.assertEqual(program, options.commandName)
            options.parseOptions(words)
            for name, file in files.items():
                self.assertEqual(options[name], None if file is None else os.path.abspath(file), mark)

    def test_theListIsRead(self) -> None:
        clients = readClients("FILE", CopiedFiles({"FILE": self.blocks["join-clients"].encode()}))
        self.assertEqual(list(clients.names.values()), ["anna-laptop", "anna-phone"])

    def test_plainTcpTakesATokenAtTheServerAlone(self) -> None:
        """
        Behind something that ends TLS; a client would show it to everybody on the way.
        """
        words = ["--no-tls", "--token-file", "x", "example.com", "8443"]
        ServerOptions().parseOptions(words)
        end = self.assertRaises(SystemExit, ClientOptions().parseOptions, words)
        self.assertEqual((end.code, self.out.getvalue()), (2, ""))
        self.assertIn("--no-tls and --token-file exclude each other", self.err.getvalue())
