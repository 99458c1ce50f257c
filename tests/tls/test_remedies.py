"""
What can be done about a refusal: the log says it at the side where it is read.
"""

from __future__ import annotations

from datetime import datetime, timezone

from OpenSSL import SSL

from tests.doubles.certificates import CLIENT, DAY, NOW, Authority, Issued, selfSigned
from tests.doubles.tlspairs import GOOD, STRANGER, TRUSTED, Pair, TlsTestCase, meet
from uotp.tls import alerts, verification
from uotp.tls.alerts import ALERTS, errorWords

THEN = datetime(2026, 1, 1, 0, 7, tzinfo=timezone.utc)
"""What a clock says that has lost its battery."""


def remedyIn(words: str | None) -> str:
    """
    @return: what can be done, behind what was wrong.
    """
    return "" if words is None else words.partition("; ")[2]


class VerificationRemedyTests(TlsTestCase):
    """
    Refuse a peer, and say what to do here.
    """

    def dial(self, issued: Issued) -> Pair:
        """
        @return: what comes of a client that meets a server with this certificate.
        """
        return meet(self.server(issued), self.client())

    def test_clockIsAskedFor(self) -> None:
        """
        A machine without a battery begins in the past.
        """
        for module in (verification, alerts):
            self.patch(module, "utcNow", lambda: THEN)
        early = TRUSTED.issue("good.test", begins=NOW + DAY)
        pair = self.dial(early)
        self.assertEqual(remedyIn(pair.client.refusal), "this machine's clock says 2026-01-01 00:07 UTC: is it right?")
        self.assertIn("2026-01-01 00:07 UTC: is it right?", str(pair.server.refusal))

    def test_clockIsDoubtedOnlyForWhatHasLongExpired(self) -> None:
        for days, doubts in ((1, False), (29, False), (31, True)):
            expired = TRUSTED.issue("good.test", begins=NOW - 60 * DAY, ends=NOW - days * DAY)
            remedy = remedyIn(self.dial(expired).client.refusal)
            self.assertEqual(remedy.startswith("it has to be renewed"), True)
            self.assertEqual("clock says" in remedy, doubts, remedy)

    def test_unknownIssuerIsToldApartFromAProxy(self) -> None:
        for issued in (STRANGER.issue("good.test"), selfSigned("good.test")):
            pair = self.dial(issued)
            self.assertIn("cafile makes ", remedyIn(pair.client.refusal))
            self.assertIn("a proxy answers in its place", remedyIn(pair.client.refusal))
            issuer = "CN=Stranger CA" if issued.certificate.issuer != issued.certificate.subject else "CN=alone"
            self.assertEqual(remedyIn(pair.server.refusal), f"the client needs '{issuer}' by cafile")

    def test_serverTellsWhoIsLetIn(self) -> None:
        shown = STRANGER.issue(usages=CLIENT)
        pair = meet(self.server(clientsFrom=TRUSTED), self.client(shows=shown))
        self.assertEqual(remedyIn(pair.server.refusal), "clients are let in that a CA of cafile has signed")
        self.assertEqual(remedyIn(pair.client.refusal), "the server needs 'CN=Stranger CA' by cafile")

    def test_issuersNameIsPrintableAndShort(self) -> None:
        """
        Who answers has chosen it.
        """
        name = "a\x1b[31m\n" + "b" * 50
        words = str(self.dial(Authority(name).issue("good.test")).client.refusal)
        self.assertTrue(words.isprintable(), words)
        self.assertLess(len(words), 300)

    def test_nameThatIsMeantCanBeSaid(self) -> None:
        self.assertEqual(
            remedyIn(self.dial(TRUSTED.issue("other.test")).client.refusal),
            "if one of them is the server, say so by serverName",
        )
        self.assertEqual(
            remedyIn(self.dial(TRUSTED.issue(subject="good.test")).client.refusal),
            "a common name does not count, it has to be a subjectAltName",
        )


class AlertRemedyTests(TlsTestCase):
    """
    Be refused by a peer, and say what to do here.
    """

    def test_ourExpiredCertificateIsToldWithItsDate(self) -> None:
        expired = TRUSTED.issue(usages=CLIENT, begins=NOW - 9 * DAY, ends=NOW - DAY)
        pair = meet(self.server(clientsFrom=TRUSTED), self.client(shows=expired))
        self.assertEqual(
            pair.client.refusal,
            "the peer refused our certificate: expired; another one is needed (cert): "
            f"it expired on {NOW - DAY:%Y-%m-%d}",
        )

    def test_clockOfThePeerIsDoubtedWhereOursSaysOtherwise(self) -> None:
        """
        What has ended by the server's clock is good here, or what begins.
        """
        later = NOW + 900 * DAY
        for module in (verification, alerts):
            self.patch(module, "utcNow", lambda: later)
        self.assertIn("expired", str(errorWords(_alert("certificate expired"), None, "server")))
        words = alerts._dates(GOOD.certificate, "server")
        self.assertIn("expired on", words)
        self.patch(alerts, "utcNow", lambda: NOW)
        words = alerts._dates(GOOD.certificate, "server")
        self.assertIn("is the server's clock right", words)
        self.assertIn("it is good from", words)

    def test_everyAlertHasWords(self) -> None:
        """
        Without gaps, at either end, also when nothing is known of our certificate.
        """
        for peer in ("server", "client"):
            for alert in [*ALERTS, "certificate required", "handshake failure", "something new"]:
                words = errorWords(_alert(alert), None, peer)
                assert words is not None
                self.assertNotRegex(words, r"[{}]|  |\bNone\b(?! was)")

    def test_terminatorThatWantsAnotherProtocolIsNamed(self) -> None:
        words = str(errorWords(_alert("no application protocol"), None, "server"))
        self.assertIn("no uotp server", words)
        self.assertIn("(ALPN) than those of alpn", words)


def _alert(text: str) -> SSL.Error:
    return SSL.Error([("SSL routines", "", f"tlsv1 alert {text}")])
