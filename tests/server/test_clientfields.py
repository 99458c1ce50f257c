"""
Tests for what a line of the log says of a client.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from uotp.server.clientfields import clientFields


class TestClientFields(SynchronousTestCase):
    """
    Each value stands in the field that is named after it.
    """

    def test_aClientWithoutACertificate(self) -> None:
        self.assertEqual(clientFields(None), {"clientWords": ""})

    def test_aCertificateThatIsNamedByItself(self) -> None:
        told = {"clientWords": " (laptop, sha256 1a2b3c4d)", "client": "laptop", "fingerprint": "1a2b3c4d"}
        self.assertEqual(clientFields("laptop, sha256 1a2b3c4d"), told)

    def test_aNameOfTheListOfClientsIsNoFingerprint(self) -> None:
        told = {"clientWords": " (anna-laptop)", "client": "anna-laptop", "fingerprint": ""}
        self.assertEqual(clientFields("anna-laptop"), told)
