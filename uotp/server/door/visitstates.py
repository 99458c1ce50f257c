"""
The life of a connection at the door, as a table.  There is no code here that acts.
"""

from __future__ import annotations

from enum import Enum, auto


class VisitState(Enum):
    """
    Tells where at the door a connection is.

    LOOKING: its tunnel waits for a hello.
    ASKING: it has shown no hello, and perhaps asks for the path.
    VISITING: it is a visitor of the web site.
    LEAVING: the web site has said that nothing more comes.
    GONE: it is a tunnel, or gone.
    """

    LOOKING = auto()
    ASKING = auto()
    VISITING = auto()
    LEAVING = auto()
    GONE = auto()


class VisitEvent(Enum):
    """
    Names what can happen to it.
    """

    NO_HELLO = auto()
    DECIDED = auto()
    IS_OURS = auto()
    SITE_ENDED = auto()
    LOST = auto()


VISIT_STATES: dict[tuple[VisitState, VisitEvent], VisitState] = {
    (VisitState.LOOKING, VisitEvent.NO_HELLO): VisitState.ASKING,
    (VisitState.LOOKING, VisitEvent.DECIDED): VisitState.VISITING,
    (VisitState.LOOKING, VisitEvent.IS_OURS): VisitState.GONE,
    (VisitState.LOOKING, VisitEvent.LOST): VisitState.GONE,
    (VisitState.ASKING, VisitEvent.DECIDED): VisitState.VISITING,
    (VisitState.ASKING, VisitEvent.IS_OURS): VisitState.GONE,
    (VisitState.ASKING, VisitEvent.LOST): VisitState.GONE,
    (VisitState.VISITING, VisitEvent.SITE_ENDED): VisitState.LEAVING,
    (VisitState.VISITING, VisitEvent.LOST): VisitState.GONE,
    (VisitState.LEAVING, VisitEvent.LOST): VisitState.GONE,
}
"""The state that each event leads to.  A pair that is not here changes nothing."""

UNDECIDED = frozenset({VisitState.LOOKING, VisitState.ASKING})
"""The states in which it may still become a tunnel."""

AT_SITE = frozenset({VisitState.VISITING, VisitState.LEAVING})
"""The states in which what comes is for the web site."""
