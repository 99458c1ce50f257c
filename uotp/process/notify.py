"""
Tells the service manager that has started this process how it is: ready, reloading, stopping, alive.
The protocol is systemd's (sd_notify): lines of text, as one datagram to a socket whose name is
in the environment.  It takes less than a library for it would take to be looked after.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress

VARIABLE = "NOTIFY_SOCKET"
"""Names the socket; it is not set where nobody wants to know."""

WATCHDOG_TIME, WATCHDOG_PROCESS = "WATCHDOG_USEC", "WATCHDOG_PID"
"""
Within so many microseconds the manager wants a sign of life, again and again; and of which process, where that is
said.  Neither is set where it does not.
"""

STATUS_LETTERS = 200
"""So much of a status is told: it is one line beside others."""


class ServiceNotifier:
    """
    Tells the service manager what becomes of this process.  Where there is none, it does
    nothing.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        """
        @param environment: where the socket is named.  It is connected at once, since later the
            program may have another root directory.
        """
        self._socket: socket.socket | None = None
        self._isReady = False
        self._watched = environment.get(WATCHDOG_TIME, ""), environment.get(WATCHDOG_PROCESS, "")
        name = environment.get(VARIABLE, "")
        if not name.startswith(("/", "@")) or not hasattr(socket, "AF_UNIX"):
            return
        try:
            made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        except OSError:  # a sandbox without AF_UNIX
            return
        try:
            made.setblocking(False)
            made.connect(f"\0{name[1:]}" if name.startswith("@") else name)
        except OSError:
            made.close()
            return
        self._socket = made

    @property
    def isHeard(self) -> bool:
        """
        Whether somebody wants to know.
        """
        return self._socket is not None

    @property
    def watchdogSeconds(self) -> float | None:
        """
        Within so many seconds somebody wants a sign of life of this process; L{None} where nobody does.
        """
        time, process = self._watched
        isOurs = process in {"", str(os.getpid())}
        if not (self.isHeard and isOurs and time.isascii() and time.isdecimal() and int(time) > 0):
            return None
        return int(time) / 1e6

    def _send(self, *lines: str) -> None:
        if self._socket is not None:
            with suppress(OSError):  # whoever does not listen does not hear it
                self._socket.send("\n".join(lines).encode())

    def ready(self, status: str) -> None:
        """
        What was started works, or what it needs cannot be waited for any longer.

        @param status: how it is, in words.
        """
        self._isReady = True
        self._send("READY=1", statusLine(status))

    def waiting(self, status: str) -> None:
        """
        The start is not over.

        @param status: what is waited for, in words.
        """
        self.tell(status)

    def tell(self, status: str) -> None:
        """
        Something has changed.

        @param status: how it is, in words.
        """
        self._send(statusLine(status))

    def isAlive(self) -> None:
        """
        Give a sign of life.
        """
        self._send("WATCHDOG=1")

    def reloading(self) -> None:
        """
        Files are read again.  Call L{reloaded} when that is over.
        """
        if self._isReady:
            self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def reloaded(self) -> None:
        """
        It is over.
        """
        if self._isReady:
            self._send("READY=1")

    def stopping(self) -> None:
        """
        The program ends.
        """
        self._send("STOPPING=1")


def statusLine(words: str) -> str:
    """
    @return: a status as the manager takes it: in one line, since another line could be an order.
    """
    return "STATUS=" + "".join(letter if letter.isprintable() else "?" for letter in words)[:STATUS_LETTERS]
