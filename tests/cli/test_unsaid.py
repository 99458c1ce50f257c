"""
What errors do not repeat of a word.
"""

from __future__ import annotations

from twisted.python import usage
from twisted.trial.unittest import SynchronousTestCase

import uotp.cli.client
import uotp.cli.server
from uotp.cli.options import GnuOptions
from uotp.cli.unsaid import shownArgument, shownPlace, shownUrl


class ShownTests(SynchronousTestCase):
    """
    Show a word without what may be secret in it.
    """

    def test_neitherAPasswordNorAPathIsShown(self) -> None:
        for word, expected in (
            ("a.test:1", "a.test:1"),
            ("", "''"),
            ("a.test/secret", "a.test/..."),
            ("a.test?secret", "a.test?..."),
            ("wss://a.test", "wss://a.test"),
            ("https://a.test/", "https://a.test/"),
            ("wss://u:secret@a.test:1/secret", "wss://a.test:1/..."),
            ("wss://u:secret/secret@a.test:1/secret", "wss://u/..."),
            ("secret@a.test", "a.test"),
            ("wss:///secret", "wss:///..."),
            ("--proxy=http://u:secret@a.test:1", "--proxy=http://a.test:1"),
        ):
            self.assertEqual(shownPlace(word), expected)

    def test_aWordWithoutAUrlIsShownAsItIs(self) -> None:
        self.assertEqual(shownUrl("/etc/ca.pem"), "/etc/ca.pem")
        self.assertEqual(shownUrl("--bundle=wss://a.test/secret"), "--bundle=wss://a.test/...")

    def test_theNameOfAFileIsShown(self) -> None:
        for word, expected in (("/etc/a", "/etc/a"), ("./a", "./a"), ("a.test/secret", "a.test/..."), ("", "''")):
            self.assertEqual(shownArgument(word), expected)


class RefusedTests(SynchronousTestCase):
    """
    Mistype and paste secrets: standard error may be the journal of a service.
    """

    def assertUnsaid(self, options: GnuOptions, *words: str) -> None:
        """
        A command line is refused, and the reason does not have the secret.
        """
        error = self.assertRaises(usage.UsageError, options.understand, list(words))
        self.assertNotIn("SECRET", "".join(options.reasonsOf(error)))

    def test_theUrlOfAServer(self) -> None:
        for words in (
            ["\u201cwss://a.test/SECRET\u201d"],
            ["wss://a.test/SECRET "],
            ["'wss://a.test/SECRET'"],
            ["wss://a.test/b$SECRET"],
            ["https://a.test/SECRET"],
            ["wss//a.test/SECRET"],
            ["wss:/a.test/SECRET"],
            ["a.test/SECRET"],
            ["a.test/SECRET 443"],
            ["a.test:443/SECRET"],
            ["a.test/SECRET", "443"],
            ["a.test", "443/SECRET"],
            ["a.test/SECRET:443", "wss://b.test/SECRET"],
            ["a.test/SECRET", "wss://b.test/SECRET"],
            ["a.test:1", "b.test/SECRET"],
            ["a.test/SECRET:1", "2"],
            ["1", "b.test/SECRET"],
            ["https://a.test", "/SECRET"],
            ["wss://u:SECRET@a.test/SECRET"],
        ):
            self.assertUnsaid(uotp.cli.client.Options(), *words)

    def test_theWordOfAnOptionThatIsASecret(self) -> None:
        for words in (
            ["--proxy", "\u201chttp://u:SECRET@a.test:1\u201d"],
            ["--proxy=http://u:SECRET@a.test:1\r"],
            ["--prox", "\u201cSECRET\u201d"],
            ["\u2014proxy=SECRET"],
            ["--proxy http://u:SECRET@a.test:1"],
            ["--proxy SECRET"],
        ):
            self.assertUnsaid(uotp.cli.client.Options(), "a.test:1", *words)
        for words in (
            ["--http-path", "\u201c/SECRET\u201d"],
            ["--http-path=\u201c/SECRET\u201d"],
            ["--http-path", "/a$SECRET"],
            ["--http-path", "/SECRET "],
            ["--http-path /SECRET"],
            ["\u2013http-path=/SECRET"],
        ):
            self.assertUnsaid(uotp.cli.server.Options(), "127.0.0.1:1", *words)
