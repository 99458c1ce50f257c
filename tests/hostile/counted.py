"""
A client or a server that tells what it holds: C{python -m tests.hostile.counted} with the words of
C{uotp}, which then runs as it does without.  The order C{count} comes from standard input, and is
answered in a turn of the reactor.

Sessions, tunnels and streams count from when they are made until nothing refers to them any more,
whatever the program itself thinks it has.  The garbage collector is not asked: what ends leaves
nothing to it.

The workers of a server count, too, see L{tests.hostile.countedworker}.
"""

from __future__ import annotations

import gc
import sys
from collections import Counter
from typing import Any
from weakref import WeakSet

from twisted.internet.interfaces import IReadDescriptor
from zope.interface import implementer

from tests.hostile.orders import Ear, Report, say
from uotp import services
from uotp.cli.main import main
from uotp.session import Session
from uotp.transport.tcp import TcpStream
from uotp.tunnel.tunnel import Tunnel

COUNTED_WORKER = "tests.hostile.countedworker"
"""What runs in the place of a worker's program."""

KINDS: dict[str, type] = {"sessions": Session, "tunnels": Tunnel, "streams": TcpStream}


def livingOf(kind: type) -> WeakSet[Any]:
    """
    @param kind: a class; from now on its objects are noted.
    @return: those that are alive, also of subclasses.
    """
    living: WeakSet[Any] = WeakSet()

    def make(cls: type, *_: object, **__: object) -> Any:
        made: Any = object.__new__(cls)
        living.add(made)
        return made

    setattr(kind, "__new__", staticmethod(make))  # noqa: B010 - mypy does not let a class be changed so
    return living


def nameOf(call: Any) -> str:
    """
    @param call: what a timer calls.
    @return: a name for all timers of that kind.
    """
    return str(getattr(call, "__qualname__", type(call).__name__))


class Census:
    """
    Counts what there is in this process.  Make it before anything that is counted.
    """

    def __init__(self, reactor: Any) -> None:
        """
        @param reactor: whose timers are counted.
        """
        self._reactor = reactor
        self._living = {name: livingOf(kind) for name, kind in KINDS.items()}

    def taken(self) -> Report:
        """
        @return: how many of each kind there are now.
        """
        if not hasattr(gc, "freeze"):
            gc.collect()  # where nothing ends before it is collected
        timers = Counter(nameOf(one.func) for one in self._reactor.getDelayedCalls())
        return {
            **{name: len(living) for name, living in self._living.items()},
            **{f"timers of {name}": number for name, number in timers.items()},
        }


@implementer(IReadDescriptor)
class Counting:
    """
    Counts, when it is told to.
    """

    def __init__(self, reactor: Any) -> None:
        """
        @param reactor: whose timers are counted, and who waits for the orders.
        """
        self._reactor = reactor
        self._ear = Ear()
        self._census = Census(reactor)
        reactor.addReader(self)

    def fileno(self) -> int:
        """
        @return: what to wait for.
        """
        return self._ear.fileno()

    def doRead(self) -> None:
        """
        Obey; and stop, when there is nobody any more who could give an order.
        """
        try:
            orders = self._ear.orders()
        except SystemExit:
            self._reactor.removeReader(self)
            self._reactor.stop()
            return
        for _ in orders:
            say(self._census.taken())

    def logPrefix(self) -> str:
        """
        @return: its name in the log.
        """
        return "counting"

    def connectionLost(self, reason: object) -> None:
        """
        Called at the end of the program.
        """


if __name__ == "__main__":
    from twisted.internet import reactor

    Counting(reactor)
    services.WORKER_MODULE = COUNTED_WORKER
    sys.exit(main())
