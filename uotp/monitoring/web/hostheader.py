"""
For whom a browser takes us.  A page of a stranger may have a name that leads to this machine, and ask us what we
tell nobody else; the browser then says that name.  So we answer only to addresses, to C{localhost}, and to the name
of this machine.
"""

from __future__ import annotations

import re

from uotp.net import Host

HOST = re.compile(r"(\[[^\[\]\s]{2,100}\]|[^:\[\]\s]{1,255})(:[0-9]{1,5})?")
"""A host with or without a port; an IPv6 address is in brackets."""


def isForUs(header: str | None, ownName: str) -> bool:
    """
    @param header: the host that a request is for, as HTTP has it; L{None} when it says none, as old programs do.
    @param ownName: the name of this machine.
    @return: whether that is a name of ours that no stranger can have.
    """
    if header is None:
        return True
    match = HOST.fullmatch(header.strip())
    if match is None:
        return False
    host = match[1].strip("[]").removesuffix(".").lower()
    return host in {"localhost", ownName.lower()} or Host.parse(host).address is not None
