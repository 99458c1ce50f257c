"""
Which format is spoken, for everything that can be said at both ends.
"""

from __future__ import annotations

from itertools import permutations

from twisted.trial.unittest import SynchronousTestCase

from uotp.wire.hello import WireFormat
from uotp.wire.negotiation import WireChoice, formatToDial, offered, parseWire, selected

AUTO, ONE, TWO = WireChoice.AUTO, WireChoice.ONE, WireChoice.TWO

OFFERED = {AUTO: [b"uotp/2", b"uotp/1"], ONE: [], TWO: [b"uotp/2"]}
"""What a client offers."""

SELECTED: dict[tuple[WireChoice, frozenset[bytes]], bytes | None] = {
    (AUTO, frozenset()): None,
    (AUTO, frozenset({b"uotp/1"})): b"uotp/1",
    (AUTO, frozenset({b"uotp/2"})): b"uotp/2",
    (AUTO, frozenset({b"uotp/1", b"uotp/2"})): b"uotp/2",
    (ONE, frozenset()): None,
    (ONE, frozenset({b"uotp/1"})): b"uotp/1",
    (ONE, frozenset({b"uotp/2"})): None,
    (ONE, frozenset({b"uotp/1", b"uotp/2"})): b"uotp/1",
    (TWO, frozenset()): None,
    (TWO, frozenset({b"uotp/1"})): None,
    (TWO, frozenset({b"uotp/2"})): b"uotp/2",
    (TWO, frozenset({b"uotp/1", b"uotp/2"})): b"uotp/2",
}
"""What a server takes of what a client offers, beside names of others."""

SPOKEN = {
    (AUTO, None): 1,
    (AUTO, b""): 1,
    (AUTO, b"uotp/1"): 1,
    (AUTO, b"uotp/2"): 2,
    (AUTO, b"h2"): 1,
    (ONE, None): 1,
    (ONE, b""): 1,
    (ONE, b"uotp/1"): 1,
    (ONE, b"uotp/2"): 1,
    (ONE, b"h2"): 1,
    (TWO, None): 2,
    (TWO, b""): 2,
    (TWO, b"uotp/1"): 2,
    (TWO, b"uotp/2"): 2,
    (TWO, b"h2"): 2,
}
"""What a client speaks after the server has taken a name, or none."""

AGREED = {
    (AUTO, AUTO): 2,
    (AUTO, ONE): 1,
    (AUTO, TWO): 2,
    (ONE, AUTO): 1,
    (ONE, ONE): 1,
    (ONE, TWO): 1,
    (TWO, AUTO): 2,
    (TWO, ONE): 2,
    (TWO, TWO): 2,
}
"""
What a client speaks over TLS, for what was said there and at the server.  Where the two
exclude each other the server refuses it.
"""

FOREIGN_NAMES = [b"http/1.1", b"h2", b"uotp/3", b"uotp/", b"UOTP/2", b""]


class WordTests(SynchronousTestCase):
    """
    Read what the user says.
    """

    def test_threeWordsAreUnderstood(self) -> None:
        self.assertEqual([parseWire(word) for word in ("auto", "1", "2")], [AUTO, ONE, TWO])

    def test_otherWordsAreRefusedWithThoseThereAre(self) -> None:
        for word in ("", "0", "3", "01", " 1", "1 ", "AUTO", "Auto", "one", "uotp/2", "1,2", "\u0661"):
            error = self.assertRaises(ValueError, parseWire, word)
            self.assertEqual(str(error), "one of auto, 1, 2 is needed", word)


class NegotiationTests(SynchronousTestCase):
    """
    See what a client offers, what a server takes of it, and what is spoken then.
    """

    def test_clientOffersWhatItMaySpeak(self) -> None:
        """
        The best first; and nothing at all when only format 1 is allowed, so that its
        handshake is that of any client of format 1.
        """
        for choice in WireChoice:
            self.assertEqual(offered(choice), OFFERED[choice])

    def test_serverTakesTheBestThatItHas(self) -> None:
        """
        In whatever order names are offered, and whatever others are among them.
        """
        self.assertEqual(len(SELECTED), len(WireChoice) * 4)
        for (choice, ours), taken in SELECTED.items():
            for names in permutations(ours):
                self.assertEqual(selected(choice, names), taken)
                self.assertEqual(selected(choice, [*FOREIGN_NAMES, *names]), taken)
                self.assertEqual(selected(choice, [*names, *FOREIGN_NAMES]), taken)

    def test_clientSpeaksWhatWasTaken(self) -> None:
        for (choice, negotiated), number in SPOKEN.items():
            self.assertIs(formatToDial(choice, negotiated), WireFormat(number), (choice, negotiated))

    def test_bothEndsTogether(self) -> None:
        self.assertEqual(len(AGREED), len(WireChoice) ** 2)
        for (client, server), number in AGREED.items():
            spoken = formatToDial(client, selected(server, offered(client)))
            self.assertIs(spoken, WireFormat(number), (client, server))
