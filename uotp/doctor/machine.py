"""
The machine on which an examination runs: its sockets, its resolver and its kernel.  It is the only module of the
examination that touches them.
"""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
import time
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from uotp.doctor.seams import Buffer, TcpLine, Way
from uotp.errors import LookupFailed, StartError, UotpError
from uotp.net import (
    Addresses,
    Resolved,
    TunnelSocketOptions,
    checkMark,
    enlargeUdpBuffers,
    literalAddress,
    numericAddress,
    setMark,
    setSegmentSize,
    systemLookup,
    tcpPathStats,
    tuneTunnelSocket,
)
from uotp.net.policy import interfaceTo, isTunnelInterface, markedRules
from uotp.path import PathStats

ARRIVAL_BYTES = 65536
"""So much is read at once."""

TOOL_SECONDS = 3.0
"""A program of the system has so long to answer."""

MOST_SERVERS = 4
"""So many name servers are named: the resolver knows no more than three."""


class SocketLine:
    """
    Is a TCP connection of a socket.
    """

    def __init__(self, connection: socket.socket) -> None:
        """
        @param connection: one that is open.
        """
        self._socket = connection

    def send(self, data: bytes, seconds: float) -> None:
        """
        See L{TcpLine.send}.  Each part has so long: a slow path is no dead one.
        """
        self._socket.settimeout(max(seconds, 0.001))
        left = memoryview(data)
        while left:
            left = left[self._socket.send(left) :]

    def receive(self, seconds: float) -> bytes:
        """
        See L{TcpLine.receive}.
        """
        self._socket.settimeout(max(seconds, 0.001))
        return self._socket.recv(ARRIVAL_BYTES)

    def pathStats(self) -> PathStats | None:
        """
        See L{TcpLine.pathStats}.
        """
        return tcpPathStats(self._socket)

    def close(self) -> None:
        """
        See L{TcpLine.close}.
        """
        self._socket.close()


class SystemMachine:
    """
    Is the machine that we run on.
    """

    def seconds(self) -> float:
        """
        See L{uotp.doctor.seams.Machine}, as for all of it.
        """
        return time.monotonic()

    def now(self) -> datetime:
        """
        Read the wall clock.
        """
        return datetime.now(timezone.utc)

    def isSynchronized(self) -> bool | None:
        """
        Ask systemd, which knows whatever keeps the clock right.
        """
        told = toolOutput("timedatectl", "show", "--property=NTPSynchronized", "--value")
        return {"yes": True, "no": False}.get((told or "").strip())

    def addressesOf(self, host: str, port: int, seconds: float) -> Addresses:
        """
        Ask the system's resolver in a thread that nobody waits for longer than asked.
        """
        literal = literalAddress(host, port, "TCP")
        if literal is not None:
            return [literal]
        answers: SimpleQueue[Resolved] = SimpleQueue()
        Thread(target=lambda: answers.put(systemLookup(host, port, "TCP")), name="uotp lookup", daemon=True).start()
        try:
            answer = answers.get(timeout=seconds)
        except Empty:
            raise TimeoutError from None
        if isinstance(answer, LookupFailed):
            raise answer
        return answer

    def nameServers(self) -> list[str]:
        """
        Read the file of the resolver.
        """
        with suppress(OSError):
            text = Path("/etc/resolv.conf").read_text(encoding="utf-8", errors="replace")
            return re.findall(r"^\s*nameserver\s+(\S{1,60})", text, re.MULTILINE)[:MOST_SERVERS]
        return []

    def connect(self, address: Any, mark: int | None, mss: int | None, seconds: float) -> TcpLine:
        """
        Set a socket up as the client does, and connect it.
        """
        destination = numericAddress(address.host, address.port)
        made = socket.socket(socket.AF_INET6 if ":" in address.host else socket.AF_INET, socket.SOCK_STREAM)
        try:
            if mark is not None:
                setMark(made, mark)
            tuneTunnelSocket(made, TunnelSocketOptions())
            if mss is not None:
                setSegmentSize(made, mss)
            made.settimeout(seconds)
            made.connect(destination)
        except BaseException:
            made.close()
            raise
        return SocketLine(made)

    def markTrouble(self, mark: int) -> str | None:
        """
        Try it on a socket.
        """
        try:
            checkMark(mark)
        except StartError as error:
            return str(error).rpartition(": ")[2]
        except UotpError as error:
            return str(error)
        return None

    def hasRuleFor(self, mark: int) -> bool | None:
        """
        Ask the kernel for its rules.
        """
        marks = markedRules()
        return None if marks is None else mark in marks

    def udpBuffer(self, wanted: int) -> Buffer:
        """
        Try it on a socket.
        """
        limit = None
        with suppress(OSError, ValueError):
            limit = int(Path("/proc/sys/net/core/rmem_max").read_text(encoding="ascii"))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            return Buffer(enlargeUdpBuffers(probe, wanted), limit)

    def wayTo(self, address: Any, mark: int | None) -> Way | None:
        """
        Ask the kernel for the interface, and look what that is.
        """
        interface = interfaceTo(address.host, mark)
        if interface is None or sys.platform != "linux":
            return None
        isTunnel = isTunnelInterface(interface)
        return Way(interface, isTunnel, endpointsOf(interface) if isTunnel else None)


def endpointsOf(interface: str) -> tuple[tuple[str, int], ...] | None:
    """
    @return: where the WireGuard of an interface sends to; L{None} when it is none, or does not tell us.
    """
    told = toolOutput("wg", "show", interface, "endpoints")
    if told is None:
        return None
    found = re.findall(r"\t\[?([0-9a-fA-F.:%\w]+?)\]?:(\d{1,5})$", told, re.MULTILINE)
    return tuple((host, int(port)) for host, port in found)


def toolOutput(*words: str) -> str | None:
    """
    @return: what a program of the system prints; L{None} when it is not there, or fails.
    """
    path = shutil.which(words[0])
    if path is None:
        return None
    try:
        done = subprocess.run(  # noqa: S603 - the words are ours
            [path, *words[1:]], check=False, capture_output=True, text=True, timeout=TOOL_SECONDS
        )
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return done.stdout if done.returncode == 0 else None
