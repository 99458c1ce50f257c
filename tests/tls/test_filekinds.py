"""
Files as people have them: each is read, or refused in words that say what to do.
"""

from __future__ import annotations

import warnings

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    pkcs7,
    pkcs12,
)

from tests.doubles.certificates import CLIENT, Authority, pem
from tests.doubles.tlspairs import GOOD, STRANGER, TRUSTED, TlsTestCase, meet
from uotp.errors import ConfigurationError
from uotp.tls.credentials import ClientCredentials, ClientTls, ServerCredentials, ServerTls

CA = pem(TRUSTED.certificate)
STRANGER_PEM = pem(STRANGER.certificate)
KEY = GOOD.keyPem()
CHAIN = GOOD.certificatePem()
SEC1 = GOOD.key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
PARAMETERS = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
REQUEST = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(GOOD.key, hashes.SHA256())

# Made by openssl, since the library refuses to.
NEGATIVE = b"""-----BEGIN CERTIFICATE-----
MIIBaTCCARCgAwIBAgIB+TAKBggqhkjOPQQDAjATMREwDwYDVQQDDAhuZWdhdGl2
ZTAgFw0yNjExMjYxMzQ4MzRaGA8yMTI2MTEwMjEzNDgzNFowEzERMA8GA1UEAwwI
bmVnYXRpdmUwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATqRJmYt1nwY82w0aIM
IbtjW8QdON+XeHTFHanRxH+pVGE65Ruyvh/WSbfvQTFXPNDamIxRmiHCCDIJmWiO
9ZxEo1MwUTAdBgNVHQ4EFgQUsS7vYpCUz9047e/xyeEfWVw0m+gwHwYDVR0jBBgw
FoAUsS7vYpCUz9047e/xyeEfWVw0m+gwDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjO
PQQDAgNHADBEAiA6qJtxcFlG9m63lM1BGjqUJVG8TxhUQfJD6UOEvej4UgIgVlO+
/R9kHKEucawfHJVfaB4gL4adNpUJ9MTUYlahwew=
-----END CERTIFICATE-----
"""


def folded(text: bytes) -> bytes:
    """
    @return: the text with the ends of lines that Windows has.
    """
    return text.replace(b"\n", b"\r\n")


def labelled(text: bytes, label: bytes) -> bytes:
    """
    @return: the text with another label than CERTIFICATE.
    """
    return text.replace(b"CERTIFICATE", label)


class ReadableTests(TlsTestCase):
    """
    Read what means the same and looks otherwise.
    """

    def test_certificatesOfCas(self) -> None:
        for content in (
            labelled(CA, b"X509 CERTIFICATE"),
            STRANGER_PEM + labelled(CA, b"X509 CERTIFICATE"),
            folded(CA),
            b"\xef\xbb\xbf" + CA,
            CA.rstrip(),
            STRANGER_PEM.rstrip() + CA,
            b"# Autorit\xe9 \xff\n" + STRANGER_PEM + b"\n=== \xe9 ===\n" + CA,
            CA + CA,
            KEY + CA,
        ):
            creator = ClientCredentials(ClientTls(cafile=self.path(content))).creatorFor("good.test")
            self.assertWelcome(meet(self.server(), creator))

    def test_keysAndChains(self) -> None:
        for certificate, key in (
            (CHAIN, SEC1),
            (CHAIN, PARAMETERS + SEC1),
            (CHAIN, folded(KEY)),
            (CHAIN, b"\xef\xbb\xbf" + KEY),
            (CHAIN, b"Bag Attributes\n    localKeyID: 01\nKey Attributes: <No Attributes>\n" + KEY),
            (folded(CHAIN), KEY),
            (b"\xef\xbb\xbf" + CHAIN, KEY),
            (labelled(CHAIN, b"X509 CERTIFICATE"), KEY),
            (CHAIN.rstrip() + CA, KEY),
            (CA + CHAIN, KEY),
            (PARAMETERS + SEC1 + CHAIN, None),
            (CHAIN + PARAMETERS + SEC1, None),
        ):
            choices = ServerTls(self.path(certificate), None if key is None else self.path(key))
            self.assertWelcome(meet(ServerCredentials(choices), self.client()))

    def test_oddSerialNumberBesideIsPassedOver(self) -> None:
        """
        Old CAs have negative ones.  The library that reads them warns, and that is not for a log.
        """
        odd = NEGATIVE
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            creator = ClientCredentials(ClientTls(cafile=self.path(odd + CA))).creatorFor("good.test")
        self.assertWelcome(meet(self.server(), creator))
        self.assertEqual([str(each.message) for each in said], [])


class UnreadableTests(TlsTestCase):
    """
    Refuse what is something else, and say how it becomes what is needed.
    """

    def said(self, what: str, path: str, choices: ServerTls) -> str:
        """
        @return: why the file cannot be used, without its name.
        """
        words = str(self.assertRaises(ConfigurationError, ServerCredentials, choices))
        self.assertTrue(words.startswith(f"the {what} {path} "), words)
        return words.removeprefix(f"the {what} {path} ").replace(path, "FILE")

    def test_certificatesOfOtherKinds(self) -> None:
        """
        In place of a certificate or of CAs.
        """
        good, key = GOOD.certificate, GOOD.key
        archive = pkcs12.serialize_key_and_certificates(b"us", key, good, None, BestAvailableEncryption(b"x"))
        for content, words in (
            (good.public_bytes(Encoding.DER), "is in DER format: openssl x509 -in FILE -inform DER -out new.pem"),
            (archive, "is in PKCS#12 format (.p12, .pfx): openssl pkcs12 -in FILE -nodes -out new.pem"),
            (
                pkcs7.serialize_certificates([good], Encoding.PEM),
                "is in PKCS#7 format: openssl pkcs7 -print_certs -in FILE -out new.pem",
            ),
            (
                labelled(CA, b"TRUSTED CERTIFICATE"),
                (
                    "has a TRUSTED CERTIFICATE, with notes of OpenSSL's own that are not understood here: "
                    "openssl x509 -in FILE -out new.pem"
                ),
            ),
            (
                CA + labelled(CA, b"TRUSTED CERTIFICATE"),
                (
                    "has a TRUSTED CERTIFICATE, with notes of OpenSSL's own that are not understood here: "
                    "openssl x509 -in FILE -out new.pem"
                ),
            ),
            (
                REQUEST.public_bytes(Encoding.PEM),
                "has a request for a certificate: the certificate is what the CA makes of it",
            ),
            (
                key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
                "has a public key: the private key or the certificate is needed",
            ),
            (CA.decode().encode("utf-16"), "is text in UTF-16: save it as plain text"),
            (b"\xfe\xed\xfe\xed\0\0\0\2", "is a Java keystore: keytool and openssl pkcs12 make PEM files of it"),
            (TRUSTED.revocationList(), "has revocation lists and no certificate"),
            (b"\x30\x03\x02\x01\x05", "has no certificate in PEM format"),
            (b" \n", "is empty"),
        ):
            path, keyPath, cert = self.path(content), self.path(KEY), self.path(CHAIN + KEY)
            self.assertEqual(self.said("certificate file", path, ServerTls(path, keyPath)), words)
            self.assertEqual(self.said("CA file", path, ServerTls(cert, cafile=path)), words)

    def test_keysOfOtherKinds(self) -> None:
        key, hidden = GOOD.key, BestAvailableEncryption(b"x")
        der = "is in DER format: openssl pkey -in FILE -inform DER -out new.pem"
        for content, words in (
            (key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()), der),
            (key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, hidden), der),
            (key.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption()), der),
            (
                key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()),
                "has a key of SSH, which TLS does not use",
            ),
            (CHAIN, "has certificates and no private key: key names the key's file"),
            (b"nothing", "has no private key in PEM format"),
        ):
            path = self.path(content)
            self.assertEqual(self.said("key file", path, ServerTls(self.path(CHAIN), path)), words)


class TrustTests(TlsTestCase):
    """
    Trust a CA that has an issuer itself, without that one.
    """

    def test_intermediateAloneIsEnough(self) -> None:
        below = Authority("Below", issuer=STRANGER)
        server = self.server(below.issue("good.test"), clientsFrom=below)
        self.assertWelcome(meet(server, self.client(trusts=below, shows=below.issue(usages=CLIENT))))
        beside = Authority("Beside", issuer=STRANGER)
        refused = meet(server, self.client(trusts=below, shows=beside.issue(usages=CLIENT)))
        self.assertEqual(refused.server.heard, b"")
        self.assertEqual(meet(self.server(beside.issue("good.test")), self.client(trusts=below)).client.heard, b"")
