"""
The private PKI: what stands in its certificates, how its files come to be, and what C{uotp cert} says about them.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import shlex
import socket
import stat
import sys
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address
from unittest import skipIf

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from twisted.python.filepath import FilePath
from twisted.trial.unittest import SynchronousTestCase

from uotp.cli.cert import cert
from uotp.cli.cert.shared import serverAddress
from uotp.errors import ConfigurationError
from uotp.pki.directory import Pki, makePki
from uotp.pki.issue import Issued, issueAuthority, issueClient, issueServer
from uotp.pki.names import defaultHosts, normalHost

NOW = datetime(2028, 2, 29, 12, 30, tzinfo=timezone.utc)
"""A leap day: ten years later there is none."""

FILES = ["ca.key", "ca.pem", "client.key", "client.pem", "crl.pem", "server.key", "server.pem"]

ENTRIES = sorted([*FILES, "issued"])
"""What is in the directory: beside the files, the record of what was issued."""


def commonName(certificate: x509.Certificate) -> object:
    """
    @return: the common name of a certificate's subject.
    """
    return certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value


def alternatives(certificate: x509.Certificate) -> list[object]:
    """
    @return: the names and addresses that a certificate is good for.
    """
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [name.value for name in names]


def certificateIn(path: str) -> x509.Certificate:
    """
    @return: the certificate that a file holds.
    """
    return x509.load_pem_x509_certificate(FilePath(path).getContent())


def publicKey(certificate: x509.Certificate) -> bytes:
    """
    @return: the public key of a certificate in the form that a pin is made of.
    """
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


class NeutralTests(SynchronousTestCase):
    """
    Look for our name in what goes over the wire, or is shown to whoever connects.
    """

    def test_noCertificateHasOurNameInIt(self) -> None:
        """
        Neither do revocation lists, which a front may hand out.
        """
        directory = self.mktemp()
        pki = makePki(directory, ("vpn.example.com", "192.0.2.7"), now=NOW)
        for path in (pki.caCertificate, pki.serverCertificate, pki.clientCertificate):
            der = certificateIn(path).public_bytes(Encoding.DER)
            self.assertNotIn(b"uotp", der.lower(), path)
        lists = x509.load_pem_x509_crl(FilePath(pki.revocationList).getContent())
        self.assertNotIn(b"uotp", lists.public_bytes(Encoding.DER).lower())
        self.assertEqual(commonName(certificateIn(pki.serverCertificate)), "vpn.example.com")
        self.assertRegex(str(commonName(certificateIn(pki.caCertificate))), "^Private CA [0-9a-f]{8}$")


class CertificateTests(SynchronousTestCase):
    """
    Read what stands in the three certificates.
    """

    def setUp(self) -> None:
        self.authority = issueAuthority(NOW)
        self.server = issueServer(self.authority, ("vpn.example.com", "192.0.2.7", "2001:db8::7"), NOW)
        self.client = issueClient(self.authority, "laptop", NOW)
        self.all = [self.authority, self.server, self.client]

    def keyUsage(self, issued: Issued) -> set[str]:
        """
        @return: the usages that a certificate allows, which must be critical.
        """
        extension = issued.certificate.extensions.get_extension_for_class(x509.KeyUsage)
        self.assertTrue(extension.critical)
        return {name for name in ("digital_signature", "key_cert_sign", "crl_sign") if getattr(extension.value, name)}

    def test_allKeysAreOnP256AndDiffer(self) -> None:
        for one in self.all:
            self.assertIsInstance(one.key, ec.EllipticCurvePrivateKey)
            self.assertEqual(one.key.key_size, 256)
            self.assertEqual(one.key.public_key(), one.certificate.public_key())
        self.assertEqual(len({publicKey(one.certificate) for one in self.all}), 3)

    def test_authoritySignsCertificatesAndNothingElse(self) -> None:
        constraints = self.authority.certificate.extensions.get_extension_for_class(x509.BasicConstraints)
        self.assertEqual((constraints.critical, constraints.value.ca, constraints.value.path_length), (True, True, 0))
        self.assertEqual(self.keyUsage(self.authority), {"key_cert_sign", "crl_sign"})

    def test_leavesServeOnePurposeEach(self) -> None:
        """
        A server's certificate is none for a client and the other way about, and neither can sign another certificate.
        """
        cases = [(self.server, ExtendedKeyUsageOID.SERVER_AUTH), (self.client, ExtendedKeyUsageOID.CLIENT_AUTH)]
        for leaf, purpose in cases:
            extensions = leaf.certificate.extensions
            self.assertEqual(list(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value), [purpose])
            self.assertEqual(self.keyUsage(leaf), {"digital_signature"})
            constraints = extensions.get_extension_for_class(x509.BasicConstraints)
            self.assertEqual((constraints.critical, constraints.value.ca), (True, False))

    def test_chainIsSignedByTheAuthority(self) -> None:
        issuer = self.authority.certificate
        identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        for one in self.all:
            one.certificate.verify_directly_issued_by(issuer)
            extensions = one.certificate.extensions
            authority = extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
            self.assertEqual(authority.key_identifier, identifier.digest)
            own = extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
            self.assertEqual(own, x509.SubjectKeyIdentifier.from_public_key(one.key.public_key()))

    def test_serverIsGoodForItsNamesAndAddresses(self) -> None:
        expected = ["vpn.example.com", ip_address("192.0.2.7"), ip_address("2001:db8::7")]
        self.assertEqual(alternatives(self.server.certificate), expected)
        self.assertEqual(commonName(self.server.certificate), "vpn.example.com")

    def test_clientHasItsNameInTheSubjectAlone(self) -> None:
        """
        It is the name of no host.
        """
        self.assertEqual(commonName(self.client.certificate), "laptop")
        extensions = self.client.certificate.extensions
        kind = x509.SubjectAlternativeName
        self.assertRaises(x509.ExtensionNotFound, extensions.get_extension_for_class, kind)

    def test_nothingTellsOfTheProgram(self) -> None:
        """
        Whoever sees a handshake does not learn from a certificate which program it is.
        """
        alone = issueServer(self.authority, ("a." * 31 + "bcd",), NOW)
        for one in (*self.all, alone):
            self.assertNotIn(b"uotp", one.certificate.public_bytes(Encoding.DER).lower())
        self.assertRegex(str(commonName(self.authority.certificate)), r"\APrivate CA [0-9a-f]{8}\Z")

    def test_aNameTooLongForACommonNameIsAnAlternativeNameOnly(self) -> None:
        """
        A name of more than 64 characters is valid in DNS but not as a common name; another one takes its place there.
        """
        fits, tooLong = "a." * 31 + "bc", "a." * 31 + "bcd"
        self.assertEqual((len(fits), len(tooLong)), (64, 65))
        self.assertEqual(commonName(issueServer(self.authority, (fits,), NOW).certificate), fits)
        self.assertEqual(commonName(issueServer(self.authority, (tooLong, "b.test"), NOW).certificate), "b.test")
        alone = issueServer(self.authority, (tooLong,), NOW).certificate
        self.assertEqual((commonName(alone), alternatives(alone)), ("server", [tooLong]))

    def test_validFromYesterdayForTenYears(self) -> None:
        """
        A machine whose clock is a day behind accepts them at once, and nobody has to think of them for ten years.
        """
        for one in self.all:
            self.assertEqual(one.certificate.not_valid_before_utc, NOW - timedelta(days=1))
            self.assertEqual(one.certificate.not_valid_after_utc, datetime(2038, 2, 28, 12, 30, tzinfo=timezone.utc))

    def test_serialsAndAuthorityNamesAreRandom(self) -> None:
        another = issueAuthority(NOW)
        serials = {one.certificate.serial_number for one in [*self.all, another]}
        self.assertEqual(len(serials), 4)
        self.assertGreater(min(serials), 2**64)
        self.assertNotEqual(commonName(another.certificate), commonName(self.authority.certificate))


class HostTests(SynchronousTestCase):
    """
    Name hosts that a certificate can be made for, and others.
    """

    def test_hostsAreBroughtIntoTheFormOfCertificates(self) -> None:
        cases = {
            "VPN.Example.COM": "vpn.example.com",
            "example.com.": "example.com",
            "localhost": "localhost",
            "my_box": "my_box",
            "r3---sn-4g5e.example.com": "r3---sn-4g5e.example.com",
            "B\u00fccher.example": "xn--bcher-kva.example",
            "xn--bcher-kva.example": "xn--bcher-kva.example",
            "*.Example.com": "*.example.com",
            "wg_server-.example": "wg_server-.example",
            "\u2603.example": "xn--n3h.example",
            "*.b\u00fccher.example": "*.xn--bcher-kva.example",
            "192.0.2.1": "192.0.2.1",
            "::ffff:192.0.2.1": "192.0.2.1",
            "FE80::1%eth0": "fe80::1",
            "2001:DB8:0::1": "2001:db8::1",
            "a" * 63 + ".test": "a" * 63 + ".test",
        }
        for host, expected in cases.items():
            self.assertEqual(normalHost(host), expected)

    def test_rubbishIsRefusedInOneLine(self) -> None:
        rubbish = [
            *("", ".", "..", "a..b", ".test", "test..", " ", "a b", "a\nb", "-a.test", "a" * 64),
            *("*", "*.", "*.com", "a.*.test", "*a.example.com", "*.*.example.com", "a.example.*"),
            *("256.1.1.1", "10.0.0", "1234", "example.com:8443", "[::1]", "::1::"),
            *("https://example.com", "user@example.com", "a/b", "\u2028", "\u00fc" * 70),
            *("a\x00b.test", ".".join(["abcdefg"] * 32)),
        ]
        for host in rubbish:
            error = self.assertRaises(ConfigurationError, normalHost, host)
            self.assertIn(ascii(host) if host.isascii() else "neither", str(error))
            self.assertEqual(len(str(error).splitlines()), 1)

    def test_withoutHostsACertificateIsForThisMachine(self) -> None:
        self.assertEqual(defaultHosts("Box"), ("box", "localhost", "127.0.0.1", "::1"))
        self.assertEqual(defaultHosts("localhost"), ("localhost", "127.0.0.1", "::1"))

    def test_anUnusableMachineNameIsLeftOut(self) -> None:
        """
        A machine with a name that cannot be one in DNS gets its certificate all the same.
        """
        self.assertEqual(defaultHosts("Bob's PC"), ("localhost", "127.0.0.1", "::1"))


class FilesTests(SynchronousTestCase):
    """
    Make the six files, or fail to.
    """

    def setUp(self) -> None:
        self.parent = os.path.abspath(self.mktemp())
        os.mkdir(self.parent)
        self.directory = os.path.join(self.parent, "pki")

    def make(self, *hosts: str) -> Pki:
        """
        Make a PKI in the test's directory.
        """
        return makePki(self.directory, hosts, now=NOW, machine="box")

    def refused(self, *hosts: str) -> str:
        """
        @return: why no PKI is made, in one line.
        """
        reason = str(self.assertRaises(ConfigurationError, self.make, *hosts))
        self.assertEqual(len(reason.splitlines()), 1)
        return reason

    def replaceOpen(self, then: Callable[[str, Callable[[], int]], int], files: int = 0) -> None:
        """
        Let the file that follows the first C{files} ones be opened differently.

        @param then: is given the path, and a function that opens it as was asked.
        """
        real, seen = os.open, list[str]()

        def opener(path: str, flags: int, mode: int) -> int:
            seen.append(path)
            return then(path, lambda: real(path, flags, mode)) if len(seen) > files else real(path, flags, mode)

        self.patch(os, "open", opener)

    def test_sixFilesHoldWhatTheirNamesSay(self) -> None:
        made = self.make("vpn.test")
        self.assertEqual(sorted(os.listdir(self.directory)), ENTRIES)
        names = []
        for certificatePath, keyPath in zip(made.paths[::2], made.paths[1::2], strict=True):
            certificate = certificateIn(certificatePath)
            text = FilePath(keyPath).getContent()
            self.assertTrue(text.startswith(b"-----BEGIN PRIVATE KEY-----\n"))
            self.assertEqual(load_pem_private_key(text, None).public_key(), certificate.public_key())
            self.assertEqual(certificate.not_valid_before_utc, NOW - timedelta(days=1))
            files = os.path.basename(certificatePath), os.path.basename(keyPath)
            names.append((*files, str(commonName(certificate)).split()[0]))
        expected = [("ca", "Private"), ("server", "vpn.test"), ("client", "client")]
        self.assertEqual(names, [(f"{file}.pem", f"{file}.key", name) for file, name in expected])

    def test_pathsAreAbsolute(self) -> None:
        """
        A daemon changes its directory, so the paths hold from anywhere.
        """
        made = makePki(os.path.relpath(self.directory), ["vpn.test"], now=NOW)
        self.assertEqual(made.directory, self.directory)
        self.assertEqual(made.paths, tuple(os.path.join(self.directory, os.path.basename(path)) for path in made.paths))
        self.assertTrue(all(map(os.path.isfile, made.paths)))

    def test_pinIsTheDigestOfTheServersPublicKey(self) -> None:
        made = self.make("vpn.test")
        certificate = certificateIn(made.serverCertificate)
        self.assertEqual(made.pin, hashlib.sha256(publicKey(certificate)).hexdigest())

    def test_givenHostsReplaceTheDefaultOnes(self) -> None:
        """
        Only what was asked for is in the certificate, once each; this machine
        and its local addresses when nothing was.
        """
        self.assertEqual(self.make("VPN.test", "::1", "vpn.test").hosts, ("vpn.test", "::1"))
        self.directory += "2"
        made = self.make()
        self.assertEqual(made.hosts, ("box", "localhost", "127.0.0.1", "::1"))
        names = alternatives(certificateIn(made.serverCertificate))
        self.assertEqual(names, ["box", "localhost", ip_address("127.0.0.1"), ip_address("::1")])

    def test_theMachineAndItsClockAreAskedWhenNotGiven(self) -> None:
        self.patch(socket, "gethostname", lambda: "asked")
        before = datetime.now(timezone.utc).replace(microsecond=0)
        made = makePki(self.directory)
        self.assertEqual(made.hosts[0], "asked")
        start = certificateIn(made.caCertificate).not_valid_before_utc
        self.assertLessEqual(before, start + timedelta(days=1))
        self.assertLess(start + timedelta(days=1), before + timedelta(minutes=1))

    @skipIf(os.name == "nt", "no such modes there")
    def test_keysAreNeverReadableByOthers(self) -> None:
        """
        From the first moment a key file has mode 0600, even where the umask
        forbids nothing, and none follows a file or link that is there.
        """
        real, modes = os.open, dict[str, int]()

        def opener(path: str, flags: int, mode: int) -> int:
            descriptor = real(path, flags, mode)
            modes[os.path.basename(path)] = stat.S_IMODE(os.fstat(descriptor).st_mode)
            self.assertEqual(os.fstat(descriptor).st_size, 0)
            self.assertEqual(flags & (os.O_CREAT | os.O_EXCL), os.O_CREAT | os.O_EXCL)
            return descriptor

        self.patch(os, "open", opener)
        self.addCleanup(os.umask, os.umask(0))
        made = self.make("vpn.test")
        for name in ("ca", "server", "client"):
            self.assertEqual(modes[f"{name}.key"], 0o600)
            self.assertEqual(modes[f"{name}.pem"], 0o644)
        self.assertEqual([stat.S_IMODE(os.stat(path).st_mode) for path in made.paths], [0o644, 0o600] * 3)

    def test_aMissingDirectoryIsMadeForItsOwnerAlone(self) -> None:
        self.addCleanup(os.umask, os.umask(0))
        above = self.directory
        self.directory = os.path.join(above, "deeper")
        self.make("vpn.test")
        self.assertEqual(sorted(os.listdir(self.directory)), ENTRIES)
        if os.name != "nt":
            modes = [stat.S_IMODE(os.stat(path).st_mode) for path in (above, self.directory)]
            self.assertEqual(modes, [0o700, 0o700])

    def test_anExistingDirectoryIsUsedAsItIs(self) -> None:
        os.mkdir(self.directory, 0o755)
        mode = os.stat(self.directory).st_mode
        FilePath(self.directory).child("notes").setContent(b"mine")
        self.make("vpn.test")
        self.assertEqual(sorted(os.listdir(self.directory)), sorted([*ENTRIES, "notes"]))
        self.assertEqual(os.stat(self.directory).st_mode, mode)

    def test_anyOfTheFilesInTheWayRefusesAll(self) -> None:
        ways: list[Callable[[str], object]] = [os.mkdir, lambda path: os.close(os.open(path, os.O_CREAT))]
        if os.name != "nt":
            ways.append(lambda path: os.symlink("/nowhere/at/all", path))
        for number, (way, name) in enumerate((way, name) for way in ways for name in FILES):
            self.directory = os.path.join(self.parent, str(number))
            os.mkdir(self.directory)
            way(os.path.join(self.directory, name))
            reason = self.refused("vpn.test")
            self.assertIn(f"holds {name} already", reason)
            self.assertIn(self.directory, reason)
            self.assertEqual(os.listdir(self.directory), [name])

    def test_aSecondRunChangesNothing(self) -> None:
        """
        A PKI that is in use is safe from the same command given again.
        """
        files = [FilePath(path) for path in self.make("vpn.test").paths]
        before = [file.getContent() for file in files]
        self.assertIn("ca.pem, ca.key, server.pem, server.key, client.pem, client.key", self.refused("vpn.test"))
        self.assertEqual([file.getContent() for file in files], before)

    def test_rubbishLeavesNothingBehind(self) -> None:
        self.assertIn("'a b'", self.refused("vpn.test", "a b"))
        self.assertEqual(os.listdir(self.parent), [])

    def test_anEmptyNameOfADirectoryIsRefused(self) -> None:
        """
        An empty word, from a variable that was not set, does not mean here.
        """
        self.directory = ""
        self.assertIn("directory", self.refused("vpn.test"))

    def test_aFileInsteadOfTheDirectoryIsRefused(self) -> None:
        os.close(os.open(self.directory, os.O_CREAT))
        self.assertIn(f"cannot write {self.directory}", self.refused("vpn.test"))
        self.assertTrue(os.path.isfile(self.directory))

    def test_aFileThatCannotBeMadeUndoesTheOthers(self) -> None:
        def full(path: str, _: Callable[[], int]) -> int:
            raise OSError(28, "No space left on device", path)

        above = self.directory
        self.directory = os.path.join(above, "deeper")
        self.replaceOpen(full, files=3)
        path = os.path.join(self.directory, "server.key")
        self.assertEqual(self.refused("vpn.test"), f"cannot write {path}: No space left on device")
        self.assertEqual(os.listdir(self.parent), [])

    def test_aFileThatCannotBeWrittenIsUndoneToo(self) -> None:
        real = os.open

        def unwritable(path: str, make: Callable[[], int]) -> int:
            os.close(make())
            return real(path, os.O_RDONLY)

        self.replaceOpen(unwritable, files=5)
        self.assertIn("cannot write", self.refused("vpn.test"))
        self.assertEqual(os.listdir(self.parent), [])

    def test_aFileThatAppearsMeanwhileIsNotTouched(self) -> None:
        """
        Somebody else's file that comes between the look and the making stays; only what we made goes away.
        """
        os.mkdir(self.directory)

        def raced(path: str, make: Callable[[], int]) -> int:
            with open(path, "wb") as file:
                file.write(b"theirs")
            return make()

        self.replaceOpen(raced, files=2)
        self.assertIn("File exists", self.refused("vpn.test"))
        self.assertEqual(os.listdir(self.directory), ["server.pem"])
        self.assertEqual(FilePath(self.directory).child("server.pem").getContent(), b"theirs")

    def test_anInterruptHalfWayLeavesNothing(self) -> None:
        """
        Ctrl-C in the middle is passed on, after what was made is gone.
        """

        def interrupted(_: str, __: Callable[[], int]) -> int:
            raise KeyboardInterrupt

        self.replaceOpen(interrupted, files=3)
        self.assertRaises(KeyboardInterrupt, self.make, "vpn.test")
        self.assertEqual(os.listdir(self.parent), [])


class CommandTests(SynchronousTestCase):
    """
    Call C{uotp cert} as a user does.
    """

    def setUp(self) -> None:
        self.parent = os.path.abspath(self.mktemp())
        os.mkdir(self.parent)
        self.directory = os.path.join(self.parent, "my pki")
        self.out, self.err = io.StringIO(), io.StringIO()
        self.patch(sys, "stdout", self.out)
        self.patch(sys, "stderr", self.err)

    def status(self, *words: str) -> object:
        """
        @return: the exit status of the command.
        """
        try:
            return cert(words)
        except SystemExit as end:
            return end.code

    def command(self, program: str, *, containing: str) -> list[str]:
        """
        @return: the words of the one printed command line of a program, as a shell reads them.
        """
        lines = [shlex.split(line) for line in self.out.getvalue().splitlines() if line.startswith(f"  {program}")]
        (words,) = [line for line in lines if containing in line]
        return words

    def path(self, name: str) -> str:
        """
        @return: where a file of that name should be.
        """
        return os.path.join(self.directory, name)

    def test_printedCommandsUseTheFiles(self) -> None:
        """
        Both command lines can be pasted as they are, spaces in paths and all: each end shows its certificate and
        demands the other's, and the client dials the first host.
        """
        self.assertEqual(self.status("--host", "vpn.test", self.directory, "--host=::1"), 0)
        expected = f"-c|{self.path('server.pem')}|-k|{self.path('server.key')}|-C|{self.path('ca.pem')}"
        expected += f"|--crl|{self.path('crl.pem')}|127.0.0.1|51820"
        self.assertEqual(self.command("uotp-server", containing="-C")[1:], expected.split("|"))
        expected = f"-c|{self.path('client.pem')}|-k|{self.path('client.key')}|-C|{self.path('ca.pem')}|vpn.test|8443"
        self.assertEqual(self.command("uotp-client", containing="-C")[1:], expected.split("|"))
        self.assertEqual(sorted(os.listdir(self.directory)), ENTRIES)
        self.assertEqual(self.err.getvalue(), "")

    def test_thePinIsPrintedWithItsUse(self) -> None:
        """
        The pin of the certificate that was made stands in a line of its own
        and in a client's command that needs no CA.
        """
        self.status(self.directory, "--host", "vpn.test")
        pin = hashlib.sha256(publicKey(certificateIn(self.path("server.pem")))).hexdigest()
        words = self.command("uotp-client", containing="--pin")
        self.assertEqual(words[-4:], ["--pin", pin, "vpn.test", "8443"])
        self.assertNotIn("-C", words)
        self.assertIn(f"public key): {pin}\n", self.out.getvalue())

    def test_itSaysWhichFileGoesWhere(self) -> None:
        self.status(self.directory)
        said = re.sub(r"\s+", " ", self.out.getvalue())
        self.assertIn("Copy ca.pem, client.pem and client.key to the client", said)
        self.assertIn("The server needs ca.pem, crl.pem, server.pem and server.key", said)
        self.assertIn("ca.key is not needed on either host: keep it offline", said)
        self.assertIn("put your own target there", said)
        for name in FILES:
            self.assertIn(name, said)

    def test_anIpv6ServerIsToldToListenThere(self) -> None:
        """
        The default is IPv4 alone, which the printed client could not reach.
        """
        self.status(self.directory, "--host", "2001:db8::7")
        self.assertEqual(self.command("uotp-server", containing="-C")[1:3], ["-a", "::"])
        self.assertEqual(self.command("uotp-client", containing="-C")[-2:], ["2001:db8::7", "8443"])

    def test_aLinkLocalAddressIsDialledOverTheClientsOwnInterface(self) -> None:
        """
        The zone that was typed is one of this machine, and in no certificate.
        """
        self.status(self.directory, "--host", "fe80::1%eth0")
        self.assertEqual(self.command("uotp-client", containing="-C")[-2:], ["fe80::1%INTERFACE", "8443"])
        self.assertIn("for fe80::1\n", self.out.getvalue())

    def test_aClientDialsNoWildcard(self) -> None:
        """
        A name for many hosts is passed over for one that can be dialled.
        """
        self.assertEqual(serverAddress(("*.example.com", "vpn.test")), "vpn.test")
        self.assertEqual(serverAddress(("*.example.com",)), "server.example.com")

    def test_withoutHostsItIsForThisMachine(self) -> None:
        self.patch(socket, "gethostname", lambda: "box")
        self.assertEqual(self.status(self.directory), 0)
        self.assertIn("for box, localhost, 127.0.0.1, ::1\n", self.out.getvalue())
        self.assertEqual(self.command("uotp-client", containing="-C")[-2:], ["box", "8443"])

    def test_relativeDirectoriesArePrintedAbsolute(self) -> None:
        self.status(os.path.relpath(self.directory))
        self.assertEqual(self.command("uotp-server", containing="-C")[2], self.path("server.pem"))

    def test_wordsThatCannotBeUsedAreOneLineAndStatus2(self) -> None:
        cases = [
            ((self.directory, "--host", "a b"), "--host a b: it is neither"),
            ((), "one directory for the certificates is needed: write uotp cert DIR --host NAME"),
            (
                (self.directory, "vpn.test"),
                f"and there are 2: {self.directory}, vpn.test: write uotp cert DIR --host NAME",
            ),
            (
                (self.directory, "--host", "https://a.test/"),
                "--host https://a.test/: the host alone is needed",
            ),
            ((self.directory, "--host", "a.test:8443"), "the host alone is needed here: write a.test"),
            ((self.directory, "--cafile", "x"), "--cafile is an option of uotp-server, and of uotp-client"),
            (("",), "DIR: "),
            ((self.directory, "--nonsense"), "nonsense"),
        ]
        for words, reason in cases:
            self.err.truncate(self.err.seek(0))
            self.assertEqual(self.status(*words), 2)
            self.assertIn(reason, self.err.getvalue())
            self.assertEqual(self.err.getvalue().count("\n"), 1)
        self.assertEqual((self.out.getvalue(), os.listdir(self.parent)), ("", []))

    def test_refusingToOverwriteIsOneLineAndStatus1(self) -> None:
        os.mkdir(self.directory)
        os.close(os.open(self.path("ca.key"), os.O_CREAT))
        self.assertEqual(self.status(self.directory), 1)
        self.assertEqual(self.out.getvalue(), "")
        self.assertTrue(self.err.getvalue().startswith("uotp cert: "))
        self.assertIn("ca.key", self.err.getvalue())
        self.assertEqual(self.err.getvalue().count("\n"), 1)
        self.assertEqual(os.listdir(self.directory), ["ca.key"])

    def test_helpDescribesTheOption(self) -> None:
        for word in ("-h", "--help"):
            self.out.truncate(self.out.seek(0))
            self.assertEqual(self.status(word), 0)
            self.assertIn("Usage: uotp cert [options] [COMMAND] DIR\n", self.out.getvalue())
            self.assertIn("--host=", self.out.getvalue())
            self.assertIn("[default: this machine's name, local ones]", re.sub(r"\s+", " ", self.out.getvalue()))
