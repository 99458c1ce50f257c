"""
The CA of a directory: its certificate, and its key.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from tests.doubles.pkis import NOW, PkiTestCase
from uotp.errors import ConfigurationError
from uotp.pki.authority import openAuthority, readAuthority

PASSPHRASE = b"correct horse"


class AuthorityTests(PkiTestCase):
    """
    Open the CA.
    """

    def setUp(self) -> None:
        super().setUp()
        self.asked: list[str] = []
        self.answer = PASSPHRASE

    def passphrase(self, path: str) -> bytes:
        """
        Stand for the user.
        """
        self.asked.append(path)
        return self.answer

    def open(self) -> object:
        """
        @return: the CA.
        """
        return openAuthority(self.files, self.passphrase, NOW)

    def refused(self, call: Callable[[], object]) -> str:
        """
        @return: why it cannot be used.
        """
        return str(self.assertRaises(ConfigurationError, call))

    def writeKey(self, key: PrivateKeyTypes, passphrase: bytes | None = None) -> None:
        """
        Put another key in the place of the CA's.
        """
        encryption = NoEncryption() if passphrase is None else BestAvailableEncryption(passphrase)
        with open(self.files.caKey, "wb") as file:
            file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))

    def test_aKeyWithAPassphraseIsAskedFor(self) -> None:
        """
        Once, and a wrong one is said to be.
        """
        self.writeKey(load_pem_private_key(self.content(self.files.caKey), None), PASSPHRASE)
        self.open()
        self.assertEqual(self.asked, [self.files.caKey])
        self.answer = b"wrong"
        self.assertIn("the passphrase is wrong", self.refused(self.open))

    def test_aKeyWithoutOneIsNotAskedFor(self) -> None:
        self.open()
        self.assertEqual(self.asked, [])

    def test_whatIsNoKeyIsSaid(self) -> None:
        for content, words in ((b"", "has no private key"), (self.content(self.files.caCertificate), "no private key")):
            with open(self.files.caKey, "wb") as file:
                file.write(content)
            self.assertIn(words, self.refused(self.open))
        self.writeKey(ed25519.Ed25519PrivateKey.generate())
        self.assertIn("neither an EC nor an RSA key", self.refused(self.open))
        self.writeKey(rsa.generate_private_key(65537, 2048))
        self.assertIn("is not the key of the CA", self.refused(self.open))

    def test_whereThereIsNoPkiThatIsSaid(self) -> None:
        os.remove(self.files.caCertificate)
        self.assertIn(f"there is no PKI in {self.directory}", self.refused(self.open))

    def test_whatIsNoCaIsSaid(self) -> None:
        for content in (self.content(self.files.clientCertificate), b"mine", self.content(self.files.clientKey)):
            with open(self.files.caCertificate, "wb") as file:
                file.write(content)
            self.assertIn("no certificate of a CA", self.refused(lambda: readAuthority(self.files)))
