"""
How the servers of a client are written.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from uotp.cli.servers import ServerWords, serverWords
from uotp.net import ServerPlace
from uotp.net.places import MAX_PATH_BYTES, parsePath


class ServerWordsTests(SynchronousTestCase):
    """
    Find servers in the arguments.
    """

    def refused(self, *words: str) -> str:
        """
        @return: why words name no servers.
        """
        return str(self.assertRaises(ValueError, serverWords, words, "HOST PORT"))

    def test_oneIsWrittenAsEver(self) -> None:
        for words in (["a.test", "1"], ["a.test:1"]):
            self.assertEqual(serverWords(words, "HOST PORT"), [ServerWords("a.test", "1")])
        self.assertEqual(
            self.refused("a.test:1", "2"),
            "HOST a.test:1: a host and a port are needed, and the port once: write a.test 2",
        )
        self.assertIn("there are 3: a, 1, 2", self.refused("a", "1", "2"))
        self.assertIn("no URL: write a.test 443", self.refused("https://a.test"))

    def test_eachOfSeveralHasItsPort(self) -> None:
        words = ["a.test:1", "[::1]:2", "wss://b.test/x"]
        found = [ServerWords("a.test", "1"), ServerWords("[::1]", "2"), ServerWords("b.test", "443", "/x", True)]
        self.assertEqual(serverWords(words, "HOST PORT"), found)
        places = (ServerPlace("a.test", 1), ServerPlace("::1", 2), ServerPlace("b.test", 443, "/x"))
        self.assertEqual(tuple(each.parsed(isPlain=False) for each in found), places)
        needed = "HOST:PORT or wss://HOST[/PATH] is needed for each server"
        self.assertEqual(self.refused("a.test", "1", "b.test:2"), f"server a.test: {needed}")
        self.assertEqual(self.refused("a.test:1", "b.test/secret", "c.test:1"), f"server b.test/...: {needed}")
        self.assertEqual(
            self.refused("a.test:1", "https://b.test/secret"), f"server https://b.test/...: {needed}: write wss://"
        )

    def test_theUrlOfAWebSocket(self) -> None:
        for word, found in (
            ("wss://a.test/p", ServerWords("a.test", "443", "/p", True)),
            ("WSS://a.test:1/p/q", ServerWords("a.test", "1", "/p/q", True)),
            ("ws://[::1]/p", ServerWords("[::1]", "80", "/p", False)),
            ("wss://a.test", ServerWords("a.test", "443", "/", True)),
        ):
            self.assertEqual(serverWords([word], "HOST PORT"), [found])
        self.assertIn("server wss://a.test/...: a URL has no user and no", self.refused("a:1", "wss://u:p@a.test/p"))

    def test_whatCannotBeUsedIsSaidWithoutThePath(self) -> None:
        for word, isPlain, reason in (
            ("ws://a.test/secret", False, "ws:// has no TLS: write wss://, or say --no-tls too"),
            ("wss://a.test/secret", True, "wss:// has TLS: write ws://, or leave --no-tls out"),
            ("wss://a.test/secret?x", False, "a path has neither ? nor #"),
            (
                "wss://a.test/secret x",
                False,
                "a path begins with / and has letters, digits and signs of ASCII without spaces",
            ),
            ("wss://a.test:0/secret", False, "a port from 1 to 65535 is needed"),
            (f"wss://a.test/{'s' * MAX_PATH_BYTES}", False, f"a path has at most {MAX_PATH_BYTES} letters"),
        ):
            (words,) = serverWords([word], "HOST PORT")
            error = self.assertRaises(ValueError, words.parsed, isPlain=isPlain)
            self.assertIn(reason, str(error))
            self.assertNotIn("secret", f"{error} {words!r}")

    def test_aPlaceDoesNotShowItsPath(self) -> None:
        place = ServerPlace("::1", 443, "/secret")
        self.assertEqual((place.shown(), place.shown(isPlain=True)), ("wss://[::1]:443/...", "ws://[::1]:443/..."))
        self.assertEqual(ServerPlace("a.test", 1).shown(), "a.test:1")
        self.assertNotIn("secret", repr(place))
        self.assertEqual(place.address, ("::1", 443))
        self.assertRaises(ValueError, parsePath, "secret")
