"""
The limit of descriptors of this process.
"""

from __future__ import annotations

from contextlib import suppress

MAX_DESCRIPTORS = 65536
"""So many are enough for all the tunnels and sessions that a server allows."""


def raiseDescriptorLimit() -> None:
    """
    Let this process have as many descriptors as the system allows.  Each tunnel takes one,
    and the usual soft limit of 1024 is enough for a hundred clients.
    """
    with suppress(ImportError, OSError, ValueError):  # Windows has no such limit
        import resource  # noqa: PLC0415

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MAX_DESCRIPTORS)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def descriptorLimit() -> int | None:
    """
    @return: how many descriptors this process may have, or L{None} where there is no limit.
    """
    with suppress(ImportError, OSError, ValueError):
        import resource  # noqa: PLC0415

        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return None if soft == resource.RLIM_INFINITY else soft
    return None
