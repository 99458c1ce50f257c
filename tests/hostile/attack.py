"""
An attacker: C{python -m tests.hostile.attack KIND JSON}.  It makes ready and says so; with the
order C{go} it attacks, and answers when that is done; with C{end} it lets go of all that it
holds.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any, Protocol

from tests.hostile.assource import Flooded, Forged, Heavy, Lights, Questions
from tests.hostile.atthedoor import Chain, Handshakes, Hellos, Stalled
from tests.hostile.door import Door, allowDescriptors
from tests.hostile.inwebsocket import Closes, Messages
from tests.hostile.ontunnels import Deaf, Download, Flood, Newcomers, Sessions, Storm, Tunnels
from tests.hostile.orders import Report, say
from tests.hostile.shady import Shady
from tests.hostile.visiting import Visit


class Attack(Protocol):
    """
    Something that an attacker does.
    """

    def go(self) -> Report:
        """
        Do it.

        @return: how it went.
        """

    def end(self) -> Report:
        """
        Let go.

        @return: how things stand then.
        """


KINDS: dict[str, Callable[..., Attack]] = {
    kind.__name__.lower(): kind
    for kind in (
        *(Flood, Deaf, Sessions, Tunnels, Storm, Download, Newcomers),
        *(Hellos, Handshakes, Stalled, Chain),
        *(Messages, Closes),
        *(Forged, Questions, Lights, Heavy, Flooded, Shady, Visit),
    )
}


def made(kind: str, options: dict[str, Any]) -> Attack:
    """
    @param options: those of the attack; C{door} as a list of what L{Door} is made of, and
        an address as a list of its parts.
    @return: the attack, ready.
    """
    for name in ("client", "to"):
        if name in options:
            options[name] = tuple(options[name])
    if "door" in options:
        server, *rest = options["door"]
        options["door"] = Door(tuple(server), *rest)
    return KINDS[kind](**options)


def main() -> None:
    """
    Be ready, attack when told to, and end when told to.
    """
    allowDescriptors()
    attack = made(sys.argv[1], json.loads(sys.argv[2]))
    say({"ready": True})
    for line in sys.stdin:
        say(attack.go() if line.strip() == "go" else attack.end())


if __name__ == "__main__":
    main()
