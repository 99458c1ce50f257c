"""
The life of a worker as a table: what it is doing, what can happen, and what that leads to.
Nothing happens here.
"""

from __future__ import annotations

from enum import Enum, auto


class WorkerState(Enum):
    """
    Names what a worker can be doing.

    GONE: there is no process, and none is started.
    STARTING: a process runs, and is not ready.
    READY: it does its work.
    DYING: it has lost its channel, or does not answer; it is about to be ended.
    STOPPING: it was asked to stop, or is ended in place of that.
    WAITING: there is no process; one is started soon.
    """

    GONE = auto()
    STARTING = auto()
    READY = auto()
    DYING = auto()
    STOPPING = auto()
    WAITING = auto()


class WorkerEvent(Enum):
    """
    Names what can happen to a worker.  HUNG: it has not answered for long.  LOST: its channel
    has ended.  EXITED: the process has ended, or could not be started.
    """

    START = auto()
    WORKS = auto()
    HUNG = auto()
    LOST = auto()
    EXITED = auto()
    STOP = auto()


WORKER_STATES: dict[tuple[WorkerState, WorkerEvent], WorkerState] = {
    (WorkerState.GONE, WorkerEvent.START): WorkerState.STARTING,
    (WorkerState.STARTING, WorkerEvent.WORKS): WorkerState.READY,
    (WorkerState.STARTING, WorkerEvent.HUNG): WorkerState.DYING,
    (WorkerState.STARTING, WorkerEvent.LOST): WorkerState.DYING,
    (WorkerState.STARTING, WorkerEvent.EXITED): WorkerState.WAITING,
    (WorkerState.STARTING, WorkerEvent.STOP): WorkerState.STOPPING,
    (WorkerState.READY, WorkerEvent.HUNG): WorkerState.DYING,
    (WorkerState.READY, WorkerEvent.LOST): WorkerState.DYING,
    (WorkerState.READY, WorkerEvent.EXITED): WorkerState.WAITING,
    (WorkerState.READY, WorkerEvent.STOP): WorkerState.STOPPING,
    (WorkerState.DYING, WorkerEvent.EXITED): WorkerState.WAITING,
    (WorkerState.DYING, WorkerEvent.STOP): WorkerState.STOPPING,
    (WorkerState.STOPPING, WorkerEvent.EXITED): WorkerState.GONE,
    (WorkerState.WAITING, WorkerEvent.START): WorkerState.STARTING,
    (WorkerState.WAITING, WorkerEvent.STOP): WorkerState.GONE,
}
"""What each event leads to.  A pair that is not here changes nothing."""

RUNNING = frozenset({WorkerState.STARTING, WorkerState.READY})
"""The states in which a process has to answer."""
