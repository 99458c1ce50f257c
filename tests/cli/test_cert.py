"""
C{uotp cert} and its commands, as a user types them.
"""

from __future__ import annotations

import base64
import getpass
import hashlib
import io
import json
import os
import re
import shlex
import shutil
import sys
from pathlib import Path

import segno
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from twisted.trial.unittest import SkipTest

import uotp.cli.client
import uotp.cli.server
from tests.doubles.commands import CommandTestCase
from tests.pages import NOT_RUN, blocks
from uotp.cli.cert import cert
from uotp.cli.cert.command import COMMANDS_OF_CERT
from uotp.cli.cert.qr import BLOCKS, BORDER, COLOURS, NO_COLOURS, showCode
from uotp.cli.cert.revoking import parseFingerprint, parseSerial
from uotp.cli.cert.servers import parseBundleServer
from uotp.cli.check import check
from uotp.net import MAX_SERVERS, ServerPlace

LABEL = "PRIVATE KEY"
"""This stands wherever a key is shown."""

PAGE = "docs/howto/clients.rst"

MARKS = (
    "cert-add",
    "cert-run",
    "cert-bundle",
    "cert-url",
    "cert-qr",
    "cert-list",
    "cert-revoke",
    "cert-server",
    "cert-revoke-one",
    "cert-renew",
    "cert-renew-server",
    "cert-renew-names",
    "cert-ca-key",
)
"""The names of its blocks."""


class Terminal(io.TextIOWrapper):
    """
    Stands for a terminal, of which the test says how large it is.
    """

    def __init__(self, encoding: str = "utf-8") -> None:
        super().__init__(io.BytesIO(), encoding=encoding)

    def isatty(self) -> bool:
        return True


class CertTestCase(CommandTestCase):
    """
    Has a directory to work in, in which there is a PKI.
    """

    def setUp(self) -> None:
        super().setUp()
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        self.addCleanup(os.chdir, Path.cwd())
        os.chdir(folder)
        self.pki = folder / "pki"
        self.run_("init", "pki", "--host", "vpn.test")

    def run_(self, *words: str) -> str:
        """
        Run a command that succeeds and has nothing to say on standard error.

        @return: what it says.
        """
        said, warned = self.both(*words)
        self.assertEqual(warned, "")
        return said

    def both(self, *words: str, status: int = 0) -> tuple[str, str]:
        """
        @return: what a command says on standard output and on standard error.
        """
        for stream in (self.out, self.err):
            stream.truncate(stream.seek(0))
        try:
            found = cert(words)
        except SystemExit as end:
            found = end.code  # type: ignore[assignment]  # it is a number
        said, warned = self.out.getvalue(), self.err.getvalue()
        self.assertEqual(found, status, warned)
        return said, warned

    def refused(self, *words: str, status: int = 1) -> str:
        """
        @return: why a command is refused, in one line.
        """
        said, warned = self.both(*words, status=status)
        self.assertEqual(said, "")
        self.assertEqual(warned.count("\n"), 1, warned)
        return warned

    def names(self) -> list[str]:
        """
        @return: what is in the directory.
        """
        return sorted(path.name for path in self.pki.iterdir())

    def states(self) -> list[tuple[str, str]]:
        """
        @return: of each certificate its name and its state, as the list shows them.
        """
        lines = [re.split(r"  +", line) for line in self.run_("list").splitlines()[1:]]
        return [(line[0], line[1]) for line in lines if len(line) > 1]


class InitTests(CertTestCase):
    """
    The first command, with and without its name.
    """

    def test_theShortFormIsTheSame(self) -> None:
        """
        It makes the same files, and says the same.
        """
        made, said = self.names(), self.run_("init", "other", "--host", "vpn.test")
        short = self.run_("third", "--host", "vpn.test")
        records = re.compile("other|third|[0-9a-f]{64}")
        self.assertEqual(records.sub("", said), records.sub("", short))
        self.assertEqual(sorted(os.listdir("third")), sorted({*made} - {".lock"}))

    def test_theKeyOfTheCaCanBePutElsewhere(self) -> None:
        """
        All other commands are told where it is, and say so when they are not.
        """
        said = self.run_("init", "other", "--ca-key", "safe/ca.key")
        self.assertIn(f"ca.pem      {Path('safe/ca.key').absolute()}", said)
        self.assertFalse(Path("other/ca.key").exists())
        self.assertEqual(Path("safe/ca.key").stat().st_mode & 0o077, 0)
        line = self.refused("add", "bob", "--pki", "other")
        self.assertIn("name the file where you keep it by --ca-key", line)
        self.run_("add", "bob", "--pki", "other", "--ca-key", "safe/ca.key")
        self.run_("revoke", "bob", "--pki", "other", "--ca-key", "safe/ca.key")
        self.run_("renew", "server", "--pki", "other", "--ca-key", "safe/ca.key")
        self.run_("list", "--pki", "other")

    def test_aKeyThatIsThereElsewhereIsNotOverwritten(self) -> None:
        before = (self.pki / "ca.key").read_bytes()
        self.assertIn("already", self.refused("init", "other", "--ca-key", "pki/ca.key"))
        self.assertEqual((self.pki / "ca.key").read_bytes(), before)
        self.assertFalse(Path("other").exists())

    def test_aCommandIsNoDirectory(self) -> None:
        """
        Where both could be meant, it is the command; one in the wrong place and one that is
        mistyped are told from directories too.
        """
        os.mkdir("list")
        self.assertIn("NAME", self.run_("list"))
        self.assertIn("list is a command, which stands first", self.refused("--host", "a.test", "list", status=2))
        self.assertIn("did you mean `uotp cert list`?", self.refused("lits", status=2))
        for word, meant in (("renw", "renew"), ("rm", "revoke"), ("ls", "list"), ("new", "add"), ("export", "bundle")):
            for words in ((word,), (word, "bob")):
                self.assertIn(f"did you mean `uotp cert {meant}`?", self.refused(*words, status=2))
        self.assertIn("write uotp cert --help", self.refused("help", status=2))
        self.assertEqual(os.listdir("list"), [])
        self.run_("./list")
        self.run_("init", "lits")
        self.run_("adds", "--host", "a.test")

    def test_eachCommandHasHelp(self) -> None:
        for command in ("init", "add", "bundle", "list", "renew", "revoke"):
            said = self.run_(command, "--help")
            self.assertTrue(said.startswith(f"Usage: uotp cert {command} "), said)

    def test_helpListsTheCommandsFirst(self) -> None:
        lines = self.run_("--help").splitlines()
        listed = lines[lines.index("Commands:") + 1 : lines.index("")]
        self.assertEqual([line.split()[0] for line in listed], list(COMMANDS_OF_CERT))
        self.assertLess(lines.index("Commands:"), lines.index("Options:"))


class AddTests(CertTestCase):
    """
    Add clients.
    """

    def test_itSaysWhatToCopyAndToRun(self) -> None:
        said = self.run_("add", "laptop")
        self.assertIn("  laptop.pem  laptop.key\n", said)
        self.assertIn("Copy both and ca.pem to the client", said)
        self.assertIn("\n  uotp-client -c laptop.pem -k laptop.key -C ca.pem vpn.test 8443\n", said)
        pin = next(each["pin"] for each in json.loads(self.run_("list", "--json")) if each["name"] == "laptop")
        self.assertIn(f"\n  {pin} laptop\n", said)
        self.assertNotIn(LABEL, said)
        self.assertEqual(self.states()[-1], ("laptop", "valid"))

    def test_oneFileForTheClient(self) -> None:
        said = self.run_("add", "laptop", "--bundle", "vpn.test")
        self.assertIn("  laptop.pem  laptop.key  laptop.uotp\n", said)
        self.assertIn("\n  uotp-client laptop.uotp\n", said)
        self.assertIn("`uotp cert revoke laptop` shuts it out", said)
        self.assertNotIn(LABEL, said)
        self.assertIn('server = "vpn.test:8443"', (self.pki / "laptop.uotp").read_text())

    def test_oneFileForAClientThatIsThere(self) -> None:
        """
        The refusal to add it again names the command for it.
        """
        line = self.refused("add", "client", "--bundle", "vpn.test")
        self.assertIn("`uotp cert bundle client SERVER`", line)
        self.assertIn("uotp-client client.uotp", self.run_("bundle", "client", "vpn.test:443"))
        self.assertIn("--force replaces it", self.refused("bundle", "client", "vpn.test"))
        self.run_("bundle", "client", "vpn.test", "--force")
        self.assertIn('server = "vpn.test:8443"', (self.pki / "client.uotp").read_text())

    def test_aNameThatTheServerDoesNotHaveIsWarnedOf(self) -> None:
        """
        The file is made all the same, and the remedy works as printed.
        """
        self.run_("renew", "server", "--host", "vpn.test", "--host", "*.vpn.test")
        _, warned = self.both("add", "laptop", "--bundle", "other.test:443")
        self.assertIn("clients will refuse the server: other.test is not in its certificate", warned)
        remedy = shlex.split(warned.strip().rpartition(": ")[2])
        self.assertEqual(remedy[:2], ["uotp", "cert"])
        self.assertIn("'--host=*.vpn.test'", warned)
        self.run_(*remedy[2:])
        for host in ("other.test", "vpn.test"):
            self.run_("bundle", "laptop", host, "--force")

    def test_inAnotherDirectoryTheCommandsNameIt(self) -> None:
        self.run_("init", "my other", "--host", "vpn.test")
        said = self.run_("add", "laptop", "--pki", "my other", "--bundle", "vpn.test")
        self.assertIn(f"uotp cert revoke laptop --pki '{Path('my other').absolute()}'", said)

    def test_wordsThatCannotBeUsedAreStatus2(self) -> None:
        cases = [
            (("add",), "NAME is needed, and there are 0 arguments"),
            (("add", "a", "b"), "NAME is needed, and there are 2 arguments: a, b"),
            (("add", "a", "--qr"), "--qr is for the client's one file: it needs --bundle"),
            (("add", "a", "--force"), "--force is for the client's one file: it needs --bundle"),
            (("add", "a", "--days", "0"), "--days 0: "),
            (("add", "a", "--bundle", "vpn.test:0"), "--bundle vpn.test:0: a port from 1"),
            (("add", "a", "--bundle", "a b"), "--bundle a b: "),
            (("add", "a", "--new-key"), "--new-key is an option of uotp cert renew"),
            (("add", "a", "--no-tls"), "there is no option --no-tls"),
            (("bundle", "a"), "NAME SERVER... is needed"),
            (("bundle", "a", "b.test", "443"), "SERVER 443: a port stands behind its host: write HOST:443"),
            (("bundle", "a", "b.test:1", "b.test:1"), "SERVER: the server b.test:1 is named twice"),
            (
                ("add", "a", *(f"--bundle={number}.test" for number in range(MAX_SERVERS + 1))),
                "--bundle: a client takes 1 to 16 servers, and there are 17",
            ),
            (
                ("bundle", "a", *(f"{number}.test" for number in range(MAX_SERVERS + 1))),
                "SERVER: a client takes 1 to 16 servers, and there are 17",
            ),
            (("renew",), "NAME|server is needed"),
            (("renew", "client", "--host", "a.test"), "--host is for the server"),
            (("renew", "server", "--bundle", "a.test"), "--bundle is for clients"),
            (("revoke",), "one of NAME, --fingerprint and --serial is needed"),
            (("revoke", "client", "--serial", "12"), "one of NAME, --fingerprint and --serial is needed"),
            (("list", "client"), "uotp cert list: list takes no argument: client"),
        ]
        for words, reason in cases:
            self.assertIn(reason, self.refused(*words, status=2))

    def test_whatWasTypedDoesNotReachTheTerminalAsItIs(self) -> None:
        self.assertIn("\\x1b[31m", self.refused("renew", "\x1b[31mbob"))

    def test_whereThereIsNoPkiTheOptionIsNamed(self) -> None:
        line = self.refused("add", "bob", "--pki", "nowhere")
        self.assertIn("there is no PKI in", line)
        self.assertIn("say by --pki where it is", line)

    def test_whatIsWrongWithAServerIsSaidWithoutItsPath(self) -> None:
        """
        What stands behind a slash may be the secret path, whatever else is wrong.
        """
        forms = "HOST[:PORT] or wss://HOST[/PATH] is needed"
        for word, reason in (
            ("ws://vpn.test/secret", "ws://vpn.test/...: ws:// has no TLS, and the certificate in the file is for TLS"),
            ("wss://u:secret@vpn.test/secret", "wss://vpn.test/...: a URL has no user and no password here"),
            ("wss://vpn.test/secret?x", "wss://vpn.test/...: a path has neither ? nor #"),
            ("wss://vpn.test/secret\u00fc", "wss://vpn.test/...: a path begins with / and has letters, digits and"),
            ("wss://vpn.test:0/secret", "wss://vpn.test:0/...: a port from 1 to 65535 is needed"),
            ("https://vpn.test/secret", f"https://vpn.test/...: {forms}: write wss://"),
            ("tls://vpn.test:443", f"tls://vpn.test:443: {forms} (see"),
            ("vpn.test/secret", f"vpn.test/...: {forms} (see"),
            ("vpn.test:443/secret", f"vpn.test:443/...: {forms} (see"),
            ("fe80::1%\x7f", "fe80::1%\\x7f: there is a letter in it that cannot be seen"),
        ):
            for words, name in ((("add", "a", "--bundle", word), "--bundle"), (("bundle", "client", word), "SERVER")):
                line = self.refused(*words, status=2)
                self.assertIn(f"{name} {reason}", line)
                self.assertNotIn("secret", line)
        self.assertNotIn("a.pem", self.names())

    def test_aServerWithoutAPortHasTheUsualOne(self) -> None:
        for word, expected in {
            "VPN.test": ServerPlace("VPN.test", 8443),
            "vpn.test:443": ServerPlace("vpn.test", 443),
            "192.0.2.1": ServerPlace("192.0.2.1", 8443),
            "2001:DB8::7": ServerPlace("2001:db8::7", 8443),
            "[2001:db8::7]": ServerPlace("2001:db8::7", 8443),
            "[2001:db8::7]:443": ServerPlace("2001:db8::7", 443),
            "fe80::1%eth0": ServerPlace("fe80::1%eth0", 8443),
            "wss://vpn.test/secret": ServerPlace("vpn.test", 443, "/secret"),
            "WSS://[2001:db8::7]:8443/secret": ServerPlace("2001:db8::7", 8443, "/secret"),
            "wss://vpn.test": ServerPlace("vpn.test", 443, "/"),
        }.items():
            self.assertEqual(parseBundleServer(word), expected)


class ServersOfABundleTests(CertTestCase):
    """
    Give a client the URL of its server, or several servers, in its one file.
    """

    def understood(self) -> tuple[ServerPlace, ...]:
        """
        @return: where C{uotp-client} goes that is given the file.
        """
        options = uotp.cli.client.Options()
        options.parseOptions(["pki/client.uotp"])
        return options.destination

    def test_theClientGoesWhereItIsTold(self) -> None:
        """
        Whatever is written on the command line, the file says the same, also to C{uotp check}.
        """
        for words in (
            ["vpn.test"],
            ["wss://vpn.test/5a1dd0f5b7c6e9aa"],
            ["wss://vpn.test:8443/a/b.c~d_e-f"],
            ['wss://vpn.test/"quoted"\\back\'slash='],
            ["[2001:db8::7]:443"],
            ["wss://[fe80::1%eth0]/a"],
            ["b\u00fccher.test"],
            ["vpn.test:8443", "wss://vpn.test/5a1d", "192.0.2.7"],
            [f"{number}.test" for number in range(MAX_SERVERS)],
        ):
            self.both("bundle", "client", *words, "--force")
            self.assertEqual(self.understood(), tuple(map(parseBundleServer, words)))
            self.assertEqual(check(["pki/client.uotp"]), 0, self.err.getvalue())

    def test_oneIsTextAndSeveralAreAnArrayAsAUserWouldWriteThem(self) -> None:
        self.both("add", "laptop", "--bundle", "wss://vpn.test/5a1d", "--bundle", "other.test:443")
        self.assertIn('\nserver = ["wss://vpn.test/5a1d", "other.test:443"]\n', (self.pki / "laptop.uotp").read_text())
        self.run_("renew", "laptop", "--bundle", "wss://vpn.test/5a1d", "--force")
        self.assertIn('\nserver = "wss://vpn.test/5a1d"\n', (self.pki / "laptop.uotp").read_text())

    def test_thePathIsInTheFileAlone(self) -> None:
        """
        Only its owner may read that, and nothing is said of it.
        """
        url = "wss://other.test/secret"
        for words in (
            ("add", "laptop", "--bundle", url),
            ("bundle", "laptop", url, "--force"),
            ("renew", "laptop", "--bundle", url, "--force"),
        ):
            said, warned = self.both(*words)
            self.assertNotIn("secret", f"{said.replace('secret way', '')}{warned}")
            self.assertIn("other.test is not in its certificate", warned)
        found = [path.name for path in self.pki.rglob("*") if path.is_file() and b"/secret" in path.read_bytes()]
        self.assertEqual(found, ["laptop.uotp"])
        if os.name != "nt":
            self.assertEqual((self.pki / "laptop.uotp").stat().st_mode & 0o777, 0o600)

    def test_allNamesThatTheCertificateLacksAreWarnedOf(self) -> None:
        """
        Each of them once, and the remedy puts all there.
        """
        servers = ["vpn.test", "a.test:1", "wss://a.test/x", "192.0.2.7"]
        _, warned = self.both("bundle", "client", *servers)
        self.assertIn("a.test, 192.0.2.7 are not in its certificate; to put them there: uotp cert renew", warned)
        self.run_(*shlex.split(warned.strip().rpartition(": ")[2])[2:])
        self.run_("bundle", "client", *servers, "--force")

    def test_theCodeHasThePathToo(self) -> None:
        said = self.run_("bundle", "client", f"wss://vpn.test/{'a' * 32}", "--qr")
        self.assertGreaterEqual(said.count(COLOURS), 71)
        long = [f"wss://vpn.test/{number}{'a' * 1000}" for number in range(3)]
        self.assertIn("It does not fit into a QR code", self.run_("bundle", "client", *long, "--force", "--qr"))

    def test_whoMakesAPkiIsToldOfTheUrl(self) -> None:
        """
        It has the port of the server's line, and does as printed.
        """
        for host, url in (("vpn.test", "wss://vpn.test:8443/PATH"), ("2001:db8::7", "wss://[2001:db8::7]:8443/PATH")):
            said = self.run_("init", host, "--host", host)
            self.assertIn(f"--http-path, clients are told a URL, --bundle too:\n\n  {url}\n", said)
            self.run_("bundle", "client", url, "--pki", host)


class PassphraseTests(CertTestCase):
    """
    The key of the CA has a passphrase.
    """

    def setUp(self) -> None:
        super().setUp()
        path = self.pki / "ca.key"
        key = load_pem_private_key(path.read_bytes(), None)
        encryption = BestAvailableEncryption(b"correct horse")
        path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))

    def test_itIsAskedForAtATerminal(self) -> None:
        asked: list[str] = []

        def answer(prompt: str) -> str:
            asked.append(prompt)
            return "correct horse"

        self.patch(getpass, "getpass", answer)
        self.patch(sys, "stdin", Terminal())
        self.run_("add", "bob")
        self.assertEqual(asked, [f"Passphrase of {self.pki / 'ca.key'}: "])

    def test_withoutATerminalThatIsSaid(self) -> None:
        self.patch(sys, "stdin", io.StringIO("correct horse\n"))
        self.assertIn("has a passphrase, and there is no terminal to ask for it", self.refused("add", "bob"))


class ListTests(CertTestCase):
    """
    Show what was issued.
    """

    def test_stateAndPinOfEach(self) -> None:
        self.run_("add", "laptop")
        self.run_("add", "old", "--days", "1")
        self.run_("revoke", "laptop")
        self.run_("add", "laptop")
        self.run_("renew", "client")
        expected = [
            ("ca", "valid"),
            ("server", "valid"),
            ("client", "valid"),
            ("client", "valid, old"),
            ("laptop", "valid"),
            ("laptop", "revoked, old"),
            ("old", "valid"),
        ]
        self.assertEqual(self.states(), expected)

    def test_columnsAreAligned(self) -> None:
        self.run_("add", "a-long-name-of-a-client")
        lines = self.run_("list").splitlines()
        self.assertEqual(
            len({line.index(word) for line, word in zip(lines, ["STATE", *["valid"] * 4], strict=True)}), 1
        )

    def test_jsonHasAllOfIt(self) -> None:
        """
        Fingerprint and pin are what openssl says they are.
        """
        self.run_("revoke", "client")
        found = {each["name"]: each for each in json.loads(self.run_("list", "--json"))}
        self.assertEqual(list(found), ["ca", "server", "client"])
        self.assertEqual([each["state"] for each in found.values()], ["valid", "valid", "revoked"])
        self.assertIsNone(found["server"]["revoked"])
        self.assertRegex(found["client"]["revoked"], r"\A20\d\d-\d\d-\d\dT[\d:]{8}\+00:00\Z")
        text = (self.pki / "client.pem").read_text()
        der = base64.b64decode("".join(text.splitlines()[1:-1]))
        self.assertEqual(found["client"]["fingerprint"], hashlib.sha256(der).hexdigest())
        self.assertTrue((self.pki / "issued" / f"client.{found['client']['serial']}.pem").exists())

    def test_revokedNumbersThatAreNotKnownAreToldToo(self) -> None:
        self.run_("revoke", "--serial", "00:AB:cd")
        self.assertIn("Revoked, and not known here otherwise: serial number abcd\n", self.run_("list"))


class RenewAndRevokeTests(CertTestCase):
    """
    Renew and revoke.
    """

    def test_theServerIsTold(self) -> None:
        said = self.run_("renew", "server", "--host", "a.test", "--host", "192.0.2.1")
        self.assertIn("  server.pem  for a.test, 192.0.2.1\n", said)
        self.assertIn("takes them up by itself", said)
        self.assertNotIn("--pin", said)

    def test_aNewKeyOfTheServerHasANewPin(self) -> None:
        said = self.run_("renew", "server", "--new-key", "--revoke-old")
        self.assertIn("  server.pem  server.key  for vpn.test\n", said)
        pin = next(each["pin"] for each in json.loads(self.run_("list", "--json")) if each["name"] == "server")
        self.assertIn(pin, said)
        self.assertIn("crl.pem", said)
        self.assertIn(("server", "revoked, old"), self.states())

    def test_aClientIsToldWhatToCopy(self) -> None:
        self.assertIn("Copy client.pem over what the client has", self.run_("renew", "client"))
        self.assertIn("Copy client.pem and client.key over what", self.run_("renew", "client", "--new-key"))
        self.assertIn("uotp-client client.uotp", self.run_("renew", "client", "--bundle", "vpn.test"))
        self.assertIn("client.uotp is there already: --force", self.refused("renew", "client", "--bundle", "vpn.test"))
        said = self.run_("renew", "client", "--new-key", "--revoke-old")
        self.assertIn("the server refuses it", said)
        self.assertIn("client.uotp still has the revoked certificate, so nobody gets in with it", said)
        (self.pki / "client.uotp").unlink()
        self.assertNotIn("client.uotp still has", self.run_("renew", "client", "--revoke-old"))

    def test_revokingNamesTheList(self) -> None:
        said = self.run_("revoke", "client")
        self.assertIn("Revoked: client (1 certificate)", said)
        self.assertIn(str(self.pki / "crl.pem"), said)
        self.assertIn("Revoked already: client", self.run_("revoke", "client"))

    def test_byWhatTheLogShows(self) -> None:
        self.run_("add", "laptop")
        shown = self.run_("list").splitlines()[-1].split()[3]
        self.assertIn(f"laptop, sha256 {shown}", self.run_("revoke", "--fingerprint", shown))
        self.assertEqual(self.states()[-1], ("laptop", "revoked"))
        self.assertIn("Revoked: serial number 12", self.run_("revoke", "--serial", "0x12"))

    def test_numbersAreReadAsOpensslWritesThem(self) -> None:
        self.assertEqual(parseFingerprint("AB:CD:EF:01"), "abcdef01")
        self.assertEqual(parseSerial("6B:8B:4A"), 0x6B8B4A)
        for word in ("abcdef0", "abcdefgh", "a" * 65):
            self.assertRaises(ValueError, parseFingerprint, word)
        for word in ("", "0", "g", "a" * 41, "-1"):
            self.assertRaises(ValueError, parseSerial, word)


class QrTests(CertTestCase):
    """
    Show a client's one file as a QR code.
    """

    def shown(self, data: bytes) -> list[str]:
        """
        @return: the lines of the code, without their colours.
        """
        lines = showCode(data, Terminal()).splitlines()
        self.assertTrue(all(line.startswith(COLOURS) and line.endswith(NO_COLOURS) for line in lines))
        return [line.removeprefix(COLOURS).removesuffix(NO_COLOURS) for line in lines]

    def sizeOfTerminal(self, columns: int, lines: int) -> None:
        """
        Say how large the terminal is.
        """
        self.patch(shutil, "get_terminal_size", lambda: os.terminal_size((columns, lines)))

    def test_theModulesAreThoseOfTheText(self) -> None:
        """
        Two in a letter, dark ones in black, with a light border around.
        """
        self.sizeOfTerminal(200, 100)
        self.run_("add", "laptop", "--bundle", "vpn.test")
        data = (self.pki / "laptop.uotp").read_bytes()
        lines = self.shown(data)
        modules = {letter: pair for pair, letter in BLOCKS.items()}
        rows = [[modules[letter][half] for letter in line] for line in lines for half in (0, 1)]
        code = segno.make(data, error="l", boost_error=False, micro=False, mode="byte")
        expected = [list(map(bool, row)) for row in code.matrix_iter(border=BORDER)]
        self.assertEqual(rows[: len(expected)], expected)
        self.assertFalse(any(map(any, rows[len(expected) :])))

    def test_itIsShownOnDemandOnly(self) -> None:
        said = self.run_("add", "laptop", "--bundle", "vpn.test", "--qr")
        self.assertEqual(said.count(COLOURS), 71)
        self.assertIn(COLOURS, self.run_("bundle", "laptop", "vpn.test", "--force", "--qr"))
        self.assertIn(COLOURS, self.run_("renew", "laptop", "--bundle", "vpn.test", "--force", "--qr"))
        self.assertNotIn(COLOURS, self.run_("renew", "laptop", "--bundle", "vpn.test", "--force"))

    def test_whereItDoesNotFitTheSizesAreSaid(self) -> None:
        self.sizeOfTerminal(80, 24)
        said = showCode(b"x" * 1700, Terminal())
        self.assertIn("needs a terminal of 141 columns and 72 lines, and this one has 80 and 24", said)
        self.sizeOfTerminal(141, 72)
        self.assertIn(COLOURS, showCode(b"x" * 1700, Terminal()))
        self.assertIn("holds 2953 bytes, and it has 2954", showCode(b"x" * 2954, Terminal()))

    def test_aTerminalWithoutTheLettersIsTold(self) -> None:
        self.assertIn("cannot be shown in latin-1", showCode(b"x", Terminal("latin-1")))


class PageTests(CertTestCase):
    """
    Do what the page on clients says, from its begin to its end.
    """

    def setUp(self) -> None:
        super().setUp()
        self.blocks = [block for block in blocks() if block.page == PAGE and block.mark != NOT_RUN]
        if not self.blocks:
            reason = "docs/ is not here: run the tests in a checkout"
            raise SkipTest(reason)
        shutil.rmtree("pki")
        self.run_("init", "pki", "--host", "vpn.example.com")
        os.mkdir("stick")

    def test_allBlocksDoWhatTheySay(self) -> None:
        """
        The commands succeed in the order of the page, without a warning.
        """
        for block in self.blocks:
            for line in block.text.replace("/media/stick", "stick").splitlines():
                self.do(shlex.split(line))
        states = self.states()
        self.assertEqual(states.count(("laptop", "revoked")), 1)
        self.assertIn(("phone", "valid"), states)
        self.assertEqual([mark for mark in MARKS if mark not in {block.mark for block in self.blocks}], [])

    def do(self, words: list[str]) -> None:
        """
        Do what one line says.
        """
        if words[:2] == ["uotp", "cert"]:
            if "--fingerprint" in words:
                shown = next(each for each in json.loads(self.run_("list", "--json")) if each["name"] == "laptop")
                words[words.index("--fingerprint") + 1] = shown["fingerprint"][:8]
            self.run_(*words[2:])
        elif words[0] == "uotp-client":
            options = uotp.cli.client.Options()
            options.parseOptions([f"pki/{words[1]}"])
            found = options["dst_address"], options["dst_port"]
            self.assertEqual(found, ("vpn.example.com", 8443))
        elif words[0] == "uotp-server":
            server = uotp.cli.server.Options()
            server.parseOptions(words[1:])
            self.assertTrue(all(map(os.path.isfile, (server["cert"], server["key"], server["cafile"], server["crl"]))))
        else:
            self.assertEqual((words[0], len(words)), ("mv", 3))
            os.rename(words[1], words[2])
