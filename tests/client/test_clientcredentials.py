"""
Which credentials a client has.
"""

from __future__ import annotations

from tests.doubles.tlspairs import TlsTestCase
from uotp.client.credentials import clientCredentials
from uotp.client.settings import ClientSettings
from uotp.errors import ConfigurationError
from uotp.net import ServerPlace, parseProxy
from uotp.tls.credentials import ClientTls

SERVERS = (ServerPlace("a.test", 443), ServerPlace("b.test", 443))


class ClientCredentialsTests(TlsTestCase):
    """
    Make them of settings.
    """

    def test_inPlainTcpThereAreSomeWhereThereIsAProxy(self) -> None:
        """
        The URL of the proxy stays what it is, and what is in files is put in.
        """
        self.assertIsNone(clientCredentials(None, ClientSettings(servers=SERVERS)))
        for url in ("http://p", "https://p", "socks5://p"):
            settings = ClientSettings(servers=SERVERS, proxy=parseProxy(url), proxyAuthFile=self.path(b"alice:word"))
            found = clientCredentials(None, settings)
            assert found is not None
            self.assertEqual((found.isPlain, found.token(), found.ownPin), (True, None, None))
            login = found.proxy().login
            assert login is not None
            self.assertEqual((login.user, found.proxy().address), (b"alice", parseProxy(url).address))

    def test_filesThatCannotBeUsedAreRefused(self) -> None:
        settings = ClientSettings(servers=SERVERS, proxy=parseProxy("https://p"), proxyCafile=self.path(b""))
        for tls in (None, ClientTls()):
            self.assertRaises(ConfigurationError, clientCredentials, tls, settings)

    def test_eachServerIsOneThatACertificateCouldName(self) -> None:
        """
        That is found out before anything begins.
        """
        asked: list[str] = []
        found = clientCredentials(ClientTls(), ClientSettings(servers=SERVERS))
        self.patch(type(found), "creatorFor", lambda _, host: asked.append(host))
        clientCredentials(ClientTls(), ClientSettings(servers=SERVERS))
        self.assertEqual(asked, ["a.test", "b.test"])
