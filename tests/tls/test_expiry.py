"""
Tests for what is told of certificates that end some day.
"""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.tlspairs import TRUSTED
from uotp.tls.contexts import SYSTEM
from uotp.tls.expiry import expiring


class TestExpiring(SynchronousTestCase):
    """
    Each has a name of its own, for a label or a table.
    """

    def test_namesHaveNoQuotes(self) -> None:
        own = TRUSTED.issue("good.test").certificate
        trusted = replace(SYSTEM, file="ca.pem", authorities=(TRUSTED.certificate,))
        told = [(each.kind, each.name, each.file) for each in expiring(("server.pem", own), trusted)]
        self.assertEqual(told, [("own", "CN=leaf", "server.pem"), ("ca", "CN=Trusted CA", "ca.pem")])
