"""
What this process does when it is sent a signal.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from twisted.internet.error import ReactorNotRunning


def onSignal(reactor: Any, name: str, act: Callable[[], None]) -> None:
    """
    Call something, in a turn of the reactor, when a signal comes.  This replaces what
    Twisted, or a shell, has set for the signal.

    @param name: SIGHUP, for example; a signal that the system does not have is ignored.
    """
    number = getattr(signal, name, None)
    if number is not None:
        signal.signal(number, lambda *_: reactor.callFromThread(act))


def stopOnSignals(reactor: Any) -> None:
    """
    Stop on SIGTERM and SIGINT.  Twisted's own handlers let twistd end by the signal, which
    a shell and a service supervisor see as a failure; but this stop was asked for.  Call
    this again when the reactor runs, since it sets its own handlers when it starts.
    """

    def stop() -> None:
        with suppress(ReactorNotRunning):
            reactor.stop()

    for name in ("SIGTERM", "SIGINT"):
        onSignal(reactor, name, stop)
