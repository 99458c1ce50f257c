"""
One file with all that a client needs.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import sys
from typing import Any

from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests.doubles.pkis import PkiTestCase
from uotp.errors import ConfigurationError
from uotp.net import ServerPlace
from uotp.pki.bundle import writeBundle
from uotp.pki.issued import hostsOfServer, nameMismatch
from uotp.pki.issuer import Wish

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


VPN = (ServerPlace("vpn.test", 8443),)


class BundleTests(PkiTestCase):
    """
    Make such files, and read them.
    """

    def parsed(self, name: str) -> dict[str, Any]:
        """
        @return: what the file says.
        """
        return tomllib.loads(self.content(self.files.bundleOf(name)).decode("ascii"))

    def refused(self, name: str) -> str:
        """
        @return: why no file is made.
        """
        return str(self.assertRaises(ConfigurationError, writeBundle, self.files, name, VPN))

    def test_itHasTheOptionsOfTheClient(self) -> None:
        """
        The server, the CA, the certificate and its key, and no more.
        """
        writeBundle(self.files, "client", (ServerPlace("2001:db8::7", 443),))
        key = self.content(self.files.clientKey).decode("ascii")
        expected = {
            "server": "[2001:db8::7]:443",
            "cafile": self.content(self.files.caCertificate).decode("ascii"),
            "cert": self.content(self.files.clientCertificate).decode("ascii"),
            "key": key,
        }
        self.assertEqual(self.parsed("client"), expected)
        load_pem_private_key(key.encode("ascii"), None)

    def test_itsFirstLineSaysWhatItIsAndHowToRunIt(self) -> None:
        data = writeBundle(self.files, "client", VPN)
        first = data.decode("ascii").splitlines()[0]
        self.assertRegex(first, r"\A# .*\bclient\b.*secret.*uotp-client client\.uotp\Z")

    def test_onlyItsOwnerMayReadIt(self) -> None:
        self.addCleanup(os.umask, os.umask(0))
        writeBundle(self.files, "client", VPN)
        if os.name != "nt":
            self.assertEqual(stat.S_IMODE(os.stat(self.files.bundleOf("client")).st_mode), 0o600)

    def test_oneThatIsThereIsReplacedOnDemandOnly(self) -> None:
        writeBundle(self.files, "client", VPN)
        self.assertIn("client.uotp is there already", self.refused("client"))
        writeBundle(self.files, "client", (ServerPlace("a.test", 8443),), isForced=True)
        self.assertEqual(self.parsed("client")["server"], "a.test:8443")

    def test_itIsSmallEnoughForAQrCode(self) -> None:
        """
        The largest code holds 2953 bytes.
        """
        granted = self.issuer().addClient("a" * 64, Wish(servers=(ServerPlace(f"{'b' * 63}.{'c' * 63}.test", 65535),)))
        assert granted.bundle is not None
        self.assertLess(len(granted.bundle), 2200)

    def test_whatIsMissingIsSaid(self) -> None:
        self.assertIn("has no certificate of bob", self.refused("bob"))
        self.assertIn("has no certificate of ../x", self.refused("../x"))
        shutil.copy(self.files.serverKey, self.files.clientKey)
        self.assertIn("belongs to the certificate", self.refused("client"))
        os.remove(self.files.clientKey)
        self.assertIn("client.key is missing", self.refused("client"))

    def test_aRevokedClientGetsNone(self) -> None:
        self.revoker().revoke("client")
        self.assertIn("the certificate of client is revoked", self.refused("client"))

    def test_theKeyOfTheCaIsNotNeeded(self) -> None:
        os.remove(self.files.caKey)
        writeBundle(self.files, "client", VPN)
        self.assertEqual(len(re.findall(b"PRIVATE KEY", self.content(self.files.bundleOf("client")))), 2)


class ServerNameTests(PkiTestCase):
    """
    Ask whether clients would accept a name.
    """

    def test_aNameOfTheCertificateIsGood(self) -> None:
        self.assertIsNone(nameMismatch(self.files, "vpn.test"))
        self.issuer().renew("server", Wish(hosts=("*.example.com", "2001:db8::7")))
        for host, isGood in (("a.example.com", True), ("2001:db8:0::7", True), ("vpn.test", False)):
            self.assertEqual(nameMismatch(self.files, host) is None, isGood, host)
        self.assertEqual(hostsOfServer(self.files), ("*.example.com", "2001:db8::7"))

    def test_withoutTheServersCertificateNobodyKnows(self) -> None:
        os.remove(self.files.serverCertificate)
        self.assertIsNone(nameMismatch(self.files, "a.test"))
        self.assertEqual(hostsOfServer(self.files), ())
