"""
Tests for what is told of certificates that end some day.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.tlspairs import TRUSTED
from uotp.tls.contexts import SYSTEM
from uotp.tls.dates import Ending
from uotp.tls.expiry import endings, expiring
from uotp.tls.renewal import ENDING_WORDS, endingWords


class TestExpiring(SynchronousTestCase):
    """
    Each has a name of its own, for a label or a table.
    """

    def test_namesHaveNoQuotes(self) -> None:
        own = TRUSTED.issue("good.test").certificate
        trusted = replace(SYSTEM, file="ca.pem", authorities=(TRUSTED.certificate,))
        told = [(each.kind, each.name, each.file) for each in expiring(("server.pem", own), trusted)]
        self.assertEqual(told, [("own", "CN=leaf", "server.pem"), ("ca", "CN=Trusted CA", "ca.pem")])

    def test_eachValueOfAnEndingStandsAlone(self) -> None:
        """
        So that who reads the log can select by it.
        """
        own = TRUSTED.issue("good.test").certificate
        trusted = replace(SYSTEM, file="ca.pem", authorities=(TRUSTED.certificate,))
        late = max(each.not_valid_after_utc for each in (own, TRUSTED.certificate)) + timedelta(days=1)
        found = list(endings(("server.pem", own), trusted, late))
        self.assertEqual(
            [(each.kind, each.authority, each.file) for each in found],
            [("ca", "CN=Trusted CA", "ca.pem"), ("own", "", "server.pem")],
        )
        for each in found:
            self.assertTrue(each.reason.startswith("expired on "), each.reason)
        told = Ending("crl", "CN=Trusted CA", "ca.pem", "ends")
        self.assertEqual(endingWords(told), "the revocation list of 'CN=Trusted CA' in ca.pem ends")
        self.assertEqual(set(ENDING_WORDS), {"own", "ca", "crl"})
