"""
The life of a slot in a client's pool as a table: what it is doing, what can happen, and
what that leads to.  Nothing happens here.
"""

from __future__ import annotations

from enum import Enum, auto


class SlotState(Enum):
    """
    Names what a slot can be doing.  RENEWING and RETRYING are DIALLING and WAITING with a tunnel
    that is still there.
    """

    IDLE = auto()
    DIALLING = auto()
    UP = auto()
    WAITING = auto()
    RENEWING = auto()
    RETRYING = auto()
    STOPPED = auto()


class SlotEvent(Enum):
    """
    Names what can happen to a slot.  GIVE_UP: the pool wants it to have no tunnel for now.
    """

    DIAL = auto()
    OPENED = auto()
    FAILED = auto()
    LOST = auto()
    RENEW = auto()
    GIVE_UP = auto()
    STOP = auto()


SLOT_STATES: dict[tuple[SlotState, SlotEvent], SlotState] = {
    (SlotState.IDLE, SlotEvent.DIAL): SlotState.DIALLING,
    (SlotState.IDLE, SlotEvent.STOP): SlotState.STOPPED,
    (SlotState.DIALLING, SlotEvent.OPENED): SlotState.UP,
    (SlotState.DIALLING, SlotEvent.FAILED): SlotState.WAITING,
    (SlotState.DIALLING, SlotEvent.GIVE_UP): SlotState.IDLE,
    (SlotState.DIALLING, SlotEvent.STOP): SlotState.STOPPED,
    (SlotState.UP, SlotEvent.LOST): SlotState.WAITING,
    (SlotState.UP, SlotEvent.RENEW): SlotState.RENEWING,
    (SlotState.UP, SlotEvent.GIVE_UP): SlotState.IDLE,
    (SlotState.UP, SlotEvent.STOP): SlotState.STOPPED,
    (SlotState.WAITING, SlotEvent.DIAL): SlotState.DIALLING,
    (SlotState.WAITING, SlotEvent.GIVE_UP): SlotState.IDLE,
    (SlotState.WAITING, SlotEvent.STOP): SlotState.STOPPED,
    (SlotState.RENEWING, SlotEvent.OPENED): SlotState.UP,
    (SlotState.RENEWING, SlotEvent.FAILED): SlotState.RETRYING,
    (SlotState.RENEWING, SlotEvent.LOST): SlotState.DIALLING,
    (SlotState.RENEWING, SlotEvent.GIVE_UP): SlotState.IDLE,
    (SlotState.RENEWING, SlotEvent.STOP): SlotState.STOPPED,
    (SlotState.RETRYING, SlotEvent.DIAL): SlotState.RENEWING,
    (SlotState.RETRYING, SlotEvent.LOST): SlotState.WAITING,
    (SlotState.RETRYING, SlotEvent.GIVE_UP): SlotState.IDLE,
    (SlotState.RETRYING, SlotEvent.STOP): SlotState.STOPPED,
}
"""What each event leads to.  A pair that is not here changes nothing."""
