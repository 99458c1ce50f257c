"""
How a client begins at a place that is behind a web server.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import partial

from uotp.boundaries import Upgrade
from uotp.net import ServerPlace
from uotp.transport import WebSocketUpgrade


def upgradeTo(place: ServerPlace, *, isPlain: bool) -> Callable[[], Upgrade] | None:
    """
    @param isPlain: whether there is no TLS.
    @return: what begins, once for each connection, to ask for WebSocket there; L{None} where the place is none of a
        web server.
    """
    if place.path is None:
        return None
    return partial(WebSocketUpgrade, place.hostField(isPlain=isPlain), place.path, secrets.token_bytes)
