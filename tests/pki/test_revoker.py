"""
Certificates that hold no longer, and the list that says so.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from datetime import timedelta
from unittest import skipUnless

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.doubles.pkis import MADE, NOW, PkiTestCase
from uotp.errors import ConfigurationError
from uotp.pki.directory import makePki
from uotp.pki.issue import issueClient
from uotp.pki.issued import readRegister
from uotp.tls.names import nameDigest
from uotp.tls.pem import readAuthorities
from uotp.tls.pins import publicKeyPin
from uotp.tls.revocation import Revocations

OPENSSL = shutil.which("openssl")


class RevokeTests(PkiTestCase):
    """
    Revoke certificates, and read the list.
    """

    def parsedList(self) -> x509.CertificateRevocationList:
        """
        @return: the list that the server reads.
        """
        return x509.load_pem_x509_crl(self.content(self.files.revocationList))

    def number(self) -> int:
        """
        @return: the number of the list.
        """
        return self.parsedList().extensions.get_extension_for_class(x509.CRLNumber).value.crl_number

    def assertRefused(self, containing: str, call: Callable[[], object]) -> None:
        """
        Something is refused, and nothing has changed.
        """
        before = self.contents()
        self.assertIn(containing, str(self.assertRaises(ConfigurationError, call)))
        self.assertEqual(self.contents(), before)

    def test_atFirstNobodyIsRevoked(self) -> None:
        """
        There is a list from the beginning, so a server can be told of it before it is needed.
        """
        self.assertEqual((len(self.parsedList()), self.number()), (0, 1))

    def test_allThatWasIssuedToANameIsRevoked(self) -> None:
        """
        Also what was renewed since, and what has lost its files.
        """
        first = self.issuer().addClient("bob").certificate
        second = self.issuer().renew("bob").certificate
        for path in (self.files.certificateOf("bob"), self.files.keyOf("bob")):
            os.remove(path)
        serials = {first.serial_number, second.serial_number}
        self.assertEqual(set(self.revoker().revoke("bob")), serials)
        self.assertEqual({each.serial_number for each in self.parsedList()}, serials)

    def test_aRecordThatCannotBeReadIsRevokedByItsName(self) -> None:
        serial = self.issuer().addClient("bob").certificate.serial_number
        path = os.path.join(self.files.issued, f"bob.{serial:040x}.pem")
        os.remove(self.files.certificateOf("bob"))
        with open(path, "wb") as file:
            file.write(b"spoiled")
        self.assertEqual(self.revoker().revoke("bob"), (serial,))

    def test_theListIsSignedNumberedAndGoodForLong(self) -> None:
        """
        Each has a higher number than the one before, is of a day ago, and good until the CA ends.
        """
        self.revoker().revoke("client")
        found, authority = self.parsedList(), self.certificate(self.files.caCertificate)
        self.assertTrue(found.is_signature_valid(authority.public_key()))  # type: ignore[arg-type]  # it is one of ours
        self.assertEqual((found.issuer, self.number()), (authority.subject, 2))
        self.assertEqual(found.last_update_utc, NOW - timedelta(days=1))
        self.assertEqual(found.next_update_utc, authority.not_valid_after_utc)
        self.assertEqual([each.revocation_date_utc for each in found], [NOW])
        self.assertFalse(found.extensions.get_extension_for_class(x509.CRLNumber).critical)

    def test_whatWasRevokedStaysSoWithItsDate(self) -> None:
        self.revoker().revoke("client")
        self.issuer().addClient("bob")
        self.revoker(NOW + timedelta(days=7)).revoke("bob")
        dates = [each.revocation_date_utc for each in self.parsedList()]
        self.assertEqual(sorted(dates), [NOW, NOW + timedelta(days=7)])

    def test_againIsNoFault(self) -> None:
        """
        A list that was moved to the server is written once more, with all that it had.
        """
        (serial,) = self.revoker().revoke("client")
        os.remove(self.files.revocationList)
        self.assertEqual(self.revoker().revoke("client"), ())
        self.assertEqual([each.serial_number for each in self.parsedList()], [serial])
        self.assertEqual(self.number(), 3)

    def test_withTheClockSetBackTheListIsNoOlderThanTheLast(self) -> None:
        self.revoker().revoke("client")
        before = self.parsedList().last_update_utc
        self.revoker(MADE).revoke("client")
        self.assertEqual(self.parsedList().last_update_utc, before)

    def test_byFingerprint(self) -> None:
        """
        The beginning is enough that the log shows; it must be that of one certificate.
        """
        certificate = self.issuer().addClient("bob").certificate
        register = readRegister(self.files, self.certificate(self.files.caCertificate))
        known = register.of("bob")[0]
        self.assertRefused("no certificate that is known here", lambda: self.revoker().revokeFingerprint("00000000"))
        self.assertRefused("more than one certificate", lambda: self.revoker().revokeFingerprint(""))
        self.assertEqual(self.revoker().revokeFingerprint(known.fingerprint[:8]), (known, True))
        self.assertEqual(self.revoker().revokeFingerprint(known.fingerprint), (known, False))
        self.assertEqual([each.serial_number for each in self.parsedList()], [certificate.serial_number])

    def test_bySerialNumberAlsoOfWhatIsNotKnown(self) -> None:
        self.assertEqual(self.revoker().revokeSerial(12345), (12345,))
        self.assertEqual([each.serial_number for each in self.parsedList()], [12345])

    def test_theServerAndTheCaAreNotShutOut(self) -> None:
        """
        Without its certificate nobody could connect to the server; one that it no longer uses can be revoked.
        """
        server = self.certificate(self.files.serverCertificate).serial_number
        authority = self.certificate(self.files.caCertificate).serial_number
        self.assertRefused("`uotp cert renew server`", lambda: self.revoker().revoke("server"))
        self.assertRefused("`uotp cert renew server`", lambda: self.revoker().revokeSerial(server))
        self.assertRefused("the CA's own certificate", lambda: self.revoker().revokeSerial(authority))
        self.issuer().renew("server")
        self.assertEqual(self.revoker().revokeSerial(server), (server,))

    def test_aNameThatIsNotKnownIsRefused(self) -> None:
        self.assertRefused("no certificate of bob is known here", lambda: self.revoker().revoke("bob"))

    def test_aListOfAnotherCaIsNotOverwritten(self) -> None:
        other = makePki(self.mktemp(), ["vpn.test"], now=MADE)
        shutil.copy(other.revocationList, self.files.revocationList)
        self.assertRefused("is not of the CA in ca.pem", lambda: self.revoker().revoke("client"))
        with open(self.files.revocationList, "wb") as file:
            file.write(b"-----BEGIN X509 CRL-----\nx\n-----END X509 CRL-----\n")
        self.assertRefused("a damaged one", lambda: self.revoker().revoke("client"))

    def test_anotherListOfTheSameCaIsKept(self) -> None:
        """
        What openssl has revoked, with its reason, is in the next list too.
        """
        authority = self.certificate(self.files.caCertificate)
        entry = (
            x509.RevokedCertificateBuilder()
            .serial_number(77)
            .revocation_date(MADE)
            .add_extension(x509.CRLReason(x509.ReasonFlags.key_compromise), critical=False)
            .build()
        )
        revoked = self.revoked()
        listed = type(revoked)({77: entry}, 40, revoked.updated)
        key = self.revoker()._authority
        with open(self.files.revocationList, "wb") as file:
            file.write(listed.listPem(key, NOW))
        self.revoker().revoke("client")
        again = self.parsedList().get_revoked_certificate_by_serial_number(77)
        assert again is not None
        reason = again.extensions.get_extension_for_class(x509.CRLReason).value.reason
        self.assertEqual((len(self.parsedList()), self.number(), reason), (2, 42, x509.ReasonFlags.key_compromise))
        self.assertEqual(self.parsedList().issuer, authority.subject)

    def test_ourServerHonoursIt(self) -> None:
        """
        Behind the CA in one file, as the server reads it.
        """
        self.revoker().revoke("client")
        both = self.mktemp()
        with open(both, "wb") as file:
            file.write(self.content(self.files.caCertificate) + self.content(self.files.revocationList))
        known = Revocations.of(readAuthorities(both, "CA file"), both)
        authority = self.certificate(self.files.caCertificate)
        issuer, key = nameDigest(authority.subject), publicKeyPin(authority)
        for path, isRevoked in ((self.files.clientCertificate, True), (self.files.serverCertificate, False)):
            self.assertEqual(known.revokes(((issuer, key, self.certificate(path).serial_number),)), isRevoked)

    @skipUnless(OPENSSL, "openssl is not installed")
    def test_opensslUnderstandsAllOfIt(self) -> None:
        """
        It verifies what is good by the strictest rules, and refuses what is revoked.
        """
        authority = makePki(self.mktemp(), ["vpn.test"])  # openssl goes by the clock of today
        self.files = authority
        now = MADE.now(MADE.tzinfo)
        self.issuer(now).addClient("bob")
        self.revoker(now).revoke("client")
        both = self.mktemp()
        with open(both, "wb") as file:
            file.write(self.content(authority.caCertificate) + self.content(authority.revocationList))
        for name, purpose, words in (
            ("bob", "sslclient", "OK"),
            ("server", "sslserver", "OK"),
            ("client", "sslclient", "certificate revoked"),
        ):
            command = [str(OPENSSL), "verify", "-x509_strict", "-crl_check", "-purpose", purpose, "-CAfile", both]
            done = subprocess.run(  # noqa: S603 - openssl on files of this test
                [*command, authority.certificateOf(name)], check=False, capture_output=True, text=True
            )
            self.assertIn(words, done.stdout + done.stderr)


class RegisterTests(PkiTestCase):
    """
    Look through a directory in which there is much else.
    """

    def names(self) -> list[tuple[str, bool]]:
        """
        @return: whose certificates are known, in their order, and whether each is in use.
        """
        register = readRegister(self.files, self.certificate(self.files.caCertificate))
        return [(each.name, each.isInUse) for each in register.known]

    def write(self, name: str, content: bytes) -> None:
        """
        Put a file into the directory.
        """
        with open(os.path.join(self.directory, name), "wb") as file:
            file.write(content)

    def test_theServerIsFirstAndTheNewestOfAName(self) -> None:
        for name in ("zoe", "Al", "bob"):
            self.issuer().addClient(name)
        self.issuer().renew("bob")
        expected = [("server", True), ("Al", True), ("bob", True), ("bob", False), ("client", True), ("zoe", True)]
        self.assertEqual(self.names(), expected)

    def test_whatIsSomebodyElsesIsPassedOver(self) -> None:
        """
        Other files, certificates of other CAs, copies, and what is no file at all.
        """
        other = makePki(self.mktemp(), ["vpn.test"], now=MADE)
        self.write("notes.pem", b"mine")
        self.write("empty.pem", b"")
        self.write("huge.pem", b"x" * (1 << 17))
        self.write("foreign.pem", self.content(other.clientCertificate))
        self.write("copy-of-client.pem", self.content(self.files.clientCertificate))
        self.write("binary.pem", os.urandom(500))
        os.mkdir(os.path.join(self.directory, "folder.pem"))
        if os.name != "nt":
            os.mkfifo(os.path.join(self.directory, "fifo.pem"))
            os.symlink("/nowhere/at/all", os.path.join(self.directory, "dangling.pem"))
        self.assertEqual(self.names(), [("server", True), ("client", True)])

    def test_aCertificateThatOnlyHasTheNameOfTheCaIsPassedOver(self) -> None:
        """
        Another CA may be called the same.
        """
        authority = self.revoker()._authority
        forged = type(authority)(authority.certificate, issueClient(authority, "x", MADE).key)
        certificate = issueClient(forged, "mallory", MADE).certificate
        self.write("mallory.pem", certificate.public_bytes(Encoding.PEM))
        self.assertEqual(self.names(), [("server", True), ("client", True)])
