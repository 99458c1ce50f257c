"""
The file with twistd's process id that a crash has left.  twistd refuses to start while any process
has that number.  After a boot, and in a container, which begins to count anew, that is often
another program, or we ourselves.
"""

from __future__ import annotations

import os
from pathlib import Path

MAY_BE_TWISTD = (b"twist", b"uotp")
"""Who has none of these words in its command line has not been started by twistd."""


def removeStalePidFile(path: str, processes: str = "/proc") -> bool:
    """
    Remove a pid file when the process that it names is certainly none of twistd's, or when it
    names none since the machine went down while it was written.  In doubt twistd decides.

    @param path: the file, which may not be there.
    @param processes: where the system tells of its processes, as Linux does.
    @return: whether it was removed.
    """
    try:
        text = Path(path).read_bytes()
        isStale = not text.strip(b"\0\n\r\t ") or isAnothers(int(text), processes)
        if isStale:
            os.remove(path)
    except (OSError, ValueError):  # twistd says what is wrong
        return False
    return isStale


def isAnothers(pid: int, processes: str) -> bool:
    """
    @return: whether a process is certainly not one that twistd runs.
    @raise OSError: when there is none, or the system does not tell.
    """
    if pid == os.getpid():
        return True
    command = Path(processes, str(pid), "cmdline").read_bytes()
    return not any(word in command for word in MAY_BE_TWISTD)
