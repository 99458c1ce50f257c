"""
Proxies as people write them, and as an environment names them.
"""

from __future__ import annotations

import pickle
from urllib import request

from twisted.trial.unittest import SynchronousTestCase

from uotp.net.proxyplaces import ProxyKind, ProxyLogin, ProxyPlace, parseLogin, parseProxy, proxyInEnvironment

HIDDEN = "s3cr3t"

GOOD = {
    "http://proxy.test:3128": ProxyPlace(ProxyKind.HTTP, "proxy.test", 3128),
    "HTTP://proxy.test": ProxyPlace(ProxyKind.HTTP, "proxy.test", 80),
    "https://proxy.test/": ProxyPlace(ProxyKind.HTTPS, "proxy.test", 443),
    "socks5://192.0.2.1": ProxyPlace(ProxyKind.SOCKS5, "192.0.2.1", 1080),
    "socks5h://[2001:db8:0::1]:9": ProxyPlace(ProxyKind.SOCKS5, "2001:db8::1", 9),
    "http://a:b@p:1": ProxyPlace(ProxyKind.HTTP, "p", 1, ProxyLogin(b"a", b"b")),
    "http://a@p": ProxyPlace(ProxyKind.HTTP, "p", 80, ProxyLogin(b"a", b"")),
    "http://a%40b:%3a%2F%c3%B6:c@p": ProxyPlace(ProxyKind.HTTP, "p", 80, ProxyLogin(b"a@b", b":/\xc3\xb6:c")),
    "socks5://a%3Ab:c@p": ProxyPlace(ProxyKind.SOCKS5, "p", 1080, ProxyLogin(b"a:b", b"c")),
}

BAD = (
    "",
    "proxy.test:3128",
    "socks4://p",
    "ftp://p",
    "http://",
    "http://:80",
    "http://p:0",
    "http://p:65536",
    "http://p:x",
    "http://p/path",
    "http://[p]:80",
    "http://2001:db8::1:80",
    f"http://{HIDDEN}@x@p",
    f"http://u:{HIDDEN}@",
    f"http://u:{HIDDEN}/@p",
    f"http://u:{HIDDEN}@not a host",
    f"http://:{HIDDEN}@p",
    f"http://a%3Ab:{HIDDEN}@p",
    f"http://a%0d:{HIDDEN}@p",
    f"socks5://{HIDDEN}@p",
    f"http://u:{HIDDEN * 50}@p",
    "http://" + "p" * 3000,
)


class ParseTests(SynchronousTestCase):
    """
    Parse what somebody has typed.
    """

    def test_urlsThatNameAProxy(self) -> None:
        for text, place in GOOD.items():
            self.assertEqual(parseProxy(text), place)

    def test_urlsThatDoNot(self) -> None:
        """
        What is said of them does not have the password in it.
        """
        for text in BAD:
            error = self.assertRaises(ValueError, parseProxy, text)
            self.assertNotIn(HIDDEN, str(error))
            self.assertNotIn("not a host", str(error))

    def test_secretsDoNotShow(self) -> None:
        place = parseProxy(f"http://alice:{HIDDEN}@p")
        self.assertNotIn(HIDDEN, repr(place))
        self.assertNotIn("alice", repr(place))
        self.assertEqual(pickle.loads(pickle.dumps(place)), place)  # noqa: S301 - as a worker gets it

    def test_fileHasOneLine(self) -> None:
        for content in (b"a:b:c", b"a:b:c\n", b"\na:b:c\r\n"):
            self.assertEqual(parseLogin(content, ProxyKind.HTTP), ProxyLogin(b"a", b"b:c"))
        for content in (b"", b"ab", b"a:b\nc:d", b":b", b"a:b\0", b"a" * 256 + b":b"):
            error = self.assertRaises(ValueError, parseLogin, content, ProxyKind.HTTP)
            self.assertNotIn("a" * 256, str(error))


class EnvironmentTests(SynchronousTestCase):
    """
    Find the proxy that an environment names.
    """

    def test_variablesAreTakenAsTheStandardLibraryDoes(self) -> None:
        for environment, host in (
            ({}, None),
            ({"HTTPS_PROXY": "http://a"}, "a"),
            ({"HTTPS_PROXY": "http://a", "https_proxy": "http://b"}, "b"),
            ({"HTTPS_PROXY": "http://a", "https_proxy": ""}, None),
            ({"ALL_PROXY": "socks5://c"}, "c"),
            ({"ALL_PROXY": "socks5://c", "https_proxy": "d:8080"}, "d"),
            ({"HTTP_PROXY": "http://e"}, None),
        ):
            self.patch(request.os, "environ", environment)  # type: ignore[attr-defined]
            theirs = request.getproxies_environment()
            found = proxyInEnvironment(environment)
            self.assertEqual(None if found is None else found.host, host)
            self.assertEqual("https" in theirs or "all" in theirs, found is not None)

    def test_serversMayBeExcepted(self) -> None:
        """
        By the same rules as in the standard library.
        """
        for excepted in (
            "",
            "*",
            "good.test",
            ".good.test",
            "test",
            "good.test:443",
            "::1",
            "a, GOOD.test ,b",
            "od.test",
        ):
            place = ProxyPlace(ProxyKind.HTTP, "p", 1, excepted=excepted)
            for host in ("good.test", "vpn.good.test", "Good.Test", "192.0.2.1", "other.example"):
                isExcepted = bool(request.proxy_bypass_environment(f"{host}:443", {"no": excepted}))  # type: ignore[attr-defined]
                self.assertEqual(place.isFor(host, 443), not isExcepted, (excepted, host))

    def test_wrongVariableIsNamedWithoutItsValue(self) -> None:
        error = self.assertRaises(ValueError, proxyInEnvironment, {"HTTPS_PROXY": f"ftp://u:{HIDDEN}@p"})
        self.assertIn("HTTPS_PROXY", str(error))
        self.assertNotIn(HIDDEN, str(error))
