"""
A real HAProxy that hands connections on by turns.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from pathlib import Path

from bench.rig.ports import LOOPBACK, Address, freePort
from bench.rig.programs import environmentFor, until
from tests.integration.rig import RigTestCase
from tests.integration.test_terminator import accepts, haproxyProgram

CONFIGURATION = """\
global
    maxconn 100
defaults
    mode tcp
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend door
    bind {door[0]}:{door[1]}
    default_backend uotp
backend uotp
    balance {balance}
"""


def startByTurns(case: RigTestCase, servers: Iterable[str], balance: str = "roundrobin") -> Address:
    """
    Start it, without anything that keeps a client at one server.

    @param servers: the words of each line of a server, behind C{server}.
    @param balance: how it chooses one.
    @return: where it listens.
    """
    program = haproxyProgram()
    door = (LOOPBACK, freePort(socket.SOCK_STREAM))
    configuration = Path(case.mktemp()).resolve()
    lines = [f"    server {words}\n" for words in servers]
    configuration.write_text(CONFIGURATION.format(door=door, balance=balance) + "".join(lines), encoding="utf-8")
    case.start("haproxy", [program, "-db", "-f", str(configuration)], environmentFor())
    until(lambda: accepts(door), "HAProxy accepts connections")
    return door
