"""
Revocation lists in a file of CAs: what was revoked is refused at either end, and nothing else.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtensionOID
from OpenSSL import SSL
from twisted.logger import LogLevel, capturedLogs, formatEvent

from tests.doubles.certificates import CLIENT, DAY, NOW, Authority, Issued, pem
from tests.doubles.streams import Creator
from tests.doubles.tlspairs import GOOD, STRANGER, TRUSTED, TlsTestCase, causeIn, meet
from uotp.errors import ConfigurationError, Refusal
from uotp.tls.credentials import ClientCredentials, ClientTls, ServerCredentials, ServerTls
from uotp.tls.pins import publicKeyPin
from uotp.tls.verification import VerifyingConnection

REVOKED, REPLACED = (TRUSTED.issue("good.test", usages=CLIENT) for _ in range(2))
BELOW = Authority("Below", issuer=TRUSTED)
WORDS = "certificate was revoked by 'CN=Trusted CA'"


class RevocationTests(TlsTestCase):
    """
    Let those in that were not revoked.
    """

    def lists(self, *content: bytes, authorities: tuple[Authority, ...] = (TRUSTED,)) -> str:
        """
        @return: the name of a file with CAs and lists.
        """
        return self.path(pem(*(each.certificate for each in authorities)) + b"".join(content))

    def listing(self, cafile: str) -> ServerCredentials:
        """
        @return: a server that knows its clients by a file.
        """
        return ServerCredentials(ServerTls(self.path(GOOD.certificatePem() + GOOD.keyPem()), cafile=cafile))

    def dialling(self, cafile: str) -> Creator:
        """
        @return: what makes the connections of a client that knows its server by a file.
        """
        return ClientCredentials(ClientTls(cafile=cafile)).creatorFor("good.test")

    def refusalOf(self, server: ServerCredentials, shown: Issued) -> str | None:
        """
        @return: what a server has against a client that shows this.
        """
        pair = meet(server, self.client(shows=shown))
        if pair.server.refusal is None:
            self.assertWelcome(pair)
        else:
            self.assertEqual(pair.server.heard, b"")
        return causeIn(pair.server.refusal)

    def test_revokedClientIsRefusedAndAnotherIsNot(self) -> None:
        server = self.listing(self.lists(TRUSTED.revocationList(REVOKED.certificate)))
        self.assertEqual(self.refusalOf(server, REVOKED), WORDS)
        self.assertIsNone(self.refusalOf(server, REPLACED))

    def test_revokedServerIsRefused(self) -> None:
        cafile = self.lists(TRUSTED.revocationList(GOOD.certificate))
        pair = meet(self.server(), self.dialling(cafile))
        self.assertRefused(pair, client=WORDS, server="the peer refused our certificate: revoked")
        self.assertWelcome(meet(self.server(TRUSTED.issue("good.test")), self.dialling(cafile)))

    def test_listIsReadAgain(self) -> None:
        """
        At a reload, and what is not revoked any more gets in again.
        """
        cafile = self.lists()
        server = self.listing(cafile)
        self.assertIsNone(self.refusalOf(server, REVOKED))
        before = Path(cafile).read_bytes()
        Path(cafile).write_bytes(before + TRUSTED.revocationList(REVOKED.certificate))
        server.reload()
        self.assertEqual(self.refusalOf(server, REVOKED), WORDS)
        Path(cafile).write_bytes(before)
        server.reload()
        self.assertIsNone(self.refusalOf(server, REVOKED))

    def test_listIsReadDuringAHandshake(self) -> None:
        """
        Whoever has begun before that is let in by the new list or not at all, at either end.
        """
        for shown, isWelcome in ((REVOKED, False), (REPLACED, True)):
            cafile = self.lists()
            server, here = self.halfway(cafile, shown)
            Path(cafile).write_bytes(Path(cafile).read_bytes() + TRUSTED.revocationList(REVOKED.certificate))
            server.reload()
            if isWelcome:
                here.do_handshake()
            else:
                self.assertRaises(SSL.Error, here.do_handshake)
                self.assertEqual(causeIn(here.refusalWords()), "certificate was revoked during the handshake")

    def halfway(self, cafile: str, shown: Issued) -> tuple[ServerCredentials, VerifyingConnection]:
        """
        @return: a server, and its end of a handshake to which only the last step is missing.
        """
        server, dial = self.listing(cafile), self.client(shows=shown)
        here, there = server.connection(), dial(None)
        here.set_accept_state()
        there.set_connect_state()
        for one, other in ((there, here), (here, there), (there, here)):
            with contextlib.suppress(SSL.WantReadError):
                one.do_handshake()
            other.bio_write(one.bio_read(1 << 16))
        return server, here

    def test_aCaIsTakenOutDuringAHandshake(self) -> None:
        cafile = self.lists(authorities=(TRUSTED, STRANGER))
        for shown, isWelcome in ((STRANGER.issue(usages=CLIENT), True), (REPLACED, False)):
            Path(cafile).write_bytes(pem(TRUSTED.certificate, STRANGER.certificate))
            server, here = self.halfway(cafile, shown)
            Path(cafile).write_bytes(pem(STRANGER.certificate))
            server.reload()
            if isWelcome:
                here.do_handshake()
            else:
                self.assertRaises(SSL.Error, here.do_handshake)
                self.assertEqual(here.refusalWords(), "the CA of the certificate was taken out of the CA file")

    def test_whoWasLetInByACaThatIsTakenOutMayNotGoOn(self) -> None:
        """
        Until the CA is back, also where another one stands between.  A namesake with another key is another CA.
        """
        cafile = self.lists(authorities=(TRUSTED, STRANGER))
        server = self.listing(cafile)
        below, namesake = BELOW.issue(usages=CLIENT), Authority(TRUSTED.name)
        root = TRUSTED.certificate
        for authorities, isIn, isBelowIn in (
            ((STRANGER,), False, False),
            ((STRANGER, namesake), False, False),
            ((STRANGER, BELOW), False, True),
            ((STRANGER, TRUSTED), True, True),
        ):
            Path(cafile).write_bytes(pem(*(each.certificate for each in authorities)))
            server.reload()
            self.assertIsNone(server.objection(None, STRANGER.issue(usages=CLIENT).known(STRANGER.certificate), None))
            self.assertIsNone(server.objection(None, (), None))
            for chain, isWelcome in ((REPLACED.known(root), isIn), (below.known(root), isBelowIn)):
                error = server.objection(None, chain, None)
                if isWelcome:
                    self.assertIsNone(error)
                else:
                    assert error is not None
                    self.assertEqual(str(error), "the CA of its certificate has been taken out of the CA file")
                    self.assertIs(error.kind, Refusal.UNKNOWN_ISSUER)

    def test_whoseOwnCertificateIsInTheCaFileMayGoOn(self) -> None:
        """
        As long as it is.
        """
        own = Authority("guest").issue(usages=CLIENT)
        cafile = self.path(pem(TRUSTED.certificate, own.certificate))
        server = self.listing(cafile)
        key = publicKeyPin(own.certificate)
        self.assertIsNone(server.objection(key, own.known(), None))
        Path(cafile).write_bytes(pem(TRUSTED.certificate))
        server.reload()
        self.assertIn("taken out", str(server.objection(key, own.known(), None)))

    def test_aServerWhoseCaIsTakenOutGoesOn(self) -> None:
        """
        A client may get the new CA before its server has the new certificate.
        """
        cafile = self.lists()
        client = ClientCredentials(ClientTls(cafile=cafile))
        Path(cafile).write_bytes(pem(STRANGER.certificate))
        client.reload()
        self.assertIsNone(client.objection(None, GOOD.known(), None))

    def besides(self, cafile: str, crl: str) -> ServerCredentials:
        """
        @return: a server with revocation lists in a file of their own.
        """
        cert = self.path(GOOD.certificatePem() + GOOD.keyPem())
        return ServerCredentials(ServerTls(cert, cafile=cafile, crl=crl), now=lambda: NOW)

    def test_listsMayBeInAFileOfTheirOwn(self) -> None:
        """
        In PEM or in DER, for several CAs, and besides those in the file of the CAs; of one CA the newest counts.
        """
        shown = BELOW.issue(usages=CLIENT)
        list_ = TRUSTED.revocationList(REVOKED.certificate)
        der = x509.load_pem_x509_crl(list_).public_bytes(Encoding.DER)
        for crl in (list_, der, b"text\n" + BELOW.revocationList(shown.certificate) + list_):
            server = self.besides(self.lists(), self.path(crl))
            self.assertEqual(self.refusalOf(server, REVOKED), WORDS)
            self.assertIsNone(self.refusalOf(server, REPLACED))
        self.assertEqual(self.refusalOf(server, shown), "certificate was revoked by 'CN=Below'")
        older = TRUSTED.revocationList(REPLACED.certificate, begins=NOW - 9 * DAY)
        server = self.besides(self.lists(older), self.path(list_))
        self.assertEqual([self.refusalOf(server, each) for each in (REVOKED, REPLACED)], [WORDS, None])

    def test_aFileOfListsThatIsNoneIsRefused(self) -> None:
        """
        At the start, and at a reload, where the old one stays in use.
        """
        whole = TRUSTED.revocationList(REVOKED.certificate)
        der = x509.load_pem_x509_crl(whole).public_bytes(Encoding.DER)
        forged = TRUSTED.revocationList(REVOKED.certificate, signer=STRANGER.key)
        crl = self.path(whole)
        server = self.besides(self.lists(), crl)
        for content, words in (
            (b"", "the revocation file FILE is empty"),
            (pem(TRUSTED.certificate), "the revocation file FILE has certificates and no revocation list (X509 CRL)"),
            (b"rubbish", "the revocation file FILE has no revocation list in PEM format"),
            (whole[:150], "the revocation file FILE has a damaged revocation list"),
            (whole + whole[:150], "the revocation file FILE has a damaged revocation list"),
            (der[:-9], "the revocation file FILE has no revocation list in PEM format"),
            (forged, "the revocation list of 'CN=Trusted CA' in FILE was not signed by that CA"),
        ):
            Path(crl).write_bytes(content)
            for use in (server.reload, lambda: self.besides(self.lists(), crl)):
                self.assertEqual(str(self.assertRaises(ConfigurationError, use)).replace(crl, "FILE"), words)
        Path(crl).unlink()
        words = f"cannot read the revocation file {crl}: No such file or directory"
        self.assertEqual(str(self.assertRaises(ConfigurationError, server.reload)), words)
        self.assertEqual(self.refusalOf(server, REVOKED), WORDS)

    def test_aListThatIsOutOfDateDoesNotReplaceOneThatIsNot(self) -> None:
        """
        An old file was put back by mistake.  Where both are out of date, or nothing else was there, it is taken.
        """
        old = TRUSTED.revocationList(REPLACED.certificate, begins=NOW - 9 * DAY, ends=NOW - 2 * DAY)
        crl = self.path(TRUSTED.revocationList(REVOKED.certificate))
        server = self.besides(self.lists(), crl)
        Path(crl).write_bytes(old)
        error = self.assertRaises(ConfigurationError, server.reload)
        words = f"the revocation list of 'CN=Trusted CA' in {crl} was good until {NOW - 2 * DAY:%Y-%m-%d}"
        self.assertEqual(str(error), f"{words}, and the one in use is newer")
        self.assertEqual(self.refusalOf(server, REVOKED), WORDS)
        server = self.besides(self.lists(), crl)
        server.reload()
        self.assertEqual(self.refusalOf(server, REPLACED), WORDS)

    def test_listsOfNobodyAreOfNoUse(self) -> None:
        cert, crl = self.path(GOOD.certificatePem() + GOOD.keyPem()), self.path(TRUSTED.revocationList())
        error = self.assertRaises(ConfigurationError, ServerCredentials, ServerTls(cert, crl=crl))
        self.assertEqual(str(error), "crl is of no use without cafile, the CAs whose lists it has")

    def test_casWithoutListAreTrustedAsEver(self) -> None:
        """
        Where one CA of many has a list, also those that it has signed itself.
        """
        content = TRUSTED.revocationList(REVOKED.certificate)
        server = self.listing(self.lists(content, authorities=(STRANGER, TRUSTED)))
        self.assertIsNone(self.refusalOf(server, STRANGER.issue(usages=CLIENT)))
        self.assertIsNone(self.refusalOf(server, BELOW.issue(usages=CLIENT)))

    def test_revokedIntermediateSignsNobody(self) -> None:
        server = self.listing(self.lists(TRUSTED.revocationList(BELOW.certificate)))
        words = "issuer's certificate 'CN=Below' was revoked by 'CN=Trusted CA'"
        self.assertEqual(self.refusalOf(server, BELOW.issue(usages=CLIENT)), words)
        self.assertIsNone(self.refusalOf(server, REPLACED))

    def test_intermediateThatComesWithTheChainHasItsListHonoured(self) -> None:
        shown = BELOW.issue(usages=CLIENT)
        server = self.listing(self.lists(BELOW.revocationList(shown.certificate)))
        self.assertEqual(self.refusalOf(server, shown), "certificate was revoked by 'CN=Below'")
        self.assertIsNone(self.refusalOf(server, BELOW.issue(usages=CLIENT)))

    def test_oldListStillHoldsAndIsSaid(self) -> None:
        """
        At the start, at each reload, and each day.
        """
        old = TRUSTED.revocationList(REVOKED.certificate, begins=NOW - 9 * DAY, ends=NOW - 2 * DAY)
        with capturedLogs() as events:
            cafile = self.lists(old)
            server = self.listing(cafile)
            server.warnOfDates()
        self.assertEqual(self.refusalOf(server, REVOKED), WORDS)
        self.assertIsNone(self.refusalOf(server, REPLACED))
        said = [formatEvent(event) for event in events if event["log_level"] is LogLevel.warn]
        line = (
            f"the revocation list of 'CN=Trusted CA' in {cafile} was good until {NOW - 2 * DAY:%Y-%m-%d}: it still "
            "holds, but what was revoked since then is not in it; get a newer one"
        )
        self.assertEqual(said, [line, line])

    def test_newestListCounts(self) -> None:
        old = TRUSTED.revocationList(REPLACED.certificate, begins=NOW - 9 * DAY, ends=NOW - 2 * DAY)
        with capturedLogs() as events:
            server = self.listing(self.lists(old, TRUSTED.revocationList(REVOKED.certificate)))
        self.assertEqual(self.refusalOf(server, REVOKED), WORDS)
        self.assertIsNone(self.refusalOf(server, REPLACED))
        self.assertEqual(events, [])

    def test_listThatCannotBeHonouredIsRefused(self) -> None:
        """
        Never passed over, at either end, at the start or at a reload.
        """
        forged = TRUSTED.revocationList(REVOKED.certificate, signer=STRANGER.key)
        whole = TRUSTED.revocationList(REVOKED.certificate)
        limited = x509.IssuingDistributionPoint(None, None, True, False, None, False, False)
        spoilt = x509.UnrecognizedExtension(ExtensionOID.ISSUING_DISTRIBUTION_POINT, b"?")
        prefix = "the revocation list of 'CN=Trusted CA' in FILE "
        for content, words in (
            (forged, prefix + "was not signed by that CA"),
            (
                TRUSTED.revocationList(extension=x509.DeltaCRLIndicator(1)),
                prefix + "is a delta list, which tells only what has changed: give the whole one",
            ),
            (
                TRUSTED.revocationList(extension=limited),
                prefix + "tells of a part of the certificates only: give a whole one",
            ),
            (TRUSTED.revocationList(extension=spoilt), "the CA file FILE has a damaged revocation list"),
            (whole[:150], "the CA file FILE has a damaged revocation list"),
            (whole.replace(b"CRL-----\nMI", b"CRL-----\nAA"), "the CA file FILE has a damaged revocation list"),
        ):
            cafile = self.lists(content)
            for use in (self.listing, self.dialling):
                error = self.assertRaises(ConfigurationError, use, cafile)
                self.assertEqual(str(error).replace(cafile, "FILE"), words)

    def test_listThatNobodyCanVerifyLetsNobodyIn(self) -> None:
        """
        It is of an intermediate, and another of the same name is what was shown.
        """
        cafile = self.lists(BELOW.revocationList(signer=STRANGER.key))
        words = self.refusalOf(self.listing(cafile), BELOW.issue(usages=CLIENT))
        self.assertIsNotNone(words)
        self.assertIn("nobody knows whether the certificate was revoked", str(words))

    def test_listThatDoesNotCoverACertificateLetsItNotIn(self) -> None:
        """
        It is for certificates that name where it is published, and what is shown does not.
        """
        place = x509.UniformResourceIdentifier("http://trusted.test/list.crl")
        partial = x509.IssuingDistributionPoint([place], None, False, False, None, False, False)
        server = self.listing(self.lists(TRUSTED.revocationList(extension=partial)))
        words = self.refusalOf(server, REPLACED)
        self.assertIn("nobody knows whether the certificate was revoked", str(words))

    def test_issuerWithoutItsOwnIssuerNeedsNoList(self) -> None:
        """
        Who trusts an intermediate alone has nobody who could revoke it.
        """
        shown = replace(BELOW.issue(usages=CLIENT), intermediates=())
        other = BELOW.issue(usages=CLIENT)
        server = self.listing(self.lists(BELOW.revocationList(shown.certificate), authorities=(BELOW,)))
        self.assertEqual(self.refusalOf(server, shown), "certificate was revoked by 'CN=Below'")
        self.assertIsNone(self.refusalOf(server, other))
