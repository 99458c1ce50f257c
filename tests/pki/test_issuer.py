"""
Further clients, and certificates that are renewed.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from datetime import timedelta
from unittest import skipIf

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.doubles.pkis import MADE, NOW, PkiTestCase
from uotp.errors import ConfigurationError
from uotp.net import ServerPlace
from uotp.pki.directory import PkiFiles
from uotp.pki.issuer import Granted, Wish
from uotp.tls import publicKeyPin

VPN = (ServerPlace("vpn.test", 8443),)

NEW_KEY = Wish(hasNewKey=True)


class IssuerTestCase(PkiTestCase):
    """
    Looks at what was issued.
    """

    def assertInUse(self, granted: Granted) -> None:
        """
        The certificate is in its file and in the record, and belongs to the key beside it.
        """
        files = self.files
        for path in (files.certificateOf(granted.name), files.recordOf(granted.name, granted.certificate)):
            self.assertEqual(self.certificate(path), granted.certificate)
        key = load_pem_private_key(self.content(files.keyOf(granted.name)), None)
        self.assertEqual(key.public_key(), granted.certificate.public_key())
        granted.certificate.verify_directly_issued_by(self.certificate(files.caCertificate))

    def assertRefused(self, containing: str, call: Callable[[], object]) -> None:
        """
        Something is refused in one line, and nothing has changed.
        """
        before = self.contents()
        reason = str(self.assertRaises(ConfigurationError, call))
        self.assertIn(containing, reason)
        self.assertEqual(len(reason.splitlines()), 1)
        self.assertEqual(self.contents(), before)


class AddTests(IssuerTestCase):
    """
    Add clients.
    """

    def test_aClientGetsAKeyAndACertificateOfItsOwn(self) -> None:
        """
        The name is the common name, the purpose that of a client, and the dates are within those of the CA.
        """
        granted = self.issuer().addClient("bob@home.test")
        self.assertInUse(granted)
        certificate = granted.certificate
        self.assertEqual(certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value, "bob@home.test")
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        self.assertEqual(list(usage), [ExtendedKeyUsageOID.CLIENT_AUTH])
        self.assertEqual(certificate.not_valid_before_utc, NOW - timedelta(days=1))
        self.assertEqual(certificate.not_valid_after_utc, MADE + timedelta(days=3652))

    def test_itIsValidForAsLongAsIsWished(self) -> None:
        granted = self.issuer().addClient("bob", Wish(timedelta(days=30)))
        self.assertEqual(granted.certificate.not_valid_after_utc, NOW + timedelta(days=30))

    @skipIf(os.name == "nt", "no such modes there")
    def test_nobodyElseMayReadTheKey(self) -> None:
        self.addCleanup(os.umask, os.umask(0))
        self.issuer().addClient("bob", Wish(servers=VPN))
        for path in (self.files.keyOf("bob"), self.files.bundleOf("bob")):
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)

    def test_namesThatCouldBePathsOrOptionsAreRefused(self) -> None:
        for name in (
            "",
            ".",
            "..",
            ".hidden",
            "-x",
            "a/b",
            "../a",
            "a\\b",
            "a b",
            "b\u00fc",
            "a\nb",
            "a.",
            "a" * 65,
            "a\0",
        ):
            self.assertRefused("cannot be the name of a client", lambda name=name: self.issuer().addClient(name))  # type: ignore[misc]
        for name in ("ca", "server", "crl", "Server", "CA"):
            self.assertRefused(f"cannot be called {name}", lambda name=name: self.issuer().addClient(name))  # type: ignore[misc]
        self.assertInUse(self.issuer().addClient("a" * 64))

    def test_aNameThatHasACertificateIsRefused(self) -> None:
        """
        The reason says what one may want in its place; the files need not be here.
        """
        self.issuer().addClient("bob")
        self.assertRefused("`uotp cert renew bob`", lambda: self.issuer().addClient("bob"))
        self.assertRefused("there is a client bob", lambda: self.issuer().addClient("Bob"))
        for path in (self.files.certificateOf("bob"), self.files.keyOf("bob")):
            os.remove(path)
        self.assertRefused("`uotp cert bundle bob SERVER`", lambda: self.issuer().addClient("bob"))

    def test_filesOfSomebodyElseAreNotTouched(self) -> None:
        for name in ("bob.pem", "bob.key"):
            path = os.path.join(self.directory, name)
            with open(path, "wb") as file:
                file.write(b"mine")
            self.assertRefused(f"{path} is in the way", lambda: self.issuer().addClient("bob", Wish(isForced=True)))
            os.remove(path)

    def test_oneFileForTheClient(self) -> None:
        """
        It is written with the others, and one that is there is replaced only where that is wished.
        """
        granted = self.issuer().addClient("bob", Wish(servers=VPN))
        self.assertEqual(granted.bundle, self.content(self.files.bundleOf("bob")))
        shutil.copy(self.files.bundleOf("bob"), self.files.bundleOf("eve"))
        wish = Wish(servers=VPN)
        self.assertRefused("eve.uotp is there already", lambda: self.issuer().addClient("eve", wish))
        forced = self.issuer().addClient("eve", Wish(servers=VPN, isForced=True))
        self.assertInUse(forced)
        self.assertEqual(forced.bundle, self.content(self.files.bundleOf("eve")))

    def test_aRevokedNameIsAddedAgain(self) -> None:
        """
        It has a new key, and its old certificate stays revoked.
        """
        old = self.issuer().addClient("bob").certificate
        self.revoker().revoke("bob")
        granted = self.issuer().addClient("bob")
        self.assertInUse(granted)
        self.assertNotEqual(granted.certificate.public_key(), old.public_key())
        self.assertEqual(set(self.revoked().entries), {old.serial_number})

    def test_whereAFileCannotBeWrittenNothingIsLeft(self) -> None:
        """
        The disk is full at each of the files in turn.
        """
        real = os.open
        for number in range(4):
            seen: list[str] = []

            def opener(path: str, flags: int, mode: int = 0o777, number: int = number, seen: list[str] = seen) -> int:
                if flags & os.O_EXCL:
                    seen.append(path)
                    if len(seen) > number:
                        raise OSError(28, "No space left on device", path)
                return real(path, flags, mode)

            self.patch(os, "open", opener)
            wish = Wish(servers=VPN)
            self.assertRefused("No space left on device", lambda: self.issuer().addClient("bob", wish))  # noqa: B023
            self.patch(os, "open", real)
        self.assertInUse(self.issuer().addClient("bob"))

    def test_aPkiThatWasMadeBeforeThereWereRecordsWorksToo(self) -> None:
        shutil.rmtree(self.files.issued)
        os.remove(self.files.revocationList)
        old = self.certificate(self.files.clientCertificate)
        self.assertRefused("client has a certificate already", lambda: self.issuer().addClient("client"))
        self.assertInUse(self.issuer().addClient("bob"))
        self.assertEqual(self.revoked().entries, {})
        self.assertInUse(self.issuer().renew("client"))
        self.revoker().revoke("client")
        self.assertIn(old.serial_number, self.revoked().entries)
        self.assertEqual(len(self.revoked().entries), 2)


class RenewTests(IssuerTestCase):
    """
    Renew certificates.
    """

    def test_theKeyAndTheNamesStay(self) -> None:
        """
        So the pin does too.
        """
        old, keys = self.certificate(self.files.serverCertificate), self.content(self.files.serverKey)
        granted = self.issuer().renew("server")
        self.assertInUse(granted)
        self.assertEqual(self.content(self.files.serverKey), keys)
        self.assertEqual(publicKeyPin(granted.certificate), publicKeyPin(old))
        self.assertNotEqual(granted.certificate.serial_number, old.serial_number)
        self.assertEqual(granted.hosts, ("vpn.test",))
        self.assertEqual(granted.certificate.not_valid_before_utc, NOW - timedelta(days=1))
        self.assertEqual(self.revoked().entries, {})

    def test_otherNamesReplaceThem(self) -> None:
        granted = self.issuer().renew("server", Wish(hosts=("a.test", "2001:db8::7")))
        names = granted.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        self.assertEqual([str(each.value) for each in names], ["a.test", "2001:db8::7"])
        self.assertEqual(self.issuer().renew("server").hosts, ("a.test", "2001:db8::7"))

    def test_aNewKeyIsMadeOnDemand(self) -> None:
        before = self.content(self.files.clientKey)
        self.assertInUse(self.issuer().renew("client", NEW_KEY))
        self.assertNotEqual(self.content(self.files.clientKey), before)

    def test_theKeyNeedNotBeHere(self) -> None:
        """
        A client may have taken it away, with its certificate too.
        """
        old = self.certificate(self.files.clientCertificate)
        os.remove(self.files.clientKey)
        second = self.issuer().renew("client").certificate
        os.remove(self.files.clientCertificate)
        third = self.issuer().renew("client").certificate
        self.assertEqual({publicKeyPin(each) for each in (second, third)}, {publicKeyPin(old)})
        self.assertFalse(os.path.exists(self.files.clientKey))
        wish = Wish(servers=VPN)
        self.assertRefused("client.key is missing", lambda: self.issuer().renew("client", wish))

    def test_theOldOneIsRevokedOnDemand(self) -> None:
        first = self.certificate(self.files.serverCertificate).serial_number
        second = self.issuer().renew("server").certificate.serial_number
        granted = self.issuer().renew("server", Wish(hasNewKey=True, revokesOld=True))
        self.assertEqual(set(granted.revoked), {first, second})
        self.assertEqual(set(self.revoked().entries), {first, second})

    def test_aRevokedOneGetsNoFurtherCertificateForItsKey(self) -> None:
        self.revoker().revoke("client")
        self.assertRefused("is revoked: renew it with a new key", lambda: self.issuer().renew("client"))
        self.assertInUse(self.issuer().renew("client", NEW_KEY))

    def test_whoHasNoCertificateIsNotRenewed(self) -> None:
        self.assertRefused(
            "no certificate of bob is known here; known names: client (see", lambda: self.issuer().renew("bob")
        )
        self.assertRefused("no certificate of ../ca is known", lambda: self.issuer().renew("../ca"))

    def test_theOneFileIsMadeAnewOnDemand(self) -> None:
        wish = Wish(servers=VPN, isForced=True)
        granted = self.issuer().renew("client", wish)
        self.assertInUse(granted)
        self.assertEqual(granted.bundle, self.content(self.files.bundleOf("client")))
        again = Wish(servers=VPN)
        self.assertRefused("client.uotp is there already", lambda: self.issuer().renew("client", again))

    def test_whereAFileCannotBeReplacedAllAreAsBefore(self) -> None:
        """
        Whichever of the files it is that fails.
        """
        real, wish = os.replace, Wish(hasNewKey=True, revokesOld=True)
        for number in range(6):
            seen: list[str] = []

            def replace(source: str, target: str, number: int = number, seen: list[str] = seen) -> None:
                seen.append(target)
                if len(seen) == number + 1:
                    raise OSError(30, "Read-only file system", target)
                real(source, target)

            self.patch(os, "replace", replace)
            self.assertRefused("Read-only file system", lambda: self.issuer().renew("server", wish))
            self.patch(os, "replace", real)
        self.assertInUse(self.issuer().renew("server", wish))

    def test_theCertificateFollowsItsKeyAtOnce(self) -> None:
        """
        All files are whole when the first is replaced; a link stays a link.
        """
        real, seen = os.replace, list[str]()

        def replace(source: str, target: str) -> None:
            seen.append(os.path.basename(target))
            real(source, target)

        elsewhere = os.path.join(os.path.dirname(self.directory), f"{os.path.basename(self.directory)}.elsewhere")
        real(self.files.serverKey, elsewhere)
        os.symlink(elsewhere, self.files.serverKey)
        self.patch(os, "replace", replace)
        self.assertInUse(self.issuer().renew("server", NEW_KEY))
        self.assertEqual(seen[-2:], [os.path.basename(elsewhere), "server.pem"])
        self.assertTrue(os.path.islink(self.files.serverKey))


class ElsewhereKeyTests(IssuerTestCase):
    """
    The key of the CA is kept somewhere else.
    """

    def test_aKeyElsewhereIsUsed(self) -> None:
        away = os.path.abspath(self.mktemp())
        os.rename(self.files.caKey, away)
        self.assertRefused("ca.key is missing; name the file where you keep it", self.issuer)
        self.files = PkiFiles(self.directory, authorityKey=away)
        self.assertInUse(self.issuer().addClient("bob"))

    def test_anotherKeyIsRefused(self) -> None:
        shutil.copy(self.files.clientKey, self.files.caKey)
        self.assertRefused("is not the key of the CA", self.issuer)

    def test_aWrongClockIsSaid(self) -> None:
        for now in (MADE - timedelta(days=2), MADE + timedelta(days=4000)):
            self.assertRefused("set the clock right", lambda now=now: self.issuer(now))  # type: ignore[misc]
