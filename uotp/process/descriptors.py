"""
How many descriptors this process may have.
"""

from __future__ import annotations

from contextlib import suppress

MAX_DESCRIPTORS = 65536
"""Enough for all the tunnels and sessions that the server's own limits allow."""


def raiseDescriptorLimit() -> None:
    """
    Let this process have as many descriptors as the system allows it: each tunnel
    takes one, and the usual soft limit of 1024 is a hundred clients' worth.
    """
    with suppress(ImportError, OSError, ValueError):  # Windows has no such limit
        import resource  # noqa: PLC0415

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MAX_DESCRIPTORS)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
