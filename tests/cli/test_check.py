"""
The command that says what is wrong with a configuration file.
"""

from __future__ import annotations

import os
import shutil
from datetime import timedelta
from pathlib import Path

from tests.doubles.certificates import Authority, pem
from tests.doubles.commands import CommandTestCase
from uotp.cli.check import check
from uotp.cli.config import reading
from uotp.cli.config.document import Document, readDocument
from uotp.tls.dates import utcNow

CLIENT = 'server = "vpn.example.com:8443"\n'
SERVER = 'target = "127.0.0.1:51820"\n'
PLAIN = f"{SERVER}no-tls = true\n"


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
        self.assertIn("(server): add one of them, or give --end client or --end server", err[0])
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
        key = 3 + self.good.certificatePem().count(b"\n") + 1
        for parts, status, said in (
            (
                {"cert": self.good.certificatePem(), "key": over.keyPem()},
                2,
                f"FILE:{key}: key: FILE#key does not match the certificate in FILE#cert",
            ),
            (
                {"cert": over.certificatePem(), "key": over.keyPem()},
                2,
                "FILE:2: cert: the certificate in FILE#cert expired on",
            ),
            (
                {"cert": soon.certificatePem(), "key": soon.keyPem()},
                0,
                "warning: FILE:2: cert: the certificate in FILE#cert exp",
            ),
            ({"cafile": ca[:200]}, 2, "FILE:2: cafile: the CA file FILE#cafile has a damaged certificate"),
        ):
            found, _, err = self.checked(CLIENT + self.bundle(**parts))
            self.assertEqual((found, len(err)), (status, 1), err)
            self.assertIn(said, err[0])
        _, _, err = self.checked(SERVER + '\ncert = "/there/is/none.pem"\n')
        reason = "cert: cannot read the certificate file /there/is/none.pem: No such file or directory"
        self.assertEqual(err, [f"uotp check: FILE:3: {reason}"])

    def test_eachFileIsTriedApart(self) -> None:
        """
        Also where keys are wrong, or what they say together.
        """
        over = self.authority.issue("b", begins=utcNow() - timedelta(days=400), ends=utcNow() - timedelta(days=2))
        cert, key = (os.path.abspath(self.mktemp()) for _ in range(2))
        Path(cert).write_bytes(over.certificatePem())
        Path(key).write_bytes(self.good.keyPem())
        os.chmod(key, 0o600)
        missing = "/there/is/none.pem: No such file or directory"
        server = SERVER + f'cert = "{cert}"\nkey = "{key}"\ncafile = "/there/is/none.pem"\n'
        _, _, err = self.checked(server + 'crl = "/there/is/none.pem"\ntoken-file = ["short"]\n')
        said = [
            f"FILE:3: key: {key} does not match the certificate in {cert}",
            f"FILE:4: cafile: cannot read the CA file {missing}",
            f"FILE:5: crl: cannot read the revocation file {missing}",
            "FILE:6: token-file: the token file FILE#token-file: a token has from 16 to 255",
        ]
        self.assertEqual([line.split(" letters")[0] for line in err], [f"uotp check: {line}" for line in said])
        Path(key).write_bytes(over.keyPem())
        for more, reason in (
            ("memory = 5", "FILE:5: memory: 5: "),
            ("no-such = 5", "FILE:5: there is no key no-such"),
            ("no-tls = true", "FILE:2: no-tls and cert exclude each other"),
        ):
            _, _, err = self.checked(f"{server}{more}\n")
            self.assertEqual(len(err), 1 if "no-tls" in more else 3, err)
            self.assertTrue(err[-1].startswith(f"uotp check: {reason}"), err)
        _, _, err = self.checked(f'{CLIENT}key = "{key}x"\ncafile = "/there/is/none.pem"\n')
        self.assertEqual(
            err,
            [
                "uotp check: FILE:2: key needs cert",
                f"uotp check: FILE:2: key: cannot read the key file {key}x: No such file or directory",
                f"uotp check: FILE:3: cafile: cannot read the CA file {missing}",
            ],
        )

    def test_aLineOfAListIsItsOwn(self) -> None:
        """
        However the list is written.
        """
        good, words = "sha256//" + "A" * 43 + "=", "clients: the list of clients FILE#clients"
        cert = self.bundle(cert=self.good.certificatePem(), key=self.good.keyPem())
        for text, line in (
            (f'clients = {{a = "{good}", b = "x"}}\n', 0),
            (f'[clients]\na = "{good}"\n\nb = "x"\n', 3),
            (f'clients = ["{good} a", "x b"]\n', 0),
            (f'clients = [\n  "{good} a",\n  "x b"\n]\n', 2),
            (f'clients = """\n{good} a\nx b\n"""\n', 2),
            (f'clients = """{good} a\nx b\n"""\n', 1),
        ):
            whole = SERVER + cert + text
            _, _, err = self.checked(whole)
            self.assertEqual(len(err), 1, err)
            at = (SERVER + cert).count("\n") + 1 + line
            which = "" if line else ", element 2"
            told = f"uotp check: FILE:{at}: {words}{which}: 'x' is no SHA-256 pin"
            self.assertTrue(err[0].startswith(told), (err, at))

    def test_whichElementIsWrongIsSaidWithoutWhatIsSecret(self) -> None:
        """
        Each of several servers, and of other arrays, where all stand in one line.
        """
        hidden = "5ecret5ecret5ecret"
        for end, text, said in (
            ("client", f'server = ["a:1", "wss://b/{hidden}?x"]', ["server: wss://b/...: a path has neither ? nor #"]),
            (
                "client",
                f'server = ["wss://b/{hidden}?x", "c:1", "wss://b/{hidden}#x"]',
                [
                    "server: wss://b/... (element 1): a path has neither ? nor #",
                    "server: wss://b/... (element 3): a path has neither ? nor #",
                ],
            ),
            ("client", f'server = ["a:1", "wss://u:{hidden}@b/x"]', ["server: wss://b/...: a URL has no user and no"]),
            ("client", f'server = ["a:1", "ws://b/{hidden}"]', ["server ws://b/...: ws:// has no TLS"]),
            (
                "client",
                f'server = ["wss://b/{hidden}", "wss://b:443/{hidden}"]',
                ["server wss://b:443/...: it is named twice"],
            ),
            ("client", 'server = ["a:1", "b:0", "c"]', ["server: b:0: a port from", "server: c: HOST:PORT or wss://"]),
            ("client", 'server = ["a:1", true]', ["server: element 2: text is needed"]),
            ("client", 'server = "a:1"\nallow = ["::1", "10.0.0.1/8"]', ["allow: 10.0.0.1/8: it is an address inside"]),
            ("client", 'server = "a:1"\nbind-address = ["::1", "x"]', ["bind-address: x: an IPv4 or IPv6 address"]),
            ("server", f'{PLAIN}proxy-protocol = ["::1", "x"]', ["proxy-protocol: x: a network is needed"]),
            ("server", f'{PLAIN}proxy-protocol = ["::1", []]', ["proxy-protocol: element 2: each element is"]),
            (
                "server",
                f'{PLAIN}token-file = ["{hidden}", "{hidden}é"]',
                ["token-file: the token file FILE#token-file, element 2: a token has"],
            ),
            ("server", f'{PLAIN}token-file = ["{hidden}", 5]', ["token-file: element 2: each element is text"]),
            ("server", f'{PLAIN}token-file = ["{hidden}", "{hidden}\\n"]', ["token-file: element 2: each line has"]),
        ):
            _, _, err = self.checked(f"{text}\n", "--end", end)
            line = 1 + text.count("\n")
            self.assertEqual(len(err), len(said), (text, err))
            for found, words in zip(err, said, strict=True):
                self.assertTrue(found.startswith(f"uotp check: FILE:{line}: {words}"), (text, found))
                self.assertNotIn("5ecret", found)

    def test_aListThatIsNotUsedIsSaid(self) -> None:
        """
        It is a warning: the server would start.
        """
        folder = Path(self.file).parent / "pki"
        folder.mkdir()
        self.addCleanup(shutil.rmtree, folder)
        (folder / "ca.pem").write_bytes(pem(self.authority.certificate))
        (folder / "crl.pem").write_bytes(self.authority.revocationList())
        text = SERVER + self.bundle(cert=self.good.certificatePem(), key=self.good.keyPem()) + 'cafile = "pki/ca.pem"\n'
        status, _, err = self.checked(text)
        number = text.count("\n")
        words = "is not used: whoever is revoked there still gets in; give it by crl"
        line = f"FILE:{number}: cafile: {folder}/crl.pem beside {folder}/ca.pem {words}"
        self.assertEqual((status, err), (0, [f"uotp check: warning: {line}"]))
        self.assertEqual(self.checked(text + 'crl = "pki/crl.pem"\n')[2], [])

    def test_balancersThatMayBeAnybodyAreSaid(self) -> None:
        text = SERVER + self.bundle(cert=self.good.certificatePem(), key=self.good.keyPem())
        for network, words in (("192.0.2.7", []), ("0.0.0.0/0", ["can pretend to be any client"])):
            status, _, err = self.checked(text + f'proxy-protocol = ["{network}"]\n')
            self.assertEqual((status, len(err)), (0, len(words)), err)
            for line, word in zip(err, words, strict=True):
                self.assertIn(word, line)
                self.assertTrue(line.startswith("uotp check: warning: FILE:"), line)

    def test_noPipeIsWaitedFor(self) -> None:
        """
        Each time the file is read, something else may have come in its place.
        """
        told = []

        def noting(file: str, *, isReadAgain: bool = False) -> Document:
            told.append(isReadAgain)
            return readDocument(file, isReadAgain=isReadAgain)

        self.patch(reading, "readDocument", noting)
        self.assertEqual(self.checked(CLIENT)[0], 0)
        self.assertEqual(set(told), {True})

    def test_whatOnlyGoesTogetherBadlyIsSaid(self) -> None:
        _, _, err = self.checked(CLIENT + "no-tls = true\nmin-pool = 20\n")
        most = "min-pool 20 is more than pool-size 16, which is the most that there may be"
        self.assertEqual(err, [f"uotp check: FILE:3: {most}"])

    def test_oneFileIsNeeded(self) -> None:
        for words in ([], ["a", "b"]):
            line = self.refusalOf(lambda words=words: check(words))  # type: ignore[misc]
            self.assertIn("one configuration file is needed", line)
        self.assertIn("--end us: one of client, server is needed", self.refusalOf(lambda: check(["x", "--end", "us"])))
