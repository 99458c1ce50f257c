"""
A client's proxy on its command line: no word shows its user and password.
"""

from __future__ import annotations

import sys
from io import StringIO
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from uotp.cli.check import check
from uotp.cli.client import Options
from uotp.cli.introduction import commandLine
from uotp.cli.options import USAGE_EXIT_STATUS
from uotp.net import ProxyKind, ProxyLogin, ProxyPlace
from uotp.telemetry import Spelling

HIDDEN = "s3cr3t"


class ProxyOptionTests(SynchronousTestCase):
    """
    Name a proxy.
    """

    def refusal(self, *words: str) -> str:
        """
        @return: what is said of words that cannot be used.
        """
        errors = StringIO()
        self.patch(sys, "stderr", errors)
        self.assertRaises(SystemExit, Options().parseOptions, ["example.com", "443", *words])
        return errors.getvalue()

    def test_introductionDoesNotShowThePassword(self) -> None:
        options = Options()
        options.parseOptions(["example.com", "443", "--proxy", f"http://alice:{HIDDEN}@proxy.test:3128"])
        login = ProxyLogin(b"alice", HIDDEN.encode())
        self.assertEqual(options["proxy"], ProxyPlace(ProxyKind.HTTP, "proxy.test", 3128, login))
        self.assertIn("--proxy", commandLine(options))
        for shown in (commandLine(options), str(options), repr(options["proxy"])):
            self.assertNotIn(HIDDEN, shown)

    def test_errorsDoNotShowThePassword(self) -> None:
        for words in (
            ["--proxy", f"http://alice:{HIDDEN}@proxy.test:99999"],
            ["--proxy", f"alice:{HIDDEN}@proxy.test"],
            ["--proxy", f"http://a:{HIDDEN}@p", "--proxy", f"http://b:{HIDDEN}@p"],
        ):
            refusal = self.refusal(*words)
            self.assertIn("--proxy", refusal)
            self.assertNotIn(HIDDEN, refusal)

    def test_checkTriesTheFilesOfTheProxy(self) -> None:
        """
        Each is told with its line, and what is in it is not.
        """
        folder = Path(self.mktemp())
        folder.mkdir()
        (folder / "word").write_text(HIDDEN, encoding="utf-8")
        lines = ['server = "h:443"', 'proxy = "https://p"', 'proxy-auth-file = "word"', 'proxy-cafile = "none"']
        file = folder / "client.toml"
        file.write_text("\n".join(lines), encoding="utf-8")
        errors = StringIO()
        self.patch(sys, "stderr", errors)
        self.patch(Spelling, "spellings", Spelling.spellings)  # which the command sets
        self.assertEqual(check([str(file)]), USAGE_EXIT_STATUS)
        self.assertIn("client.toml:3: proxy-auth-file: ", errors.getvalue())
        self.assertIn("client.toml:4: proxy-cafile: cannot read", errors.getvalue())
        self.assertNotIn(HIDDEN, errors.getvalue())
