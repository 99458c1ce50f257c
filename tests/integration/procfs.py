"""
What Linux says of a process, from outside: memory, descriptors, UDP sockets,
and whether it still runs.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from tests.integration.harness import needed


def requireProcfs() -> None:
    """
    @raise SkipTest: where there is no C{/proc} as Linux has it.
    """
    if not Path("/proc/self/status").exists():
        needed("/proc is missing: these tests look at processes as Linux shows them")


def _status(pid: int, field: str) -> str:
    match = re.search(rf"^{field}:\s*(\S+)", Path(f"/proc/{pid}/status").read_text(encoding="utf-8"), re.MULTILINE)
    assert match is not None
    return match[1]


def memoryBytes(pid: int) -> int:
    """
    @return: what the process has in memory now.
    """
    return int(_status(pid, "VmRSS")) * 1024


def highestMemoryBytes(pid: int) -> int:
    """
    @return: the most that the process ever had in memory.
    """
    return int(_status(pid, "VmHWM")) * 1024


def descriptors(pid: int) -> int:
    """
    @return: how many files and sockets the process has open.
    """
    return len(os.listdir(f"/proc/{pid}/fd"))


def udpPorts(pid: int) -> set[int]:
    """
    @return: the local ports of the process's UDP sockets.
    """
    owned = set()
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            owned.add(os.readlink(f"/proc/{pid}/fd/{name}"))
        except FileNotFoundError:  # closed meanwhile
            continue
    ports = set()
    for table in ("udp", "udp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text(encoding="utf-8").splitlines()[1:]:
            fields = line.split()
            if f"socket:[{fields[9]}]" in owned:
                ports.add(int(fields[1].rpartition(":")[2], 16))
    return ports


def unreadBytes(port: int) -> int:
    """
    @return: what waits in the IPv4 UDP sockets of a local port, as the kernel counts it.
    """
    unread = 0
    for line in Path("/proc/net/udp").read_text(encoding="utf-8").splitlines()[1:]:
        fields = line.split()
        if int(fields[1].rpartition(":")[2], 16) == port:
            unread += int(fields[4].rpartition(":")[2], 16)
    return unread


def running(pid: int) -> bool:
    """
    @return: whether the process still runs; one that has ended and that nobody has
        asked about does not.
    """
    try:
        return _status(pid, "State") != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
