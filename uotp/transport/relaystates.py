"""
The life of a relay as a table: its states, the events, and where they lead.  There is no code here
that acts.
"""

from __future__ import annotations

from enum import Enum, auto


class RelayState(Enum):
    """
    Tells where in its life a relay is.

    LEAVING: the owner writes nothing more, or is to be left; what it has written is still read.
    CLOSING: all of that was read, and the stream closes.
    EMPTYING: the stream is gone; the pipe still has to take what has come on it.
    """

    CARRYING = auto()
    LEAVING = auto()
    CLOSING = auto()
    EMPTYING = auto()
    GONE = auto()


class RelayEvent(Enum):
    """
    Names what can happen to a relay.
    """

    LEFT = auto()
    READ_OUT = auto()
    STREAM_LOST = auto()
    EMPTIED = auto()


RELAY_STATES: dict[tuple[RelayState, RelayEvent], RelayState] = {
    (RelayState.CARRYING, RelayEvent.LEFT): RelayState.LEAVING,
    (RelayState.CARRYING, RelayEvent.READ_OUT): RelayState.CLOSING,
    (RelayState.CARRYING, RelayEvent.STREAM_LOST): RelayState.EMPTYING,
    (RelayState.LEAVING, RelayEvent.READ_OUT): RelayState.CLOSING,
    (RelayState.LEAVING, RelayEvent.STREAM_LOST): RelayState.EMPTYING,
    (RelayState.CLOSING, RelayEvent.STREAM_LOST): RelayState.EMPTYING,
    (RelayState.EMPTYING, RelayEvent.EMPTIED): RelayState.GONE,
}
"""The state that each event leads to.  A pair that is not here changes nothing."""

LISTENING = frozenset({RelayState.CARRYING, RelayState.LEAVING})
"""The states in which what the owner writes is read."""
