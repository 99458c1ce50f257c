"""
How often revocation lists are verified, by whose keys, and which of them count for a certificate.
"""

from __future__ import annotations

from pathlib import Path

from cryptography import x509
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID, ObjectIdentifier
from OpenSSL import crypto
from OpenSSL.SSL import X509VerificationCodes as Codes

from tests.doubles.certificates import CLIENT, DAY, NOW, Authority, Issued, pem
from tests.doubles.tlspairs import GOOD, STRANGER, TRUSTED, TlsTestCase, causeIn, meet, shake
from uotp.errors import ConfigurationError, Refusal
from uotp.tls import listchecks, revocation
from uotp.tls.credentials import ServerCredentials, ServerTls
from uotp.tls.judging import JudgedChain, isRoot
from uotp.tls.names import nameDigest
from uotp.tls.pem import readAuthorities
from uotp.tls.pins import publicKeyPin
from uotp.tls.revocation import Revocations

REVOKED, REPLACED = (TRUSTED.issue("good.test", usages=CLIENT) for _ in range(2))
BELOW = Authority("Below", issuer=TRUSTED)
WORDS = "certificate was revoked by 'CN=Trusted CA'"
PLACE = "http://trusted.test/list.crl"
UNKNOWN = "nobody knows whether the certificate was revoked"


class ListTestCase(TlsTestCase):
    """
    Has servers with lists.
    """

    def server_(self, *content: bytes, authorities: tuple[Authority, ...] = (TRUSTED,)) -> ServerCredentials:
        """
        @return: a server that knows its clients by CAs and lists.
        """
        self.cas = self.path(pem(*(each.certificate for each in authorities)) + b"".join(content))
        return ServerCredentials(ServerTls(self.path(GOOD.certificatePem() + GOOD.keyPem()), cafile=self.cas))

    def refusalOf(self, server: ServerCredentials, shown: Issued) -> str | None:
        """
        @return: what a server has against a client that shows this.
        """
        return causeIn(meet(server, self.client(shows=shown)).server.refusal)

    def counted(self) -> list[x509.Name]:
        """
        @return: whose key a list was compared with, from now on.
        """
        tried: list[x509.Name] = []
        real = listchecks.isSignedBy

        def isSignedBy(listed: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
            tried.append(issuer.subject)
            return real(listed, issuer)

        self.patch(listchecks, "isSignedBy", isSignedBy)
        self.patch(revocation, "isSignedBy", isSignedBy)
        return tried


class VerifiedOnceTests(ListTestCase):
    """
    Whoever shakes hands does not make a list be verified.
    """

    def test_aListIsVerifiedWhenItIsRead(self) -> None:
        """
        And never again, whoever comes; OpenSSL gets no list at all.
        """
        tried = self.counted()
        given: list[object] = []
        self.patch(crypto.X509Store, "add_crl", lambda _, listed: given.append(listed))
        server = self.server_(TRUSTED.revocationList(REVOKED.certificate))
        self.assertEqual((len(tried), given), (1, []))
        for shown, words in ((REVOKED, WORDS), (REPLACED, None)) * 3:
            self.assertEqual(self.refusalOf(server, shown), words)
        self.assertIn("signature failure", str(self.refusalOf(server, self.forged())))
        self.assertEqual(len(tried), 1)

    def forged(self) -> Issued:
        """
        @return: what somebody has made himself, who knows what the CA is called.
        """
        return Authority(TRUSTED.name).issue(usages=CLIENT)

    def test_theListOfACaInTheChainIsVerifiedOnceForItsKey(self) -> None:
        """
        Also where the key is not that of the list, which lets nobody in.
        """
        tried = self.counted()
        shown, other = BELOW.issue(usages=CLIENT), BELOW.issue(usages=CLIENT)
        namesake = Authority("Below", issuer=TRUSTED).issue(usages=CLIENT)
        server = self.server_(BELOW.revocationList(shown.certificate))
        self.assertEqual(tried, [])
        for _ in range(3):
            self.assertEqual(self.refusalOf(server, shown), "certificate was revoked by 'CN=Below'")
            self.assertIsNone(self.refusalOf(server, other))
            self.assertIn(UNKNOWN, str(self.refusalOf(server, namesake)))
        self.assertEqual(len(tried), 2)

    def test_aStrangerWithTheNameOfThatCaCausesNothing(self) -> None:
        tried = self.counted()
        server = self.server_(BELOW.revocationList())
        for authority in (
            Authority("Below"),
            Authority("Below", issuer=STRANGER),
            Authority("Below", issuer=Authority(TRUSTED.name)),
        ):
            self.assertIsNotNone(self.refusalOf(server, authority.issue(usages=CLIENT)))
        self.assertEqual(tried, [])

    def test_thereIsABoundToTheKeysThatAreTried(self) -> None:
        """
        A trusted CA may sign as many CAs as it likes, all of one name.
        """
        self.patch(revocation, "MOST_TRIED", 2)
        tried = self.counted()
        shown = BELOW.issue(usages=CLIENT)
        server = self.server_(BELOW.revocationList())
        self.assertIsNone(self.refusalOf(server, shown))
        for _ in range(4):
            namesake = Authority("Below", issuer=TRUSTED).issue(usages=CLIENT)
            self.assertIn(UNKNOWN, str(self.refusalOf(server, namesake)))
        self.assertIsNone(self.refusalOf(server, shown))
        self.assertEqual(len(tried), 2)

    def test_aKeyThatOpenSslDoubtsIsNotTried(self) -> None:
        """
        Where the walk goes on in spite of that, to find all that is wrong.  A date is no such doubt.
        """
        tried = self.counted()
        shown = BELOW.issue(usages=CLIENT)
        path = self.path(pem(TRUSTED.certificate) + BELOW.revocationList(shown.certificate))
        for error, found in (
            (Codes.ERR_CERT_SIGNATURE_FAILURE, Codes.ERR_CRL_SIGNATURE_FAILURE),
            (Codes.ERR_CERT_HAS_EXPIRED, Codes.ERR_CERT_REVOKED),
        ):
            judged = JudgedChain(Revocations.of(readAuthorities(path, "CA file"), path))
            self.assertEqual(judged.errorOf(TRUSTED.certificate, 2), 0)
            judged.doubt(error)
            self.assertEqual(judged.errorOf(BELOW.certificate, 1), 0)
            self.assertEqual(judged.chain, ())
            self.assertEqual(judged.errorOf(shown.certificate, 0), found)
            self.assertEqual(judged.chain, shown.known(TRUSTED.certificate))
        self.assertEqual(len(tried), 1)

    def test_aCertificateWhoseIssuerWasLeftOutHasNone(self) -> None:
        """
        Nothing is taken for the issuer but what stands just above.
        """
        shown = BELOW.issue(usages=CLIENT)
        path = self.path(pem(TRUSTED.certificate) + BELOW.revocationList())
        judged = JudgedChain(Revocations.of(readAuthorities(path, "CA file"), path))
        self.assertEqual(judged.errorOf(BELOW.certificate, 2), 0)
        self.assertEqual(judged.errorOf(shown.certificate, 0), Codes.ERR_CRL_SIGNATURE_FAILURE)


class WhichListTests(ListTestCase):
    """
    Know which list counts.
    """

    def test_twoCasOfOneNameHaveTheirOwnLists(self) -> None:
        """
        An old CA and its successor; the newer list is not that of the older key.
        """
        first, second = (Authority("CA", namesKey=True) for _ in range(2))
        (old, gone), (new, bad) = ([each.issue(usages=CLIENT) for _ in range(2)] for each in (first, second))
        lists = (first.revocationList(gone.certificate, begins=NOW - 2 * DAY), second.revocationList(bad.certificate))
        words = "certificate was revoked by 'CN=CA'"
        server = self.server_(*lists, authorities=(first, second))
        for shown, isRevoked in ((gone, True), (old, False), (bad, True), (new, False)):
            self.assertEqual(self.refusalOf(server, shown), words if isRevoked else None)
            self.assertIs(server.revokes(shown.known()), isRevoked)
        name, number = nameDigest(first.certificate.subject), gone.certificate.serial_number
        for authority, isRevoked in ((first, True), (second, False)):
            self.assertIs(server.revokes(((name, publicKeyPin(authority.certificate), number),)), isRevoked)
        server = self.server_(lists[1], authorities=(first, second))
        self.assertIsNone(self.refusalOf(server, new))
        self.assertIn("nobody knows", str(self.refusalOf(server, old)))

    def test_anOlderListThatDoesNotSayByWhichKeyHoldsToo(self) -> None:
        """
        The CA has got a new key, with a list that is newer; what was let in by the old one is in the old list.
        """
        first, second = (Authority("Rolled", issuer=TRUSTED) for _ in range(2))
        gone, good = first.issue(usages=CLIENT), second.issue(usages=CLIENT)
        lists = (first.revocationList(gone.certificate, begins=NOW - 2 * DAY), second.revocationList())
        server = self.server_(*lists)
        for shown, isRevoked in ((gone, True), (good, False)):
            self.assertIs(server.revokes(shown.known(TRUSTED.certificate)), isRevoked)
            found = self.refusalOf(server, shown)
            self.assertEqual(found, "certificate was revoked by 'CN=Rolled'" if isRevoked else None)
            self.assertIs(server.revokes(shown.known(TRUSTED.certificate)), isRevoked)

    def test_whatANewerListDoesNotHaveAnyMoreMayComeBack(self) -> None:
        """
        It was on hold; neither list says by which key it is.
        """
        shown = BELOW.issue(usages=CLIENT)
        server = self.server_(BELOW.revocationList(shown.certificate, begins=NOW - 2 * DAY), BELOW.revocationList())
        self.assertIsNone(self.refusalOf(server, shown))
        self.assertIs(server.revokes(shown.known(TRUSTED.certificate)), False)

    def test_aListByTheOldKeyCountsForTheNewOneThatItHasSigned(self) -> None:
        """
        A CA gets a new key, and goes on to sign its lists by the old one.
        """
        old = Authority("Rolled", namesKey=True)
        new = Authority("Rolled", issuer=old, namesKey=True)
        gone, good = (new.issue(usages=CLIENT) for _ in range(2))
        server = self.server_(old.revocationList(gone.certificate), authorities=(old,))
        self.assertEqual(self.refusalOf(server, gone), "certificate was revoked by 'CN=Rolled'")
        self.assertIsNone(self.refusalOf(server, good))

    def test_aRootIsNotRevokedByItself(self) -> None:
        """
        Its number may be that of a client: many write 1 for both.
        """
        server = self.server_(TRUSTED.revocationList(TRUSTED.certificate, REVOKED.certificate))
        self.assertIsNone(self.refusalOf(server, REPLACED))
        self.assertEqual(self.refusalOf(server, REVOKED), WORDS)
        self.assertIs(server.revokes(REPLACED.known(TRUSTED.certificate)), False)

    def test_whetherItIsARootIsFoundOutOnce(self) -> None:
        """
        And not by whoever shakes hands.
        """
        root = Authority("Once")
        server = self.server_(authorities=(root,))
        before = isRoot.cache_info().misses
        for _ in range(3):
            self.assertIsNone(self.refusalOf(server, root.issue(usages=CLIENT)))
        self.assertEqual(isRoot.cache_info().misses - before, 1)

    def test_whoeverHasSignedItselfIsNotTakenForARoot(self) -> None:
        """
        A CA whose new key is signed by the old one, and which alone is in the file, has an issuer.
        """
        old = Authority("Rolled")
        new = Authority("Rolled", issuer=old)
        shown = new.issue(usages=CLIENT)
        server = self.server_(new.revocationList(new.certificate), authorities=(new,))
        self.assertIn("was revoked", str(self.refusalOf(server, shown)))

    def test_afterAReloadKeysAreTriedAnew(self) -> None:
        """
        Though the files say the same.
        """
        self.patch(revocation, "MOST_TRIED", 1)
        server = self.server_(BELOW.revocationList())
        namesake = Authority("Below", issuer=TRUSTED).issue(usages=CLIENT)
        self.assertIn(UNKNOWN, str(self.refusalOf(server, namesake)))
        self.assertIn(UNKNOWN, str(self.refusalOf(server, BELOW.issue(usages=CLIENT))))
        server.reload()
        self.assertIsNone(self.refusalOf(server, BELOW.issue(usages=CLIENT)))

    def test_aNameMayBeWrittenInAnotherWay(self) -> None:
        """
        With other letters, spaces, or as another kind of string.
        """
        for text, kind in ((" trusted   CA", _ASN1Type.UTF8String), ("TRUSTED ca", _ASN1Type.PrintableString)):
            name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text, kind)])
            server = self.server_(TRUSTED.revocationList(REVOKED.certificate, name=name))
            self.assertEqual(self.refusalOf(server, REVOKED), WORDS)
            self.assertIsNone(self.refusalOf(server, REPLACED))
            self.assertIs(server.revokes(REVOKED.known()), True)

    def test_namesThatAreNotTheSame(self) -> None:
        names = [
            x509.Name(
                [
                    x509.RelativeDistinguishedName([x509.NameAttribute(oid, value) for oid, value in part])
                    for part in parts
                ]
            )
            for parts in (
                [[(NameOID.COMMON_NAME, "ab")]],
                [[(NameOID.COMMON_NAME, "a b")]],
                [[(NameOID.ORGANIZATION_NAME, "ab")]],
                [[(NameOID.COMMON_NAME, "a")], [(NameOID.COMMON_NAME, "b")]],
                [[(NameOID.COMMON_NAME, "a"), (NameOID.COMMON_NAME, "b")]],
                [[(NameOID.COMMON_NAME, "É")]],
                [[(NameOID.COMMON_NAME, "é")]],
                [],
            )
        ]
        self.assertEqual(len({nameDigest(each) for each in names}), len(names))

    def test_aListOfAPlaceIsForThoseThatNameIt(self) -> None:
        """
        Of several such lists each has its own.
        """
        place = x509.IssuingDistributionPoint(
            [x509.UniformResourceIdentifier(PLACE)], None, False, False, None, False, False
        )
        good, bad = (TRUSTED.issue(usages=CLIENT, listedAt=PLACE) for _ in range(2))
        elsewhere = TRUSTED.issue(usages=CLIENT, listedAt="http://elsewhere.test/")
        listed = TRUSTED.revocationList(bad.certificate, extension=place)
        server = self.server_(listed)
        self.assertIsNone(self.refusalOf(server, good))
        self.assertEqual(self.refusalOf(server, bad), WORDS)
        for shown in (elsewhere, REPLACED):
            self.assertIn(UNKNOWN, str(self.refusalOf(server, shown)))
        server = self.server_(listed, TRUSTED.revocationList(REVOKED.certificate, begins=NOW - 2 * DAY))
        self.assertEqual([self.refusalOf(server, each) for each in (bad, REVOKED, REPLACED)], [WORDS, WORDS, None])

    def test_aListOfARelativePlaceIsForNobody(self) -> None:
        """
        Such places are not compared.
        """
        name = x509.RelativeDistinguishedName([x509.NameAttribute(NameOID.COMMON_NAME, "list")])
        place = x509.IssuingDistributionPoint(None, name, False, False, None, False, False)
        server = self.server_(TRUSTED.revocationList(extension=place))
        self.assertIn(UNKNOWN, str(self.refusalOf(server, REPLACED)))

    def test_aListThatIsNotUnderstoodIsRefused(self) -> None:
        """
        Or that was signed by a key that is for other things.
        """
        strange = x509.UnrecognizedExtension(ObjectIdentifier("1.2.3"), b"?")
        mute = Authority("Mute", mayRevoke=False)
        prefix = "the revocation list of 'CN=Trusted CA' in FILE has "
        for authority, listed, words in (
            (
                TRUSTED,
                TRUSTED.revocationList(extension=strange),
                prefix + "a critical extension that is not understood (1.2.3)",
            ),
            (
                TRUSTED,
                TRUSTED.revocationList(REVOKED.certificate, ofEntries=strange),
                prefix + "an entry with a critical extension that is not understood",
            ),
            (
                mute,
                mute.revocationList(),
                "the revocation list of 'CN=Mute' in FILE was signed by a CA that may not sign lists (key usage)",
            ),
        ):
            error = self.assertRaises(ConfigurationError, self.server_, listed, authorities=(authority,))
            self.assertEqual(str(error).replace(self.cas, "FILE"), words)

    def test_aCaInTheChainThatMayNotSignListsLetsNobodyIn(self) -> None:
        for mayRevoke in (True, False):
            below = Authority("Below", issuer=TRUSTED, mayRevoke=mayRevoke)
            words = self.refusalOf(self.server_(below.revocationList()), below.issue(usages=CLIENT))
            self.assertEqual(words is None, mayRevoke)

    def test_aCaOfTheFileMayBeRevokedByOneAboveIt(self) -> None:
        server = self.server_(TRUSTED.revocationList(BELOW.certificate), authorities=(BELOW, TRUSTED))
        words = self.refusalOf(server, BELOW.issue(usages=CLIENT))
        self.assertEqual(words, "issuer's certificate 'CN=Below' was revoked by 'CN=Trusted CA'")
        server = self.server_(TRUSTED.revocationList(REVOKED.certificate), authorities=(BELOW, TRUSTED))
        self.assertIsNone(self.refusalOf(server, BELOW.issue(usages=CLIENT)))


class RunningTests(ListTestCase):
    """
    Remember a chain.
    """

    def test_aRevokedCaInTheChainEndsItsTunnels(self) -> None:
        """
        At the reload; those that another CA has let in go on.
        """
        server = self.server_()
        shown = BELOW.issue(usages=CLIENT)
        here = server.connection()
        there = self.client(shows=shown)(None)
        here.set_accept_state()
        there.set_connect_state()
        shake(here, there)
        self.assertEqual(here.peerChain(), shown.known(TRUSTED.certificate))
        Path(self.cas).write_bytes(pem(TRUSTED.certificate) + TRUSTED.revocationList(BELOW.certificate))
        server.reload()
        error = server.objection(None, here.peerChain(), None)
        assert error is not None
        self.assertEqual(str(error), "the CA of its certificate has been revoked since it was let in")
        self.assertIs(error.kind, Refusal.REVOKED)
        self.assertIsNone(server.objection(None, REPLACED.known(TRUSTED.certificate), None))
