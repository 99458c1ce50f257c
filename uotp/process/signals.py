"""
What a process of ours does when it is sent a signal.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from twisted.internet.error import ReactorNotRunning


def onSignal(reactor: Any, name: str, act: Callable[[], None]) -> None:
    """
    Act on a signal, in a turn of the reactor.  What Twisted does on it, or what a
    shell has set for it, is done no more.

    @param name: SIGHUP, for example; one that the system does not have is nothing.
    """
    number = getattr(signal, name, None)
    if number is not None:
        signal.signal(number, lambda *_: reactor.callFromThread(act))


def stopOnSignals(reactor: Any) -> None:
    """
    Stop on SIGTERM and SIGINT.  Twisted's own handlers let twistd end by the signal,
    which a shell and a service supervisor see as a failure; a stop that was asked
    for is none.  To be called again when the reactor runs, which sets its own.
    """

    def stop() -> None:
        with suppress(ReactorNotRunning):
            reactor.stop()

    for name in ("SIGTERM", "SIGINT"):
        onSignal(reactor, name, stop)
