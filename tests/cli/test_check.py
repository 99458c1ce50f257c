"""
The command that says what is wrong with a configuration file.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

from tests.doubles.certificates import Authority, pem
from tests.doubles.commands import CommandTestCase
from uotp.cli.check import check
from uotp.tls.dates import utcNow

CLIENT = 'server = "vpn.example.com:8443"\n'
SERVER = 'target = "127.0.0.1:51820"\n'


class CheckTests(CommandTestCase):
    """
    Check files.
    """

    def setUp(self) -> None:
        super().setUp()
        self.file = os.path.abspath(self.mktemp())
        self.authority = Authority("ca")
        self.good = self.authority.issue("a")

    def checked(self, text: str, *words: str) -> tuple[object, list[str], list[str]]:
        """
        @return: the exit status, and what was said on standard output and standard error of a file.
        """
        Path(self.file).write_text(text)
        os.chmod(self.file, 0o600)
        for stream in (self.out, self.err):
            stream.truncate(0)
            stream.seek(0)
        try:
            status: object = check([self.file, *words])
        except SystemExit as end:
            status = end.code
        out, err = (stream.getvalue().replace(self.file, "FILE").splitlines() for stream in (self.out, self.err))
        return status, out, err

    def bundle(self, **parts: bytes) -> str:
        """
        @return: keys with texts.
        """
        return "".join(f'{key} = """\n{data.decode()}"""\n' for key, data in parts.items())

    def test_aGoodFileIsFine(self) -> None:
        text = CLIENT + "pool-size = 8\n" + self.bundle(cert=self.good.certificatePem(), key=self.good.keyPem())
        words = "FILE: fine, for uotp-client, which sends to vpn.example.com port 8443"
        options = ["  --cert 'FILE#cert'", "  --key 'FILE#key'", "  --pool-size 8"]
        self.assertEqual(self.checked(text), (0, [words, *options], []))

    def test_theKeysTellWhoseFileItIs(self) -> None:
        """
        Where they do not, it is asked.
        """
        for text, name in (
            (SERVER + "no-tls = true\n", "uotp-server"),
            (CLIENT + "linger = 5\n", "linger is a key of uotp-server"),
            ("linger = 5\n", "target is missing"),
        ):
            _, out, err = self.checked(text)
            self.assertIn(name, "".join([*out, *err]))
        status, _, err = self.checked("memory = '64M'\n")
        self.assertEqual((status, len(err)), (2, 1))
        self.assertIn("say --end client or --end server", err[0])
        _, _, err = self.checked("memory = '64M'\n", "--end=server")
        self.assertEqual(err, ['uotp check: FILE: target is missing: write target = "HOST:PORT"'])

    def test_allFaultsAreSaid(self) -> None:
        status, out, err = self.checked(CLIENT + "pool-size = 0\nlinger = 3\n")
        self.assertEqual((status, out), (2, []))
        self.assertEqual(
            err,
            [
                "uotp check: FILE:2: pool-size: 0: a number from 1 to 256 is needed",
                "uotp check: FILE:3: linger is a key of uotp-server",
            ],
        )
        self.assertEqual(self.checked("server\n")[0], 2)

    def test_certificatesAreReadToo(self) -> None:
        over = self.authority.issue("b", begins=utcNow() - timedelta(days=400), ends=utcNow() - timedelta(days=2))
        soon = self.authority.issue("c", begins=utcNow() - timedelta(days=400), ends=utcNow() + timedelta(days=2))
        ca = pem(self.authority.certificate)
        for parts, status, said in (
            ({"cert": self.good.certificatePem(), "key": over.keyPem()}, 2, "FILE:2: FILE#key does not match"),
            (
                {"cert": over.certificatePem(), "key": over.keyPem()},
                2,
                "FILE:2: the certificate in FILE#cert expired on",
            ),
            (
                {"cert": soon.certificatePem(), "key": soon.keyPem()},
                0,
                "warning: FILE:2: the certificate in FILE#cert exp",
            ),
            ({"cafile": ca[:200]}, 2, "FILE:2: the CA file FILE#cafile has a damaged certificate"),
        ):
            found, _, err = self.checked(CLIENT + self.bundle(**parts))
            self.assertEqual((found, len(err)), (status, 1), err)
            self.assertIn(said, err[0])
        _, _, err = self.checked(SERVER + '\ncert = "/there/is/none.pem"\n')
        reason = "cannot read the certificate file /there/is/none.pem: No such file or directory"
        self.assertEqual(err, [f"uotp check: FILE:3: {reason}"])

    def test_whatOnlyGoesTogetherBadlyIsSaid(self) -> None:
        _, _, err = self.checked(CLIENT + "no-tls = true\nmin-pool = 20\n")
        most = "min-pool 20 is more than pool-size 16, which is the most that there may be"
        self.assertEqual(err, [f"uotp check: FILE:3: {most}"])

    def test_oneFileIsNeeded(self) -> None:
        for words in ([], ["a", "b"]):
            line = self.refusalOf(lambda words=words: check(words))  # type: ignore[misc]
            self.assertIn("one configuration file is needed", line)
        self.assertIn("--end us: one of client, server is needed", self.refusalOf(lambda: check(["x", "--end", "us"])))
