"""
What the system says of a process, from outside: time, memory, descriptors, sockets, and
whether it still runs.  psutil says it where it can; what it has no word for is read from
C{/proc}.
"""

from __future__ import annotations

import ctypes
import re
import socket
import time
from contextlib import suppress
from pathlib import Path

import psutil

TCP_ESTABLISHED, TCP_LISTEN, UDP_BOUND = "01", "0A", "07"
"""As C{/proc/net} writes the states of sockets."""


def processorSeconds(pid: int) -> float:
    """
    @return: the processor time that all threads of a process have used, also those that
        have ended, user and system: from the clock that POSIX gives each process.  It
        counts nanoseconds, where C{/proc/PID/stat} counts hundredths of a second.
    """
    clock = ctypes.c_int()
    error = ctypes.CDLL(None).clock_getcpuclockid(pid, ctypes.byref(clock))
    if error:
        raise ProcessLookupError(error, "no clock of that process")
    return time.clock_gettime(clock.value)


def waitedSeconds(pid: int) -> float:
    """
    @return: for how long the first thread of a process could have run and had no processor, since others had them
        all; 0 for a process that has ended, and where the system does not tell.
    """
    with suppress(OSError, IndexError, ValueError):
        return int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[1]) / 1e9
    return 0.0


def machineSeconds() -> float:
    """
    @return: the processor time that all processors have had but for what they have idled, in seconds; only
        differences of it mean something.  What is used is counted at each tick, and so told wrongly of
        programs that wake by a timer; what is idled is not.
    """
    times = psutil.cpu_times()
    return (psutil.cpu_count() or 1) * time.monotonic() - float(times.idle + times.iowait)


def privateBytes(pid: int) -> int:
    """
    @return: memory that a process has written and shares with nobody.
    """
    return sum(int(area.private_dirty) for area in psutil.Process(pid).memory_maps())


def memoryBytes(pid: int) -> int:
    """
    @return: what the process has in memory now.
    """
    return psutil.Process(pid).memory_info().rss


def family(pid: int) -> list[int]:
    """
    @return: a process, and those that it has started and that run, in the order in which it has started them.
    """
    children = (child for child in psutil.Process(pid).children() if running(child.pid))
    return [pid, *(child.pid for child in sorted(children, key=lambda child: (child.create_time(), child.pid)))]


def highestMemoryBytes(pid: int) -> int:
    """
    @return: the most that the process ever had in memory.
    """
    found = re.search(r"^VmHWM:\s*(\d+) kB", Path(f"/proc/{pid}/status").read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


def descriptors(pid: int) -> int:
    """
    @return: how many files and sockets the process has open.
    """
    return psutil.Process(pid).num_fds()


def udpPorts(pid: int) -> set[int]:
    """
    @return: the local ports of the UDP sockets of a process in our network namespace.
    """
    return {one.laddr.port for one in psutil.Process(pid).net_connections() if one.type == socket.SOCK_DGRAM}


def unreadBytes(port: int) -> int:
    """
    @return: what waits in the IPv4 UDP sockets of a local port, as the kernel counts it.
    """
    return sum(int(fields[4].rpartition(":")[2], 16) for fields in _sockets("self", "udp", port))


def overflowed(port: int) -> int:
    """
    @return: how many datagrams the kernel has dropped since the IPv4 UDP sockets of a local port had no room.
    """
    return sum(int(fields[-1].split()[-1]) for fields in _sockets("self", "udp", port))


def sockets(pid: int, table: str, port: int, state: str) -> int:
    """
    @param table: C{tcp} or C{udp}.
    @return: how many IPv4 sockets there are with a local port in a state, in the network
        namespace where the process runs (psutil looks into ours only).
    """
    return sum(fields[3] == state for fields in _sockets(str(pid), table, port))


def _sockets(process: str, table: str, port: int) -> list[list[str]]:
    wanted = f":{port:04X}"
    with suppress(FileNotFoundError), open(f"/proc/{process}/net/{table}", encoding="ascii") as lines:
        return [fields for fields in (line.split(None, 5) for line in lines) if fields[1].endswith(wanted)]
    return []


def running(pid: int) -> bool:
    """
    @return: whether the process still runs; one that has ended and that nobody has
        asked about does not.
    """
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
