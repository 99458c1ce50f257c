"""
Host names, as DNS and certificates have them.
"""

from __future__ import annotations

from service_identity.hazmat import DNS_ID
from twisted.trial.unittest import SynchronousTestCase

from uotp.net.names import MAX_NAME, MAX_WORD, dnsName, lookupName

LONGEST = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61])
"""As long as the domain name system allows a name and its parts to be."""


class NameTests(SynchronousTestCase):
    """
    Bring names into the form that is looked up.
    """

    def test_namesThatPeopleHave(self) -> None:
        for word, name in (
            ("VPN.Example.COM", "vpn.example.com"),
            ("box", "box"),
            ("wg_server", "wg_server"),
            ("_sip._udp.example", "_sip._udp.example"),
            ("ab--cd.example.test", "ab--cd.example.test"),
            ("r3---sn-4g5e.example", "r3---sn-4g5e.example"),
            ("a-.b", "a-.b"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("b\u00fccher.example", "xn--bcher-kva.example"),
            ("B\u00dcCHER.Example", "xn--bcher-kva.example"),
            ("stra\u00dfe.test", "xn--strae-oqa.test"),
            ("a_b.b\u00fccher", "a_b.xn--bcher-kva"),
            ("ab--cd.b\u00fccher", "ab--cd.xn--bcher-kva"),
            ("a\u3002b", "a.b"),
            ("\u2603.example", "xn--n3h.example"),
            ("\u0646\u0627\u0645\u0647\u200c\u0627\u06cc.com", "xn--mgba3gch31f060k.com"),
            ("a" * 63 + ".test", "a" * 63 + ".test"),
            ("1.2.3.example", "1.2.3.example"),
            (LONGEST, LONGEST),
        ):
            self.assertEqual(dnsName(word), name)
            self.assertEqual(DNS_ID(name).hostname.decode(), name)  # and certificates may have it

    def test_lastDotIsForTheResolverAlone(self) -> None:
        for word, name in (
            ("vpn.example.com.", "vpn.example.com"),
            ("m\u00fcnchen.test.", "xn--mnchen-3ya.test"),
            ("a\u3002b\u3002", "a.b"),
            (LONGEST + ".", LONGEST),
        ):
            self.assertEqual((dnsName(word), lookupName(word)), (name, name + "."))
        self.assertEqual(lookupName("Vpn.example"), "vpn.example")

    def assertRefused(self, reason: str, *words: str) -> None:
        """
        @param reason: what the user is told, among other words.
        @param words: what is refused for it.
        """
        for word in words:
            for asked in (dnsName, lookupName):
                error = self.assertRaises(ValueError, asked, word)
                self.assertIn(reason, str(error), word)
                self.assertEqual(len(str(error).splitlines()), 1)

    def test_partsAndWholeHaveALength(self) -> None:
        self.assertRefused("at most 63 letters, and one here has 64", "a" * 64, "a." + "b" * 64 + ".c")
        self.assertRefused("at most 63 letters", "\u00fc" * 70)
        self.assertRefused(f"at most {MAX_NAME} letters, and this one has {MAX_NAME + 2}", "x." + LONGEST)

    def test_wordThatNobodyHasWrittenIsNotLookedAt(self) -> None:
        self.assertRefused("is needed", "\u00fc" * (MAX_WORD + 1))

    def test_somethingStandsBeforeEachDot(self) -> None:
        self.assertRefused("something stands before each dot", "a..b", ".a", ".", "a..", "\u3002a")

    def test_whatTheSystemWouldReadAsAnAddressIsNoName(self) -> None:
        """
        C{010.0.0.1} is 8.0.0.1 to one program and 10.0.0.1 to another.
        """
        words = ("127.1", "0x7f.1", "010.0.0.1", "2130706433", "0x7f000001", "192.0.2.256", "1.2.3.4.5", "192.0.2.1.")
        self.assertRefused("an IPv4 address has four numbers", *words, "0x", "vpn.123", "\uff11\uff12\uff17.1")

    def test_lettersThatNoNameHas(self) -> None:
        self.assertRefused("is needed", "a b", "a/b", "a@b", "a:b", "*.a.b", "a\u200bb", "-a", "fe80%lo", "[a]")
        self.assertRefused("letters, digits, - and _", "a+b", "a!", "a,b", "a'b")
        self.assertRefused("no host name has this in it", "x\u200cy.test", "a\ufffdb")
