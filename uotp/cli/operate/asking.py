"""
Asks running programs at their control sockets, and says in words why one does not answer.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uotp.cli.options import printable
from uotp.errors import UotpError
from uotp.monitoring import CONTROL_VERSION, ControlRequest, Report, encodeRequest

ASK_SECONDS = 12.0
"""So long a program may take to answer: it gives each part ten seconds, and answers in a tenth of one."""

RELOAD_SECONDS = 60.0
"""The same of a reload: workers may take half a minute to read new files."""

MOST_ANSWER_BYTES = 64 << 20
"""A longer answer comes from no program of ours: that of 256 sessions with all their tunnels has two million."""

READ_AT_ONCE_BYTES = 1 << 16

CONNECT_AGAIN_SECONDS = 0.05
"""When so many ask that there is no room for one more, we come again after so long."""


class AskError(UotpError):
    """
    Tells in one line why a program has not done what it was asked.
    """


class NobodyThere(AskError):
    """
    Is raised when there is no program at a socket.
    """


class NotPermitted(AskError):
    """
    Is raised when a program is another user's.
    """


Ask = Callable[["Program", ControlRequest], Mapping[str, Any]]
"""Asks a program; raises L{AskError}."""


@dataclass(frozen=True, slots=True)
class Program:
    """
    Is a program that may run.

    @ivar path: of its control socket.
    """

    path: str

    @property
    def name(self) -> str:
        """
        What it is called: as its socket, without the ending.
        """
        return printable(Path(self.path).name.removesuffix(".sock"))

    def isMeant(self, word: str) -> bool:
        """
        @return: whether a word means this program: its whole name, its end, its port, or the directory that
            the socket is in, which is named after a unit.
        """
        path = Path(self.path)
        stem = path.name.removesuffix(".sock")
        return word in {stem, path.parent.name, *stem.split("-")} or stem.startswith(f"{word}-")


def askProgram(program: Program, request: ControlRequest, seconds: float = ASK_SECONDS) -> Mapping[str, Any]:
    """
    Ask a program, and wait for its answer.

    @param seconds: how long to wait.
    @return: the answer.
    @raise AskError: when there is none, or it refuses.
    """
    if not hasattr(socket, "AF_UNIX"):
        reason = "this system has no UNIX sockets"
        raise AskError(reason)
    deadline = time.monotonic() + seconds
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
            _connect(asking, program.path, deadline)
            _wait(asking, deadline)
            asking.sendall(encodeRequest(request))
            line = _readLine(asking, deadline)
    except (FileNotFoundError, ConnectionRefusedError) as error:
        reason = f"no program answers at {printable(program.path)}: {error.strerror}"
        raise NobodyThere(reason) from error
    except PermissionError as error:
        raise NotPermitted(_notPermitted(program)) from error
    except TimeoutError as error:
        reason = f"{program.name} has not answered in {seconds:g} s ({printable(program.path)})"
        raise AskError(reason) from error
    except OSError as error:
        reason = f"{program.name} cannot be asked: {error.strerror or error} ({printable(program.path)})"
        raise AskError(reason) from error
    return _answer(program, line)


def _wait(asking: socket.socket, deadline: float) -> None:
    """
    @raise TimeoutError: when no time is left.
    """
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    asking.settimeout(left)


def _connect(asking: socket.socket, path: str, deadline: float) -> None:
    while True:
        _wait(asking, deadline)
        try:
            asking.connect(path)
        except BlockingIOError:
            time.sleep(CONNECT_AGAIN_SECONDS)
        else:
            return


def _readLine(asking: socket.socket, deadline: float) -> bytes:
    """
    @return: what has come until the other end has closed.
    """
    received = bytearray()
    while len(received) <= MOST_ANSWER_BYTES:
        _wait(asking, deadline)
        data = asking.recv(READ_AT_ONCE_BYTES)
        if not data:
            return bytes(received)
        received += data
    reason = "what it answers has no end"
    raise OSError(reason)


def _notPermitted(program: Program) -> str:
    """
    @return: whose a program is, and what helps.
    """
    import pwd  # noqa: PLC0415 - there is none on Windows

    try:
        user = pwd.getpwuid(os.stat(program.path).st_uid).pw_name
    except (OSError, KeyError):
        user = "another user"
    return f"{program.name} belongs to {user}, and you may not ask it: use sudo ({printable(program.path)})"


def _answer(program: Program, line: bytes) -> Mapping[str, Any]:
    """
    @raise AskError: when it is none, or a refusal.
    """
    if not line.endswith(b"\n"):
        reason = f"{program.name} has ended before it had answered ({printable(program.path)})"
        raise AskError(reason)
    try:
        found = json.loads(line)
        version = found["control"]
    except (ValueError, KeyError, TypeError, RecursionError):
        reason = f"{printable(program.path)} is no control socket of ours: what it answers is not understood"
        raise AskError(reason) from None
    if version != CONTROL_VERSION:
        reason = (
            f"{program.name} answers in version {version!a:.20} of the control protocol, and this is "
            f"{CONTROL_VERSION}: use the uotp that was installed with it"
        )
        raise AskError(reason)
    if "error" in found:
        reason = f"{program.name}: {printable(str(found['error']))}"
        raise AskError(reason)
    return dict(found)


def reportOf(program: Program, answer: Mapping[str, Any]) -> Report:
    """
    @param answer: of a program that was asked for its report.
    @raise AskError: when it is another version's, which tells other things.
    """
    import msgspec  # noqa: PLC0415 - what is printed as it came does not need it

    try:
        return msgspec.convert(answer.get("report"), Report)
    except msgspec.ValidationError as error:
        reason = f"the report of {program.name} is not understood ({error}): use the uotp that was installed with it"
        raise AskError(reason) from error
