"""
What errors do not repeat of a word.
"""

from __future__ import annotations

import os
from pathlib import Path

from twisted.python import usage
from twisted.trial.unittest import SynchronousTestCase

import uotp.cli.client
import uotp.cli.doctor
import uotp.cli.server
from uotp.cli.cert.adding import AddOptions, BundleOptions
from uotp.cli.cert.initial import CertOptions, InitOptions
from uotp.cli.cert.renewing import RenewOptions
from uotp.cli.cert.revoking import RevokeOptions
from uotp.cli.check import CheckOptions
from uotp.cli.main import MainOptions, noCommand
from uotp.cli.operate.operateoptions import DisconnectOptions, ReloadOptions, StatusOptions
from uotp.cli.options import GnuOptions, Option
from uotp.cli.unsaid import SECRET_NAMES, isUrl, shownPlace, shownUrl


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
            ("wss:\\\\a.test\\secret", "wss:\\..."),
            ("a.test\\secret", "a.test\\..."),
            ("a.test/secret://b.test", "a.test/..."),
            ("/secret", "/..."),
        ):
            self.assertEqual(shownPlace(word), expected)

    def test_aWordWithoutAUrlIsShownAsItIs(self) -> None:
        self.assertEqual(shownUrl("/etc/ca.pem"), "/etc/ca.pem")
        self.assertEqual(shownUrl("--bundle=wss://a.test/secret"), "--bundle=wss://a.test/...")

    def test_aUrlWithAMistakeIsAUrl(self) -> None:
        for word, expected in (
            ("wss:/a.test/secret", "wss:/..."),
            ("wss//a.test/secret", "wss/..."),
            ("wss:\\\\a.test\\secret", "wss:\\..."),
            ("u:secret@a.test:1", "a.test:1"),
            ("2001:db8::1/64", "2001:db8::1/64"),
            ("sha256//abc/def", "sha256//abc/def"),
            ("C:\\ca.pem", "C:\\ca.pem"),
        ):
            self.assertEqual(shownUrl(word), expected)

    def test_aNameIsNoUrl(self) -> None:
        for word in ("wss://a.test", "wss:/a.test", "https:\\\\a.test"):
            self.assertTrue(isUrl(word), word)
        for word in ("", "a", "/etc/a", "a/b", "C:\\a", "C:/a", "a.test:1", "u@a.test"):
            self.assertFalse(isUrl(word), word)


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
            ["a.test", "1", "/SECRET"],
            ["wss:\\\\a.test\\SECRET"],
            ["wss://a.test/SECRET.toml?"],
            ["[wss://a.test/SECRET]:1"],
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
            ["-proxy=http://u:SECRET@a.test:1"],
            ["proxy=u:SECRET@a.test:1", "2"],
            ["proxy http://u:SECRET@a.test:1", "2"],
            ['--proxy="http://u:SECRET@a.test:1"'],
            ['"--proxy=http://u:SECRET@a.test:1"'],
            ["\u201c--proxy=SECRET\u201d"],
            ["--proxy\u200b=SECRET"],
            ["--PROXY=\u201cSECRET\u201d"],
            ["--proxy\u00a0SECRET"],
            ["--proxy\tSECRET"],
            ["--proxy:SECRET"],
            ["--proxy", "-SECRET"],
            ["--proxy=socks5://a:1", "--proxy=http://u:SECRET@a.test:1"],
            ["--no-tls --proxy SECRET"],
            ["\u2014--proxy SECRET"],
        ):
            self.assertUnsaid(uotp.cli.client.Options(), "a.test:1", *words)
        for words in (
            ["--http-path", "\u201c/SECRET\u201d"],
            ["--http-path=\u201c/SECRET\u201d"],
            ["--http-path", "/a$SECRET"],
            ["--http-path", "/SECRET "],
            ["--http-path /SECRET"],
            ["\u2013http-path=/SECRET"],
            ["-http-path=/SECRET"],
            ["http-path=/SECRET"],
            ["http-path", "/SECRET"],
            ['--http-path="/SECRET"'],
            ["'--http-path=/SECRET'"],
            ["--http_path=\u201c/SECRET\u201d"],
            ["--http-path/SECRET"],
            ["--http-path", "--/SECRET"],
            ["--allow 10.0.0.0/8 --http-path /SECRET"],
            ["\u2013--http-path /SECRET"],
            ["'---http-path /SECRET'"],
        ):
            self.assertUnsaid(uotp.cli.server.Options(), "127.0.0.1:1", *words)

    def test_theyAreKnownToAllPrograms(self) -> None:
        rows = (*uotp.cli.client.Options.rows, *uotp.cli.server.Options.rows)
        self.assertEqual({row.name for row in rows if isinstance(row, Option) and row.isSecret}, SECRET_NAMES)
        for words in (["--http-path \u201c/SECRET\u201d"], ['--http-path="/SECRET"'], ["--http-path", "'/SECRET'"]):
            self.assertUnsaid(uotp.cli.client.Options(), "a.test:1", *words)
            self.assertUnsaid(MainOptions(), *words)
        for word in ("http-path=/SECRET", '"--http-path=/SECRET"', "\u201c--proxy=http://u:SECRET@a.test:1\u201d"):
            self.assertNotIn("SECRET", noCommand(word))

    def test_aUrlInThePlaceOfAnything(self) -> None:
        """
        Give a URL to each option that refuses one, also as nobody should write it.
        """
        urls = ["wss://a.test/SECRET", "http://u:SECRET@a.test:80/SECRET", "wss:\\\\a.test\\SECRET"]
        for kind, destination in ((uotp.cli.client.Options, "a.test:1"), (uotp.cli.server.Options, "127.0.0.1:1")):
            for row in kind.rows:
                given = f"--{row.name}"
                for url in urls:
                    self.assertUnsaid(kind(), destination, f'{given}="{url}"')
                    self.assertUnsaid(kind(), destination, f"{given} {url}")
                    if isinstance(row, Option) and row.name != "alpn" and (row.name, url[:4]) != ("proxy", "http"):
                        self.assertUnsaid(kind(), destination, f"{given}={url}")

    def test_aUrlInThePlaceOfAName(self) -> None:
        url = "wss://a.test/SECRET"
        for options, words in (
            (CertOptions(), [url]),
            (CertOptions(), [url, "x"]),
            (InitOptions(), [url]),
            (InitOptions(), ["x", "--host", url]),
            (AddOptions(), [url]),
            (AddOptions(), ["a", url]),
            (AddOptions(), ["a", "--pki", url]),
            (BundleOptions(), [url, "a"]),
            (BundleOptions(), ["a.test/SECRET", "a"]),
            (RenewOptions(), [url]),
            (RenewOptions(), ["server", "--host", "a.test/SECRET"]),
            (RevokeOptions(), [url]),
            (RevokeOptions(), ["wss:/a.test/SECRET"]),
            (CheckOptions(), [url]),
            (StatusOptions(), [url]),
            (StatusOptions(), [url, "--socket", "x"]),
            (ReloadOptions(), ["wss:/a.test/SECRET"]),
            (DisconnectOptions(), [url]),
        ):
            self.assertUnsaid(options, *words)

    def test_whatIsInAFileInThePlaceOfItsName(self) -> None:
        """
        A shell puts the value of a variable there, for example.
        """
        key = "-----BEGIN PRIVATE KEY-----\nSECRET\n-----END PRIVATE KEY-----"
        proxy = ["--proxy", "http://a.test:1"]
        for words in (
            ["--token-file", "SECRET-of-somebody"],
            ["--token-file=SECRET/of/somebody"],
            [*proxy, "--proxy-auth-file", "u:SECRET"],
            [*proxy, "--proxy-auth-file", "u:SECRET/b"],
            ["--key", key],
            [f"--key={key}"],
            ["-k", key],
            [f"-k{key}"],
            [f"--key {key}"],
            [key],
            [f"'{key}'"],
            ["--cafile", f"a{key}"],
            ["--allow", f"a{key}"],
        ):
            self.assertUnsaid(uotp.cli.client.Options(), "a.test:1", *words)
            self.assertUnsaid(uotp.cli.doctor.DoctorOptions(), "a.test:1", *words)
        self.assertUnsaid(uotp.cli.client.Options(), f"a{key}")
        self.assertUnsaid(uotp.cli.client.Options(), f"a{key}", "b", "c")

    def test_aLongNameOfAFileWithTokensMayBeOne(self) -> None:
        directory = self.mktemp()
        name = f"{directory}/the-tokens-of-somebody"
        os.mkdir(directory)
        for word in (name, os.path.abspath("not/there/at/all"), "./the-tokens-of-somebody", "~/the-tokens-of-somebody"):
            options = uotp.cli.client.Options()
            options.understand(["a.test:1", "--token-file", word])
            self.assertEqual(options["token-file"], os.path.abspath(os.path.expanduser(word)))
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(directory)
        options = uotp.cli.client.Options()
        word = "the-tokens-of-somebody"
        Path(word).touch()
        options.understand(["a.test:1", "--token-file", word])
        self.assertEqual(options["token-file"], os.path.abspath(word))

    def test_aFileIsNoUrl(self) -> None:
        """
        Otherwise something would be made in a folder of that name, which later errors tell.
        """
        for name in ("cafile", "cert", "logfile"):
            self.assertUnsaid(uotp.cli.client.Options(), "a.test:1", f"--{name}", "wss://a.test/SECRET")
