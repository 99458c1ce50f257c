"""
The life of a slot in a client's pool as a table: what it is doing, what can happen, and
what that leads to.  Nothing happens here.
"""

from __future__ import annotations

from enum import Enum, auto


class State(Enum):
    """
    What a slot is doing.  RENEWING and RETRYING are DIALLING and WAITING with a tunnel
    that is still there.
    """

    IDLE = auto()
    DIALLING = auto()
    UP = auto()
    WAITING = auto()
    RENEWING = auto()
    RETRYING = auto()
    STOPPED = auto()


class Event(Enum):
    """
    What can happen to a slot.
    """

    DIAL = auto()
    OPENED = auto()
    FAILED = auto()
    LOST = auto()
    RENEW = auto()
    STOP = auto()


NEXT_STATE: dict[tuple[State, Event], State] = {
    (State.IDLE, Event.DIAL): State.DIALLING,
    (State.IDLE, Event.STOP): State.STOPPED,
    (State.DIALLING, Event.OPENED): State.UP,
    (State.DIALLING, Event.FAILED): State.WAITING,
    (State.DIALLING, Event.STOP): State.STOPPED,
    (State.UP, Event.LOST): State.WAITING,
    (State.UP, Event.RENEW): State.RENEWING,
    (State.UP, Event.STOP): State.STOPPED,
    (State.WAITING, Event.DIAL): State.DIALLING,
    (State.WAITING, Event.STOP): State.STOPPED,
    (State.RENEWING, Event.OPENED): State.UP,
    (State.RENEWING, Event.FAILED): State.RETRYING,
    (State.RENEWING, Event.LOST): State.DIALLING,
    (State.RENEWING, Event.STOP): State.STOPPED,
    (State.RETRYING, Event.DIAL): State.RENEWING,
    (State.RETRYING, Event.LOST): State.WAITING,
    (State.RETRYING, Event.STOP): State.STOPPED,
}
"""What each event leads to.  A pair that is not here changes nothing."""
