"""
Which format is spoken, for everything that can be said at both ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

from twisted.trial.unittest import SynchronousTestCase

from uotp.wire.hello import WireFormat
from uotp.wire.negotiation import WireChoice, formatToDial, offered, parseNames, parseWire, selected

AUTO, ONE, TWO = WireChoice.AUTO, WireChoice.ONE, WireChoice.TWO

HTTP, OLD_1, OLD_2 = b"http/1.1", b"uotp/1", b"uotp/2"

NAMES = {"usual": None, "none": (), "http/1.1": ("http/1.1",), "own": ("h2", "acme"), "old": ("uotp/2", "uotp/1")}
"""What a user may say of names, by a word of this test for it."""

OFFERED = {
    (AUTO, "usual"): [HTTP],
    (ONE, "usual"): [],
    (TWO, "usual"): [HTTP],
    **{(wire, "none"): [] for wire in WireChoice},
    **{(wire, "http/1.1"): [HTTP] for wire in WireChoice},
    **{(wire, "own"): [b"h2", b"acme"] for wire in WireChoice},
    **{(wire, "old"): [OLD_2, OLD_1] for wire in WireChoice},
}
"""What a client offers, for what is said there of formats and of names."""

CLIENTS = {
    "the original": [],
    "old": [OLD_2, OLD_1],
    "old, wire 1": [],
    "old, wire 2": [OLD_2],
    "new": [HTTP],
    "new, wire 1": [],
    "browser": [b"h2", HTTP],
    "browser of HTTP/2 alone": [b"h2"],
    "own names": [b"acme", b"h2"],
}
"""What is offered by whoever may connect."""

SELECTED: dict[tuple[WireChoice, str], dict[str, bytes | None]] = {
    (AUTO, "usual"): {"old": OLD_2, "old, wire 2": OLD_2, "new": HTTP, "browser": HTTP},
    (ONE, "usual"): {"old": OLD_1},
    (TWO, "usual"): {"old": OLD_2, "old, wire 2": OLD_2, "new": HTTP, "browser": HTTP},
    **{(wire, "none"): {} for wire in WireChoice},
    **{(wire, "http/1.1"): {"new": HTTP, "browser": HTTP} for wire in WireChoice},
    **{
        (wire, "own"): {"browser": b"h2", "browser of HTTP/2 alone": b"h2", "own names": b"acme"} for wire in WireChoice
    },
    **{(wire, "old"): {"old": OLD_2, "old, wire 2": OLD_2} for wire in WireChoice},
}
"""What a server takes of that, for what is said there; of what is not in it, nothing."""

SPOKEN = {
    AUTO: {None: 1, b"": 1, OLD_1: 1, OLD_2: 2, HTTP: 2, b"h2": 2, b"acme": 2},
    ONE: dict.fromkeys((None, b"", OLD_1, OLD_2, HTTP, b"h2"), 1),
    TWO: dict.fromkeys((None, b"", OLD_1, OLD_2, HTTP, b"h2"), 2),
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

OLD_OFFERED = {AUTO: [OLD_2, OLD_1], ONE: [], TWO: [OLD_2]}
"""What a client of an older version offers."""


def oldSelected(choice: WireChoice, names: Sequence[bytes]) -> bytes | None:
    """
    @return: what a server of an older version takes.
    """
    allowed = {AUTO: [OLD_2, OLD_1], ONE: [OLD_1], TWO: [OLD_2]}[choice]
    return next((name for name in allowed if name in names), None)


def oldSpoken(choice: WireChoice, negotiated: bytes | None) -> int:
    """
    @return: what a client of an older version speaks then.
    """
    return 2 if choice is TWO or (choice is AUTO and negotiated == OLD_2) else 1


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


class NameTests(SynchronousTestCase):
    """
    Read what the user says of names.
    """

    def test_namesStandWithCommasBetween(self) -> None:
        for words, names in (
            ("http/1.1", ("http/1.1",)),
            ("h2,http/1.1", ("h2", "http/1.1")),
            ("h2, http/1.1", ("h2", "http/1.1")),
            ("none", ()),
            ("NONE", ()),
            (",".join("abcdefgh"), tuple("abcdefgh")),
            ("x" * 64, ("x" * 64,)),
        ):
            self.assertEqual(parseNames(words), names)

    def test_otherWordsAreRefused(self) -> None:
        for words, reason in (
            ("", "names with commas between are needed, as http/1.1, or none"),
            (",", "names with commas between are needed, as http/1.1, or none"),
            ("http/1.1,", "names with commas between are needed, as http/1.1, or none"),
            ("http 1.1", "names with commas between are needed, as http/1.1, or none"),
            ("h\u00fc", "names with commas between are needed, as http/1.1, or none"),
            ("a\nb", "names with commas between are needed, as http/1.1, or none"),
            ("h2,h2", "a name stands there twice"),
            (",".join("abcdefghi"), "at most 8 names are allowed, with at most 64 letters each"),
            ("x" * 65, "at most 8 names are allowed, with at most 64 letters each"),
        ):
            self.assertEqual(str(self.assertRaises(ValueError, parseNames, words)), reason, words)


class NegotiationTests(SynchronousTestCase):
    """
    See what a client offers, what a server takes of it, and what is spoken then.
    """

    def test_clientOffersWhatClientsOfTheWebDo(self) -> None:
        """
        Nothing at all when only format 1 is allowed, so that its handshake is that of any client of format 1.
        """
        self.assertEqual(len(OFFERED), len(WireChoice) * len(NAMES))
        for (choice, said), names in OFFERED.items():
            self.assertEqual(offered(choice, NAMES[said]), names, (choice, said))

    def test_serverTakesWhatTellsTheFormat(self) -> None:
        """
        Of names that it may take it takes the client's first.  A server of format 1 takes none.
        """
        self.assertEqual(len(SELECTED), len(WireChoice) * len(NAMES))
        for (choice, said), taken in SELECTED.items():
            for client, names in CLIENTS.items():
                self.assertEqual(selected(choice, names, NAMES[said]), taken.get(client), f"{choice}, {said}, {client}")

    def test_namesOfOthersArePassedOver(self) -> None:
        for names in permutations([b"uotp/3", b"uotp/", b"UOTP/2", b"", HTTP]):
            self.assertEqual(selected(AUTO, names), HTTP)
            self.assertIsNone(selected(ONE, names))

    def test_olderClientsAreTakenByTheirNamesFirst(self) -> None:
        for names in permutations([HTTP, OLD_1, OLD_2]):
            self.assertEqual([selected(choice, names) for choice in (AUTO, ONE, TWO)], [OLD_2, OLD_1, OLD_2])

    def test_clientSpeaksWhatWasTaken(self) -> None:
        for choice, spoken in SPOKEN.items():
            for negotiated, number in spoken.items():
                self.assertIs(formatToDial(choice, negotiated), WireFormat(number), (choice, negotiated))

    def test_bothEndsTogether(self) -> None:
        self.assertEqual(len(AGREED), len(WireChoice) ** 2)
        for (client, server), number in AGREED.items():
            spoken = formatToDial(client, selected(server, offered(client)))
            self.assertIs(spoken, WireFormat(number), (client, server))

    def test_olderClientsAreServedAsBefore(self) -> None:
        for (client, server), number in AGREED.items():
            taken = selected(server, OLD_OFFERED[client])
            self.assertEqual(oldSpoken(client, taken), number, (client, server))

    def test_olderServersSpeakFormat1UnlessTheOtherWasSaid(self) -> None:
        """
        They know none of the names that we offer.  With their names on our side it is as before.
        """
        for (client, server), number in AGREED.items():
            taken = oldSelected(server, offered(client))
            self.assertIs(formatToDial(client, taken), WireFormat(2 if client is TWO else 1), (client, server))
            taken = oldSelected(server, [] if client is ONE else offered(client, ("uotp/2", "uotp/1")))
            self.assertIs(formatToDial(client, taken), WireFormat(number), (client, server))

    def test_theOriginalSpeaksFormat1(self) -> None:
        """
        It takes no name, and offers none.
        """
        for choice in (AUTO, ONE):
            self.assertIs(formatToDial(choice, None), WireFormat.ONE)
        for choice in WireChoice:
            self.assertIsNone(selected(choice, CLIENTS["the original"]))
