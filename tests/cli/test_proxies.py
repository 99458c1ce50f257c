"""
A client's proxy on its command line: no word shows its user and password.
"""

from __future__ import annotations

import os
import sys
from io import StringIO
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.doubles.certificates import DAY, NOW, Authority
from tests.pages import README, printedBlocks
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

    def test_filesNeedAProxy(self) -> None:
        """
        One that C{env} finds is one.
        """
        self.patch(os, "environ", {})
        for name in ("--proxy-auth-file", "--proxy-cafile"):
            for words in ([], ["--proxy", "env"], ["--proxy", "none"]):
                self.assertIn(f"{name} needs --proxy, and that names none here", self.refusal(name, "file", *words))
        os.environ["HTTPS_PROXY"] = "https://p"
        Options().parseOptions(["example.com", "443", "--proxy", "env", "--proxy-auth-file", "file"])

    def test_whoWantsNoProxyNeedsNotTheFilesOfItsConfiguration(self) -> None:
        """
        Those on the command line itself would be for nothing.
        """
        file = self.configuration('proxy = "https://p"', 'proxy-auth-file = "word"', 'proxy-cafile = "cas"')
        options = Options()
        options.parseOptions([file, "--proxy", "NONE"])
        self.assertEqual([options[name] for name in ("proxy", "proxy-auth-file", "proxy-cafile")], [None] * 3)
        errors = StringIO()
        self.patch(sys, "stderr", errors)
        words = [file, "--proxy", "none", "--proxy-auth-file", "other"]
        self.assertRaises(SystemExit, Options().parseOptions, words)
        self.assertIn("--proxy-auth-file needs --proxy", errors.getvalue())

    def configuration(self, *lines: str) -> str:
        """
        @return: the name of a configuration file of a client.
        """
        folder = Path(self.mktemp())
        folder.mkdir()
        (folder / "word").write_text(HIDDEN, encoding="utf-8")
        file = folder / "client.toml"
        file.write_text("\n".join(['server = "h:443"', *lines]), encoding="utf-8")
        return str(file)

    def checked(self, file: str) -> tuple[int, str]:
        """
        @return: the status of C{uotp check}, and what it says of faults.
        """
        errors = StringIO()
        self.patch(sys, "stderr", errors)
        self.patch(sys, "stdout", StringIO())
        self.patch(Spelling, "spellings", Spelling.spellings)  # which the command sets
        status = check([file])
        return status, errors.getvalue()

    def test_checkNamesTheLineOfAFileThatIsOfNoUse(self) -> None:
        status, said = self.checked(self.configuration('proxy-auth-file = "word"'))
        self.assertEqual(status, USAGE_EXIT_STATUS)
        self.assertIn("client.toml:2: proxy-auth-file needs proxy, and that names none here", said)

    def test_fileOfThePageIsFine(self) -> None:
        if not README.exists():
            reason = "the pages are not here: run the tests in a checkout"
            raise SkipTest(reason)
        file = Path(self.configuration())
        file.chmod(0o600)
        file.write_text(printedBlocks()["proxy-file"], encoding="utf-8")
        self.assertEqual(self.checked(str(file)), (0, ""))

    def test_checkTriesTheFilesOfTheProxy(self) -> None:
        """
        Each is told with its line, and what is in it is not.
        """
        file = self.configuration('proxy = "https://p"', 'proxy-auth-file = "word"', 'proxy-cafile = "none"')
        status, said = self.checked(file)
        self.assertEqual(status, USAGE_EXIT_STATUS)
        self.assertIn("client.toml:3: proxy-auth-file: ", said)
        self.assertIn("client.toml:4: proxy-cafile: cannot read", said)
        self.assertNotIn(HIDDEN, said)

    def test_checkWarnsOfWhatTheLogWarnsOf(self) -> None:
        """
        A password that everybody can read, and the CA of a proxy that ends.
        """
        file = self.configuration('proxy = "https://p"', 'proxy-auth-file = "word"', 'proxy-cafile = "cas"')
        ending = Authority("Old CA", ends=NOW + DAY).certificate
        Path(file).with_name("cas").write_bytes(ending.public_bytes(Encoding.PEM))
        Path(file).with_name("word").write_text(f"alice:{HIDDEN}", encoding="utf-8")
        Path(file).with_name("word").chmod(0o644)
        status, said = self.checked(file)
        self.assertEqual(status, 0)
        self.assertIn("client.toml:3: proxy-auth-file: the password for the proxy may be read by every user", said)
        self.assertIn("client.toml:4: proxy-cafile: the CA 'CN=Old CA' in ", said)
        self.assertNotIn(HIDDEN, said)
