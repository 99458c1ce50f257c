"""
What C{ss} tells of sockets, above all of a client's connections to its server from
moment to moment, and what that comes to.  Pure: it opens nothing and reads no clock.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

ACKNOWLEDGED = re.compile(r"\bbytes_acked:(\d+)")
RECEIVE_BUFFER = re.compile(r"\bskmem:\(r\d+,rb(\d+)")

SILENT_SECONDS = 0.5
"""A connection to which something was written so recently is still in use."""


@dataclass(slots=True)
class Settling:
    """
    A number of connections, looked at until no more of them come.

    @ivar most: that there may be; none is waited for after these.
    @ivar quiet: for how long the number has to stay, in seconds.
    @ivar count: what was seen last.
    """

    most: int
    quiet: float
    count: int = 0
    _since: float = 0.0

    def settled(self, moment: float, count: int) -> bool:
        """
        @param moment: of this look, in seconds.
        @param count: how many there are.
        @return: whether there are all: one at least, and as many as there may be or as
            many as for a while.
        """
        if count != self.count:
            self.count, self._since = count, moment
        return count > 0 and (count >= self.most or moment - self._since >= self.quiet)


@dataclass(frozen=True, slots=True)
class Look:
    """
    What there was at a moment.

    @ivar moment: in seconds, on the monotonic clock.
    @ivar written: by the client's port, how many bytes the client has given to the
        kernel for that connection: those that were acknowledged and those that wait.
        Only these show what a program still does with a dead connection, on which
        what the kernel has sent soon stops to grow in any case.
    """

    moment: float
    written: Mapping[int, int]


def writtenBytes(text: str) -> dict[int, int]:
    """
    @param text: of C{ss -tinHO state established}: a line for each connection.
    @return: what was written, by local port.
    """
    written = {}
    for line in text.splitlines():
        _, queued, local, _, *details = line.split(None, 4)
        acknowledged = ACKNOWLEDGED.search("".join(details))
        written[int(local.rpartition(":")[2])] = int(queued) + (int(acknowledged[1]) if acknowledged else 0)
    return written


def receiveBuffers(text: str) -> list[int]:
    """
    @param text: of C{ss -uanmHO}.
    @return: how much each socket may hold of what comes, in bytes.
    """
    return [int(number) for number in RECEIVE_BUFFER.findall(text)]


def busiest(looks: Sequence[Look]) -> int:
    """
    @param looks: some, in the order of their moments.
    @return: the port of the connection to which most was written from the first to
        the last of them.
    @raise ValueError: when there is none in the last.
    """
    first, last = looks[0].written, looks[-1].written
    return max(last, key=lambda port: last[port] - first.get(port, 0))


def avoidedAfter(looks: Sequence[Look], port: int, since: float, least: int) -> float:
    """
    @param looks: in the order of their moments, to the end of a load.
    @param since: a moment, before that end.
    @param least: bytes that make a train; what is less from one look to the next is a
        question whether the connection lives.
    @return: seconds until no more trains were written to a connection; not a number
        when they still were at the end.
    """
    last = since
    for before, after in pairwise(looks):
        if after.moment > since and after.written.get(port, 0) - before.written.get(port, 0) >= least:
            last = after.moment
    return last - since if looks[-1].moment - last >= SILENT_SECONDS else math.nan


def replacedAfter(looks: Sequence[Look], port: int, since: float, count: int) -> float:
    """
    @param since: a moment.
    @return: seconds until there were so many connections without the one that is
        named; not a number when it did not come to that.
    """
    for look in looks:
        if look.moment >= since and len(look.written.keys() - {port}) >= count:
            return look.moment - since
    return math.nan


def gone(looks: Sequence[Look]) -> int:
    """
    @return: how many connections there have been that are no more in the last look.
    """
    seen = {port for look in looks for port in look.written}
    return len(seen - looks[-1].written.keys())
