"""
The work of a turn is bounded, whatever a client says within WebSocket that was let in by the secret path.
"""

from __future__ import annotations

from tests.hostile.messages import MESSAGES
from tests.hostile.trial import ATTACKER, LONG, HostileTestCase, Options

PATH = "/a-path-that-few-know"

FEW = 5
"""Kinds of nonsense that the suite tries; all of them otherwise."""

SIZE = 65536 * (8 if LONG else 1)
"""Bytes for each of eight tunnels."""

TIMES = 500 if LONG else 50

MEBIBYTES = 32


class InWebSocketTests(HostileTestCase):
    """
    Somebody whose certificate is good, beside a client that comes without WebSocket.
    """

    def test_nobodyWaits(self) -> None:
        """
        The attacker's frames take no more of a turn than what anybody may send, whatever is in them.
        """
        house = self.build(self.certificates(), server=("--http-path", PATH))
        before = house.memory()
        for kind in list(MESSAGES) if LONG else list(MESSAGES)[:FEW]:
            options: Options = {"door": house.door(), "source": ATTACKER, "path": PATH, "kind": kind, "size": SIZE}
            report, _ = self.attack("messages", what=kind, **options)
            self.demand(report["bytes"] >= SIZE, f"{kind}: {report}")
        self.judgeMemory("messages", before, MEBIBYTES)
        self.assertHouseAsBefore()

    def test_goodbyesWithoutEnd(self) -> None:
        house = self.build(self.certificates(), server=("--http-path", PATH))
        report, _ = self.attack("closes", door=house.door(), source=ATTACKER, path=PATH, times=TIMES)
        self.demand(report["welcome"] == TIMES, f"not all came in: {report}")
        self.assertHouseAsBefore()
