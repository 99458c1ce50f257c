"""
The results of the demonstration in figures, the table of them, and what they do not tell.  Values come in, text goes
out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Results:
    """
    Holds the results of one phase.

    @ivar sent: how many datagrams went out.
    @ivar returned: how many of them came back unchanged.
    @ivar lost: how many of them did not come back, not even damaged.
    @ivar damaged: answers that are no datagram of this phase, byte for byte.
    @ivar repeated: answers that had come before.
    @ivar late: answers that came after one that was sent after them.
    @ivar times: the round trips in seconds, sorted.
    @ivar seconds: from the first datagram out to the last one back.
    @ivar octets: bytes in the datagrams that came back.
    """

    sent: int
    returned: int
    lost: int
    damaged: int
    repeated: int
    late: int
    times: Sequence[float]
    seconds: float
    octets: int

    @property
    def intact(self) -> bool:
        """
        Whether all that was sent came back once and unchanged.
        """
        return self.returned == self.sent and not (self.damaged or self.repeated)

    def percentile(self, percent: float) -> float | None:
        """
        @param percent: above 0, up to 100.
        @return: the round trip that so many percent did not exceed, in seconds.
        """
        if not self.times:
            return None
        rank = -(-len(self.times) * percent // 100)
        return self.times[int(rank) - 1]


NO_BENCHMARK = (
    "These figures are no benchmark: both ends and the target share one process, and loopback is no network.\n"
    "To measure, run iperf3 through a VPN over uotp-client and uotp-server, or `python -m bench` in a checkout."
)
"""What the rates and the round trips in the table are not."""


def table(tallies: Mapping[str, Results]) -> str:
    """
    @param tallies: the results of each phase, by its name.
    @return: a table with a column for each phase, without a final line break.
    """
    head = ["", *tallies]
    lines = [head, *([name, *map(cell, tallies.values())] for name, cell in _ROWS)]
    return "\n".join(f"{line[0]:<18}" + "".join(f"{word:>14}" for word in line[1:]) for line in lines)


def verdict(tallies: Mapping[str, Results]) -> str:
    """
    @return: the result of all phases together, in one line.
    """
    parts = list(tallies.values())
    sent = sum(one.sent for one in parts)
    if all(one.intact for one in parts):
        return f"OK: all {sent} datagrams came back intact"
    lost, damaged, repeated = (sum(getattr(one, what) for one in parts) for what in ("lost", "damaged", "repeated"))
    return f"FAILED: of {sent} datagrams {lost} were lost; {damaged} answers were damaged and {repeated} came twice"


def _milliseconds(percent: float) -> Callable[[Results], str]:
    def cell(tally: Results) -> str:
        seconds = tally.percentile(percent)
        return "-" if seconds is None else f"{seconds * 1000:.2f} ms"

    return cell


def _rate(amount: float, seconds: float) -> float:
    return amount / seconds if seconds > 0 else 0.0


_ROWS: Sequence[tuple[str, Callable[[Results], str]]] = (
    ("sent", lambda tally: f"{tally.sent}"),
    ("returned", lambda tally: f"{tally.returned}"),
    ("lost", lambda tally: f"{tally.lost}"),
    ("damaged", lambda tally: f"{tally.damaged}"),
    ("repeated", lambda tally: f"{tally.repeated}"),
    ("out of order", lambda tally: f"{tally.late}"),
    ("round trip, 50 %", _milliseconds(50)),
    ("round trip, 90 %", _milliseconds(90)),
    ("round trip, 99 %", _milliseconds(99)),
    ("round trip, max", _milliseconds(100)),
    ("datagrams/s", lambda tally: f"{_rate(tally.returned, tally.seconds):.0f}"),
    ("Mbit/s each way", lambda tally: f"{_rate(tally.octets * 8e-6, tally.seconds):.1f}"),
)
