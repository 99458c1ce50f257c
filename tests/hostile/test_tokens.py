"""
Those who have a certificate and no token, or who show tokens as nobody does.
"""

from __future__ import annotations

import contextlib  # trial takes a module's `suppress` for its own
from pathlib import Path

from tests.hostile.door import Door, newIdOf, tokenExtension
from tests.hostile.trial import ATTACKER, LONG, HostileTestCase
from tests.integration.rawformat2 import clientHello
from tests.integration.rig import said

TIMES = 100 if LONG else 12
"""So often each of them tries; a handshake takes both ends some milliseconds."""

RIGHT = b"the token of a friend"


HELLOS = {
    "none": b"",
    "wrong": tokenExtension(b"the token of an enemy"),
    "nearly right": tokenExtension(RIGHT[:-1] + b"?"),
    "short": tokenExtension(RIGHT[:15]),
    "empty": b"\4\0\0",
    "long": tokenExtension(bytes(4092)),
    "right and wrong": tokenExtension(RIGHT) + tokenExtension(b"the token of an enemy"),
    "right twice": tokenExtension(RIGHT) + tokenExtension(RIGHT),
    "cut off": tokenExtension(RIGHT)[:-1],
}
"""What they show."""


class TokenTests(HostileTestCase):
    """
    A server that wants a token.
    """

    def test_aFloodOfWrongTokensOpensNothing(self) -> None:
        """
        All are answered as by a web server, and told no reason; the log has a line for each kind, and no token.
        """
        certificates = self.certificates()
        path = Path(self.mktemp()).absolute()
        path.touch(mode=0o600)
        path.write_bytes(RIGHT + b"\n")
        words = ("--token-file", str(path))
        house = self.build(certificates, server=words, client=words, token=RIGHT.decode())
        before = len(said(house.server, "opened"))
        door = Door(house.serverAddress, 2, certificates.cafile, certificates.client("attacker"))
        context = door.context()
        house.mark()
        answers = set()
        for _ in range(TIMES):
            for shown in HELLOS.values():
                with door.shakeHands(door.connect(ATTACKER), context) as connection:
                    connection.sendall(clientHello(newIdOf(2), shown))
                    with contextlib.suppress(OSError):
                        answers.add(connection.recv(24))
        self.judge("wrong tokens", house.verdict())
        self.demand(answers == {b"HTTP/1.1 400 Bad Request"}, f"answers: {answers}")
        self.demand(len(said(house.server, "opened")) == before, "a session was opened")
        lines = said(house.server, "refused a connection")
        self.demand(0 < len(lines) <= len(HELLOS), f"{len(lines)} lines")
        log = "".join(house.server.lines + house.client.lines)
        self.demand("token of a" not in log, "a token is in a log")
        self.assertHouseAsBefore()
