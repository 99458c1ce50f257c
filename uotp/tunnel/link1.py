"""
What is spoken on an open tunnel in format 1: trains, and nothing else.
"""

from __future__ import annotations

from uotp.boundaries import TrainsOfTunnel
from uotp.tunnel.link import Link, Speaker
from uotp.tunnel.readiness import Readiness
from uotp.wire import Format1Codec


class Format1Link(Link):
    """
    Trains, and nothing else.
    """

    def __init__(self, speaker: Speaker, session: TrainsOfTunnel, readiness: Readiness) -> None:
        """
        See L{Link}.
        """
        super().__init__(speaker, session, readiness)
        self._codec = Format1Codec()
        self.encode = self._codec.encode

    def received(self, data: bytes) -> None:
        """
        Hand the trains on.
        """
        trains = self._codec.decode(data)
        if trains:
            self._session.trainsFromTunnel(trains)
