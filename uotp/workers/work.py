"""
What a parent and its workers say to each other about their work, whichever end of tunnels they are.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from uotp.workers.groups import ListenNoMore, ListenOn, SocketMissing


@dataclass(frozen=True, slots=True)
class BeginWork:
    """
    Orders a worker to begin.  It is the first that it hears.

    @ivar number: which worker it is, from 1 on.
    @ivar workers: how many there are.
    @ivar verbosity: the lowest level that is logged.
    @ivar spellings: how settings are called in errors and in the log.
    @ivar settings: what the end was told, pickled: the parent is trusted.
    @ivar contents: what the files of its credentials hold, by their paths.
    @ivar parts: what it may use of what all workers share, by name.
    """

    number: int
    workers: int
    verbosity: str
    spellings: dict[str, str]
    settings: bytes = field(repr=False)
    contents: dict[str, bytes] = field(repr=False)
    parts: dict[str, int]


@dataclass(frozen=True, slots=True)
class PrepareFiles:
    """
    Orders a worker to make credentials of new files, and not to use them yet.

    @ivar renewal: a number that is answered with.
    @ivar contents: what the files hold, by their paths.
    """

    renewal: int
    contents: dict[str, bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class FilesPrepared:
    """
    Answers that.

    @ivar reason: why they cannot be used; empty when they can.
    """

    renewal: int
    reason: str


@dataclass(frozen=True, slots=True)
class AdoptFiles:
    """
    Orders a worker to use what it has prepared.
    """

    renewal: int


@dataclass(frozen=True, slots=True)
class SetPart:
    """
    Orders how much a worker may use of something that all workers share.

    @ivar name: of that.
    """

    name: str
    amount: int


@dataclass(frozen=True, slots=True)
class TellUse:
    """
    Tells how much a worker uses, and by which part it goes.
    """

    name: str
    uses: int
    part: int


@dataclass(frozen=True, slots=True)
class TellStatistics:
    """
    Tells what a worker has done, and how it is.

    @ivar values: the numbers by their names.
    """

    values: dict[str, int]


@dataclass(frozen=True, slots=True)
class AskReport:
    """
    Asks how a worker is.

    @ivar question: a number that is answered with.
    @ivar most: so many sessions are told one by one.
    """

    question: int
    most: int


@dataclass(frozen=True, slots=True)
class TellReport:
    """
    Answers that, in several messages.

    @ivar part: rows of values, see L{uotp.monitoring.rows}.
    @ivar isLast: whether no other part follows.
    """

    question: int
    part: tuple[object, ...]
    isLast: bool


@dataclass(frozen=True, slots=True)
class Disconnect:
    """
    Orders that sessions end.

    @ivar question: a number that is answered with.
    @ivar session: the beginning of their ids, or the name of their client.
    """

    question: int
    session: str


@dataclass(frozen=True, slots=True)
class Disconnected:
    """
    Answers that.

    @ivar ended: how many have ended.
    """

    question: int
    ended: int


@dataclass(frozen=True, slots=True)
class TellLine:
    """
    Tells a line of the log.

    @ivar values: see L{uotp.telemetry.plainValues}.
    """

    values: dict[str, object]


WORK = (
    BeginWork,
    PrepareFiles,
    FilesPrepared,
    AdoptFiles,
    SetPart,
    AskReport,
    TellReport,
    Disconnect,
    Disconnected,
    TellUse,
    TellStatistics,
    TellLine,
    ListenOn,
    ListenNoMore,
    SocketMissing,
)
"""All of them."""
