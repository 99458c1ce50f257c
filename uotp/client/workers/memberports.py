"""
The UDP ports of a client in one of its workers: on sockets that the parent has bound and keeps open.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, gatherResults, maybeDeferred

from uotp.client.sources.ports import PortProtocol
from uotp.telemetry import Logger, orLog


class MemberPorts:
    """
    Keeps what comes to each socket apart.  When a socket is lost, the sessions of its sources wait for the next
    one that the parent hands in.
    """

    _log = Logger()

    def __init__(
        self,
        openOn: Callable[[socket.socket, Any], object],
        newPort: Callable[[Callable[[str], None]], Any],
        tellLost: Callable[[int, str], None],
    ) -> None:
        """
        @param openOn: opens a port on a socket, for a protocol.
        @param newPort: makes the protocol of one, which tells when the port is lost.
        @param tellLost: told the number of a socket that is lost, and why.
        """
        self._openOn = openOn
        self._newPort = newPort
        self._tellLost = tellLost
        self._ports: dict[int, PortProtocol] = {}

    def open(self, number: int, descriptor: int) -> None:
        """
        Take what comes to a socket.

        @param number: by which the parent knows it.
        @param descriptor: it is ours.
        """
        port = self._ports.get(number)
        if port is None:
            port = self._ports[number] = self._newPort(partial(self._tellLost, number))
        else:
            self._stop(port)
        self._openOn(socket.socket(fileno=descriptor), port)

    def close(self, number: int) -> None:
        """
        Close a socket.  Another one may come.
        """
        port = self._ports.get(number)
        if port is not None:
            self._stop(port)

    def _stop(self, port: PortProtocol) -> None:
        orLog(maybeDeferred(port.stopListening), self._log, "a port was not closed")

    def countKernelDrops(self) -> None:
        """
        Count what the kernel has dropped at all ports.
        """
        for port in self._ports.values():
            port.countKernelDrops()

    def ignoreSources(self) -> None:
        """
        Take nothing more from sources.
        """
        for port in self._ports.values():
            port.ignoreSources()

    def stop(self) -> Deferred[Any]:
        """
        Close all.

        @return: fires when they are closed.
        """
        ports, self._ports = self._ports, {}
        return gatherResults([maybeDeferred(port.stopListening) for port in ports.values()])
