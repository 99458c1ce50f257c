"""
What C{docs/wire.rst} shows and says is what the tests, and with them the code, hold.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.transport.websocket import vectors as websocket
from tests.wire import vectors
from tests.wire.vectors import Malformed, Vector
from uotp.boundaries import AGAIN_SECONDS
from uotp.server.limits import MAX_BEGUN, MAX_SILENT
from uotp.server.registry import MAX_SESSIONS, MAX_TUNNELS_PER_SESSION
from uotp.server.settings import MAX_CONNECTIONS
from uotp.server.strangers import HELLO_SECONDS
from uotp.services import clientService, serverService
from uotp.session.inbound import LIGHT_AFTER_SECONDS, OVERTAKE_SECONDS
from uotp.session.recovery.grant import GRANTED_BYTES_PER_SECOND, GRANTED_SHARE, SAVED_SECONDS
from uotp.session.recovery.losses import LOSSY_SECONDS
from uotp.session.recovery.repairs import MAX_REPAIR_BYTES
from uotp.session.reordering.hold import FIRST_HOLD_SECONDS, LEAST_HOLD_SECONDS, LONGEST_HOLD_SECONDS
from uotp.session.reordering.missing import GAPS_AT_ONCE, MOST_TELLS
from uotp.session.reordering.resequencer import FIRST_NUMBERS, MAX_HELD_BYTES, MAX_HELD_RUNS
from uotp.tunnel.heartbeat import (
    ACCEPTED_GIVE_UP_SECONDS,
    ACCEPTED_IDLE_SECONDS,
    BUSY_SECONDS,
    FIRST_PATIENCE_SECONDS,
    GIVE_UP_SECONDS,
    IDLE_SECONDS,
    LEAST_PATIENCE_SECONDS,
    MOST_PATIENCE_SECONDS,
    PATIENCE_ROUND_TRIPS,
)
from uotp.tunnel.tunnel import DRAIN_SECONDS
from uotp.tunnel.unacked import MAX_KEPT_BYTES
from uotp.wire.format2 import MAX_MISSING, PING_BYTES
from uotp.wire.hello import MAX_EXTENSIONS_BYTES, PADDED_HELLO_BYTES
from uotp.wire.padding import MOST_PADDING_BYTES, PADDED_WRITES

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "wire.rst"
"""Found in a checkout only; it is no part of what is installed."""

EXAMPLES: list[Vector] = [
    *(vector for vector, _ in vectors.CLIENT_HELLOS),
    *(vector for vector, _ in vectors.CLIENT_HELLOS_UNDERSTOOD),
    *(vector for vector, _ in vectors.SERVER_HELLOS),
    *(vector for vector, _ in vectors.SERVER_HELLOS_UNDERSTOOD),
    *(vector for vector, _ in vectors.FORMAT_1_FRAMES),
    *(vector for vector, _, _ in vectors.FRAMES),
    *(vector for vector, _, _ in vectors.FRAMES_UNDERSTOOD),
    *(vector for vector, _ in vectors.FRAMES_AGAIN),
    *websocket.SHOWN,
]

MALFORMED: dict[str, list[Malformed]] = {
    "malformed-client-hellos": vectors.MALFORMED_CLIENT_HELLOS,
    "malformed-server-hellos": vectors.MALFORMED_SERVER_HELLOS,
    "malformed-frames": vectors.MALFORMED_FRAMES,
}

LIMITS = {
    "extensions of a hello": f"{MAX_EXTENSIONS_BYTES} bytes",
    "payload of a frame, or a datagram of format 1": f"{0xFFFF} bytes",
    "payload of a ping": f"{PING_BYTES} bytes",
    "ranges that one frame says are missing": f"{MAX_MISSING}",
    "from the accepted connection to the hello": f"{HELLO_SECONDS:g} s",
    "connections on which nothing has come": f"{MAX_SILENT}, a quarter at most",
    "connections that have not said hello": f"{MAX_BEGUN}, an eighth at most",
    "connections of a server (``--max-connections``)": f"{MAX_CONNECTIONS}",
    "sessions of a server": f"{MAX_SESSIONS}",
    "tunnels of a session": f"{MAX_TUNNELS_PER_SESSION}",
    "a step of a client's attempt (``--timeout``)": (
        f"{inspect.signature(clientService).parameters['timeout'].default:g} s"
    ),
    "a session without tunnels (``--linger``)": f"{inspect.signature(serverService).parameters['linger'].default:g} s",
    "a train waits, before anything was seen": f"{FIRST_HOLD_SECONDS:g} s",
    "a train waits, at least": f"{LEAST_HOLD_SECONDS:g} s",
    "a train waits, at most": f"{LONGEST_HOLD_SECONDS:g} s",
    "one of a light flow waits": f"{OVERTAKE_SECONDS:g} s",
    "a flow is light so long after it was heavy": f"{LIGHT_AFTER_SECONDS:g} s",
    "trains that wait, in a session": f"{MAX_HELD_BYTES} bytes",
    "runs of trains that wait, in a session": f"{MAX_HELD_RUNS}",
    "a first number below this belongs to a new session": f"{FIRST_NUMBERS}",
    "what may be sent again was sent within": f"{AGAIN_SECONDS:g} s",
    "what may be sent again of a tunnel": f"{MAX_KEPT_BYTES} bytes",
    "gaps that ``uotp`` says are missing in one frame": f"{GAPS_AT_ONCE}",
    "times that it says so of one gap": f"{MOST_TELLS}",
    "what is sent again for one such frame": f"{MAX_REPAIR_BYTES} bytes",
    "what is sent twice, and what again, of a flow, each": (
        f"{GRANTED_SHARE:.0%}, or {GRANTED_BYTES_PER_SECOND} bytes a second".replace("%", " %")
    ),
    "what of that may be saved up": f"{SAVED_SECONDS:g} s",
    "a path loses for so long after a loss": f"{LOSSY_SECONDS:g} s",
    "a ping while trains are sent, after": f"{BUSY_SECONDS:g} s",
    "a ping when nothing comes, by who has dialled, after": f"{IDLE_SECONDS:g} s",
    "a ping when nothing comes, by who accepted, after": f"{ACCEPTED_IDLE_SECONDS:g} s",
    "an answer is overdue, in round trips": f"{PATIENCE_ROUND_TRIPS:g}",
    "an answer is overdue, at least": f"{LEAST_PATIENCE_SECONDS:g} s",
    "an answer is overdue, at most": f"{MOST_PATIENCE_SECONDS:g} s",
    "an answer is overdue, before one has come": f"{FIRST_PATIENCE_SECONDS:g} s",
    "a tunnel is given up, after that, by who has dialled": f"{GIVE_UP_SECONDS:g} s",
    "a tunnel is given up, after that, by who accepted": f"{ACCEPTED_GIVE_UP_SECONDS:g} s",
    "a drained tunnel is closed, after": f"{DRAIN_SECONDS:g} s",
    "a hello with ``--pad``": f"{PADDED_HELLO_BYTES} bytes",
    "writes of a tunnel that ``--pad`` fills up": f"{PADDED_WRITES}",
    "by so much each, at most": f"{MOST_PADDING_BYTES} bytes",
}
"""What the table at the end has, as the code has it."""


def octetsOf(line: str) -> str:
    """
    @return: the bytes of an example's line, in hexadecimal without spaces: what stands before two spaces and words.
    """
    return line.partition("  ")[0].replace(" ", "")


class DocumentTests(SynchronousTestCase):
    """
    Read the document, where it is.
    """

    def setUp(self) -> None:
        if not DOCUMENT.exists():
            reason = "docs/wire.rst is not here: run the tests in a checkout"
            raise SkipTest(reason)
        self.text = DOCUMENT.read_text("utf-8")
        blocks = re.findall(r"^\.\. ([a-z0-9-]+)\n\n\.\. code-block:: text\n\n((?:    .*\n)+)", self.text, re.MULTILINE)
        self.blocks = {name: [octetsOf(line) for line in block[4:].split("\n    ")] for name, block in blocks}
        self.assertEqual(len(self.blocks), self.text.count("code-block::"))

    def test_everyExampleIsAVectorAndEveryVectorAnExample(self) -> None:
        """
        With the same bytes: whoever writes a program by the document gets what this one is held to.
        """
        expected = {vector.name: vector.octets.hex() for vector in EXAMPLES}
        self.assertEqual(len(expected), len(EXAMPLES))
        shown = {name: "".join(lines).strip() for name, lines in self.blocks.items() if name not in MALFORMED}
        self.assertEqual(shown, expected)

    def test_everyMalformedStreamIsShown(self) -> None:
        for name, malformed in MALFORMED.items():
            self.assertEqual(self.blocks[name], [one.octets.hex() for one in malformed], name)

    def test_limitsAndTimesAreThoseOfTheCode(self) -> None:
        table = self.text.partition("\n.. limits\n")[2]
        _, _, rows, _ = re.split(r"^=[= ]+$", table, maxsplit=3, flags=re.MULTILINE)
        self.assertEqual(dict(re.findall(r"^(\S.*?)  +(\S.*)$", rows, re.MULTILINE)), LIMITS)
