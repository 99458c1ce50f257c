"""
The control socket of a program: who may use it asks how the program is, has files read again, and ends
sessions.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from twisted.application.service import Service

from uotp.errors import StartError
from uotp.monitoring.controlconnection import ControlConnection, Reload
from uotp.monitoring.controlplace import ControlPlace
from uotp.monitoring.controlport import ControlPort
from uotp.monitoring.controlsocket import ControlSocket, PathTaken, listenAt, sweep
from uotp.monitoring.report import Reporter
from uotp.process import PeriodicCalls
from uotp.telemetry import Logger, spelled

PATH_LOOK_SECONDS = 60.0
"""How often we look whether the file of the socket is still there: a log-out removes a user's runtime directory."""


class ControlService(Service):
    """
    Has the control socket of a program, while this runs.

    @ivar reporter: what is asked.
    @ivar path: where the socket is; L{None} while there is none.
    """

    _log = Logger()

    def __init__(
        self, place: ControlPlace, reporter: Reporter, reload: Reload, end: str, portOf: Callable[[], int], reactor: Any
    ) -> None:
        """
        @param place: where the socket is to be.
        @param reporter: is asked.
        @param reload: see L{Reload}.
        @param end: C{"client"} or C{"server"}.
        @param portOf: tells at which port the program listens; 0 while nobody knows.
        """
        self.reporter = reporter
        self._reload = reload
        self._place = place
        self._end = end
        self._portOf = portOf
        self._reactor = reactor
        self._socket: ControlSocket | None = None
        self._port: ControlPort | None = None
        self._calls = PeriodicCalls(reactor)

    @property
    def path(self) -> str | None:
        """
        See above.
        """
        return None if self._socket is None else self._socket.path

    def open(self) -> None:
        """
        Make the socket, if there is none.  Call this before the program gets another root directory.

        @raise StartError: when it cannot be made where somebody has said that it has to be.
        """
        if self._socket is not None:
            return
        place = self._place
        try:
            self._socket = self._made()
        except OSError as error:
            if place.path is not None:
                reason = f"{spelled('control')} {place.path}: {troubleOf(error)}"
                raise StartError(reason) from error
            self._log.info(
                "no control socket in {directory}: {reason}; {setting} says another place, or off",
                directory=place.directory,
                reason=troubleOf(error),
                setting=spelled("control"),
            )

    def _made(self) -> ControlSocket | None:
        """
        @return: a new socket; L{None} where there is no place for one.
        @raise OSError: when it cannot be made.
        """
        place = self._place
        if place.path is not None:
            return listenAt(place.path, place.owner)
        directory = place.directory
        if directory is None:
            return None
        port = self._portOf()
        names = [f"{self._end}-{os.getpid()}.sock"]
        if port:  # a second one at another address may have the same port
            names = [f"{self._end}-{port}.sock", f"{self._end}-{port}-{os.getpid()}.sock"]
        makeDirectory(directory)
        sweep(directory)
        return listenAtFirst([f"{directory}/{name}" for name in names], place.owner)

    def privilegedStartService(self) -> None:
        """
        Make the socket.

        @raise StartError: see L{open}.
        """
        super().privilegedStartService()
        self.open()

    def startService(self) -> None:
        """
        Begin to answer.

        @raise StartError: see L{open}.
        """
        super().startService()
        self.open()
        if self._socket is not None:
            self._answerAt(self._socket)
            if self._socket.isThere:  # a chroot hides it otherwise, and it is there all the same
                self._calls.every(PATH_LOOK_SECONDS, self._look)

    def _answerAt(self, made: ControlSocket) -> None:
        make = partial(ControlConnection, self.reporter, self._reload, self._reactor)
        self._port = ControlPort(made.socket, make, self._reactor)
        self._port.start()
        self._log.debug("control socket {path}", path=made.path)

    def _look(self) -> None:
        """
        Make the socket again if somebody has removed its file, as soon as that can be done.
        """
        if self._socket is None or self._port is None or self._socket.isThere:
            return
        try:
            made = self._made()
        except OSError:
            return
        if made is not None:
            self._port.stop()
            self._socket.close()
            self._socket = made
            self._answerAt(made)
            self._log.info("the control socket was removed, and is there again: {path}", path=made.path)

    def stopService(self) -> None:
        """
        Answer no more, and remove the socket.
        """
        super().stopService()
        self._calls.stop()
        if self._port is not None:
            self._port.stop()
            self._port = None
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def listenAtFirst(paths: Sequence[str], owner: int | None) -> ControlSocket:
    """
    @return: a socket at the first of these paths at which no other program listens.
    @raise OSError: when there is none.
    """
    *others, last = paths
    for path in others:
        with suppress(PathTaken):
            return listenAt(path, owner)
    return listenAt(last, owner)


def makeDirectory(directory: str) -> None:
    """
    Make a directory, if it is not there.  The one that it is in has to be.

    @raise OSError: when that cannot be done.
    """
    with suppress(FileExistsError):
        os.mkdir(directory, 0o755)


def troubleOf(error: OSError) -> str:
    """
    @return: what is wrong.
    """
    return error.strerror or str(error)
