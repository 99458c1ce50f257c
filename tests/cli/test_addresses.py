"""
Hosts, addresses and networks as people write them.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_network

from tests.doubles.words import ParserTestCase
from uotp.cli.addresses import (
    destinationWords,
    hostAndPort,
    parseBindAddress,
    parseHost,
    parseListeningPlace,
    parseNetwork,
)


class HostTests(ParserTestCase):
    """
    Read a host that stands alone.
    """

    def test_values(self) -> None:
        self.assertParsed(
            parseHost,
            *(("vpn.example.com", "vpn.example.com"), ("192.0.2.1", "192.0.2.1"), ("2001:DB8:0::1", "2001:db8::1")),
            *(("[::1]", "::1"), ("[fe80::1%eth0]", "fe80::1%eth0"), ("fe80::1%eth0", "fe80::1%eth0")),
        )

    def test_whatIsNone(self) -> None:
        for reason, words in (
            ("a host name or an IP address is needed", ("", "a b", "a/b", "2001:db8::g", "::1]")),
            ("not the address of one host", ("0.0.0.0", "[::]")),  # noqa: S104 - a word that is refused
            (
                "the host alone is needed here: write a.test",
                ("https://a.test", "a.test:8443", "wss://u:p@a.test:1/x?y"),
            ),
            ("the host alone is needed here: write [::1]", ("[::1]:8443", "udp://[::1]:53")),
            ("brackets are for addresses of IPv6: write a.test", ("[a.test]",)),
            ("brackets are for addresses of IPv6: write 192.0.2.1", ("[192.0.2.1]",)),
            ("one address is needed, and no network: write 192.0.2.1", ("192.0.2.1/24",)),
        ):
            self.assertRefused(parseHost, reason, *words)


class PlaceTests(ParserTestCase):
    """
    Read an address with a port to listen on.
    """

    def test_values(self) -> None:
        self.assertParsed(
            parseListeningPlace,
            *(("9100", ("localhost", 9100)), ("localhost:0", ("localhost", 0)), ("LOCALHOST:1", ("localhost", 1))),
            *(("192.0.2.1:65535", ("192.0.2.1", 65535)), ("[2001:DB8::1]:9100", ("2001:db8::1", 9100))),
            ("0.0.0.0:9100", ("0.0.0.0", 9100)),  # noqa: S104 - a word like any other
        )

    def test_whatIsNone(self) -> None:
        reason = "an address of this machine with a port is needed, as 127.0.0.1:9100 or [::1]:9100, or a port alone"
        words = ("", "a.test:9100", "::1:9100", "[::1]", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "65536")
        self.assertRefused(parseListeningPlace, reason, *words, "127.0.0.1:65536")
        self.assertRefused(parseListeningPlace, f"{reason}: write 0.0.0.0:9100 for all", "*:9100")
        meant = ": write 9100 for this machine alone, or 0.0.0.0:9100 for all"
        self.assertRefused(parseListeningPlace, reason + meant, ":9100")


class ListenTests(ParserTestCase):
    """
    Read an address to listen on.
    """

    def test_values(self) -> None:
        self.assertParsed(
            parseBindAddress,
            ("0.0.0.0", "0.0.0.0"),  # noqa: S104 - a word like any other
            *(("127.0.0.1", "127.0.0.1"), ("::", "::"), ("2001:DB8:0::1", "2001:db8::1"), ("[::]", "::")),
            *(("fe80::1%lo", "fe80::1%lo"), ("[fe80::1%lo]", "fe80::1%lo")),
        )

    def test_whatIsNone(self) -> None:
        reason = "an IPv4 or IPv6 address of this machine is needed, 0.0.0.0 or :: for all"
        self.assertRefused(
            parseBindAddress, reason, "", "*", "all", "1.2.3", "eth0", " ::", "[eth0]", "a:b", "[1.2.3.4]"
        )
        for words, meant in (
            (("localhost", "LOCALHOST"), ": write 127.0.0.1 or ::1"),
            (("1.2.3.4:5",), "; the port stands behind -p: write -p 5 -a 1.2.3.4"),
            (("[::1]:8443",), "; the port stands behind -p: write -p 8443 -a ::1"),
            (("*:8443", ":8443", "8443"), "; the port stands behind -p: write -p 8443"),
            (("192.0.2.1/24",), ", without a network: write 192.0.2.1"),
            (("fe80::1/64",), ", without a network: write fe80::1"),
        ):
            self.assertRefused(parseBindAddress, reason + meant, *words)


class NetworkTests(ParserTestCase):
    """
    Read networks.
    """

    def test_values(self) -> None:
        for word, network in (
            ("192.0.2.0/24", "192.0.2.0/24"),
            ("192.0.2.0/255.255.255.0", "192.0.2.0/24"),
            ("192.0.2.1", "192.0.2.1/32"),
            ("::1", "::1/128"),
            ("[::1]", "::1/128"),
            ("[2001:db8::]/32", "2001:db8::/32"),
            ("fe80::1%eth0", "fe80::1%eth0"),
            ("[fe80::%eth0]/64", "fe80::%eth0/64"),
        ):
            self.assertEqual(parseNetwork(word), ip_network(network))

    def test_whatIsNone(self) -> None:
        reason = "a network is needed, as 192.0.2.0/24 or 2001:db8::/32, or one address"
        for word, meant in (
            ("", ""),
            ("eth0", ""),
            ("[192.0.2.0]/24", ""),
            ("localhost", ": write 127.0.0.0/8, and ::1 in an option of its own"),
            ("any", ": write 0.0.0.0/0, and ::/0 in an option of its own"),
            ("*", ": write 0.0.0.0/0, and ::/0 in an option of its own"),
            ("10.0.0.0/8,192.168.0.0/16", ": each in an option of its own"),
            ("10.*", ": write 10.0.0.0/8"),
            ("10/8", ": write 10.0.0.0/8"),
            ("192.168/16", ": write 192.168.0.0/16"),
            ("0/0", ": write 0.0.0.0/0"),
            ("192.0.*.*", ": write 192.0.0.0/16"),
            ("192.0.2.*", ": write 192.0.2.0/24"),
            ("fe80::/64%eth0", ": write fe80::%eth0/64"),
            ("192.0.2.1:53", ", without a port: write 192.0.2.1"),
            ("[::1]:53", ", without a port: write ::1"),
        ):
            self.assertRefused(parseNetwork, reason + meant, word)


class DestinationTests(ParserTestCase):
    """
    Find host and port in the arguments.
    """

    def refused(self, words: Sequence[str]) -> str:
        """
        @return: why words are no destination.
        """
        return str(self.assertRaises(ValueError, destinationWords, words, "HOST PORT"))

    def test_inTwoWordsOrInOne(self) -> None:
        for words, found in (
            (["a.test", "1"], ("a.test", "1")),
            (["::1", "1"], ("::1", "1")),
            (["[::1]", "1"], ("[::1]", "1")),
            (["a.test:1"], ("a.test", "1")),
            (["192.0.2.1:1"], ("192.0.2.1", "1")),
            (["[::1]:1"], ("[::1]", "1")),
            (["[fe80::1%eth0]:1"], ("[fe80::1%eth0]", "1")),
            (["a.test:"], ("a.test", "")),
            (["a.test:https"], ("a.test", "https")),
            (["12", "34"], ("12", "34")),
        ):
            self.assertEqual(destinationWords(words, "HOST PORT"), found)

    def test_howToWriteItIsSaid(self) -> None:
        count = "two arguments are needed, HOST PORT; there"
        both = "a host and a port are needed"
        for words, told in (
            ([], f"{count} are 0"),
            (["a.test"], f"{count} is 1: a.test: the port is missing"),
            (["2001:db8::1"], f"{count} is 1: 2001:db8::1: the port is missing"),
            (["::1"], f"{count} is 1: ::1: the port is missing"),
            (["2001:db8::1:443"], f"{count} is 1: 2001:db8::1:443: the port is missing, or write 2001:db8::1 443"),
            (["a.test 1"], f"{count} is 1: a.test 1: write a.test 1, without quotation marks around both"),
            (["a.test", "1", "", "x"], f"{count} are 4: a.test, 1, '', x"),
            (["https://a.test"], f"HOST https://a.test: {both}, and no URL: write a.test 443"),
            (["https://a.test/", "1"], f"HOST https://a.test/: {both}, and no URL: write a.test 1"),
            (["udp://[::1]:53"], f"HOST udp://[::1]:53: {both}, and no URL: write ::1 53"),
            (["tcp://a.test"], f"HOST tcp://a.test: {both}, and no URL: write a.test PORT"),
            (["a.test:1", "2"], f"HOST a.test:1: {both}, and the port once: write a.test 2"),
            (["8443", "a.test"], "HOST 8443: the host comes first: write a.test 8443"),
        ):
            self.assertEqual(self.refused(words), told)

    def test_aUrlHasAHostAndPerhapsAPort(self) -> None:
        for word, both in (
            ("HTTPS://a.test", ("a.test", "443")),
            ("http://a.test:81/x:y", ("a.test", "81")),
            ("wss://user:password@[::1]:2?x", ("[::1]", "2")),
            ("udp://a.test", ("a.test", "")),
            ("a.test", None),
            ("a:b:c", None),
            ("::1", None),
        ):
            self.assertEqual(hostAndPort(word), both, word)
