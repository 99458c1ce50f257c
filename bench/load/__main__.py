"""
One end of a load.

    python -m bench.load ADDRESS

It binds a UDP socket to the address, says on which port, and then follows: each line
of its input is a JSON object whose C{do} names a request, and gets one line back.
It ends with its input.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from bench.load.crowd import Crowd, Watched
from bench.load.deeds import (
    MOST_BYTES,
    NOTHING,
    PRIME,
    Answer,
    Count,
    Deed,
    Echo,
    Flood,
    FloodSingly,
    Report,
    Witness,
)
from bench.load.sessions import Sessions
from bench.load.stamped import Ask, Pace, Record, Steady
from bench.load.trains import enlargeBuffers
from bench.load.tunnels import Tunnels

RETURN_MICROSECONDS = 200_000
"""A wait for a datagram ends after so long, to see whether it is still wanted."""

ANSWER_SECONDS = 20.0
QUIET_SECONDS = 0.3

PROOF_SECONDS = 0.01
PROOF_DATAGRAMS = 40
PROOF_BYTES = 1100
"""What a source sends at once so long after its first answer, to be worth a pool of 32, and to need it."""

DEEDS: dict[str, Callable[..., Deed]] = {
    "answer": Answer,
    "echo": Echo,
    "flood": Flood,
    "flood-singly": FloodSingly,
    "count": Count,
    "pace": Pace,
    "steady": Steady,
    "record": Record,
    "ask": Ask,
    "sessions": Sessions,
    "crowd": Crowd,
    "watched": Watched,
    "witness": Witness,
    "tunnels": Tunnels,
}

CHANGES = {"countBetween", "offer"}
"""Requests that change what is being done; each is a method of the deed."""


def openSocket(address: str) -> socket.socket:
    """
    @return: a bound UDP socket with large buffers, and waits that end.
    """
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    enlargeBuffers(udp)
    udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, RETURN_MICROSECONDS))
    udp.bind((address, 0))
    return udp


def connect(udp: socket.socket, address: list[Any]) -> Report:
    """
    Connect, say hello until there is an answer, and then send what it takes to have all
    tunnels of a pool.

    @return: whether there was one.
    """
    udp.connect((str(address[0]), int(address[1])))
    end = time.monotonic() + ANSWER_SECONDS
    answered = False
    while not answered and time.monotonic() < end:
        with suppress(*NOTHING):
            udp.send(PRIME)
            answered = udp.recv(MOST_BYTES) == PRIME
    time.sleep(PROOF_SECONDS)
    for _ in range(PROOF_DATAGRAMS if answered else 0):
        with suppress(*NOTHING):
            udp.send(PRIME.ljust(PROOF_BYTES))
            udp.recv(MOST_BYTES)
    quiet = time.monotonic() + QUIET_SECONDS
    while time.monotonic() < quiet:  # what was said more than once is answered more than once
        with suppress(*NOTHING):
            udp.recv(MOST_BYTES)
    return {"answered": answered}


class End:
    """
    A socket, and what it is used for at the moment.
    """

    def __init__(self, udp: socket.socket) -> None:
        """
        @param udp: see L{openSocket}.
        """
        self._socket = udp
        self._deed: Deed | None = None

    def obey(self, do: str, **arguments: Any) -> Report:
        """
        @param do: C{connect}, C{sample} or C{finish}, one of L{CHANGES}, or the name of a deed
            that begins.
        @return: what to say.
        """
        if do == "connect":
            return connect(self._socket, **arguments)
        if do in DEEDS:
            self._deed = DEEDS[do](self._socket, **arguments)
            self._deed.start()
            return {}
        assert self._deed is not None
        if do in CHANGES:
            getattr(self._deed, do)(**arguments)
            return {}
        return self._deed.report() if do == "sample" else self._finish(self._deed)

    def _finish(self, deed: Deed) -> Report:
        report = deed.finish()
        if isinstance(deed, Answer) and deed.onePeer and deed.peer is not None:
            self._socket.connect(deed.peer)
        return report


def main() -> None:
    """
    Follow until the input ends.
    """
    udp = openSocket(sys.argv[1])
    end = End(udp)
    print(json.dumps({"port": udp.getsockname()[1]}), flush=True)
    for line in sys.stdin:
        print(json.dumps(end.obey(**json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
