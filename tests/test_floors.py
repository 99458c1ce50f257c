"""
Who may know whom: the rooms of the house have floors, and imports go down only.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import uotp

FLOORS = {
    # pure: values and decisions, from the standard library alone
    "uotp.errors": 0,
    "uotp.train": 0,
    "uotp.wire": 0,
    "uotp.wire.hello": 0,
    "uotp.wire.negotiation": 0,
    "uotp.wire.format1": 0,
    "uotp.wire.format2": 0,
    "uotp.session.ranges": 0,
    "uotp.session.resequencer": 0,
    "uotp.telemetry.drops": 0,
    "uotp.session.backlog": 0,
    "uotp.session.scheduler": 0,
    "uotp.session.parallelism": 0,
    "uotp.session.stickiness": 0,
    "uotp.tunnel.unacked": 0,
    "uotp.session.reinjection": 0,
    "uotp.session.outbound": 0,
    "uotp.client.backoff": 0,
    "uotp.telemetry.ratelimit": 0,
    "uotp.boundaries": 0,
    "uotp.cli.demo.results": 0,
    "uotp.cli.demo.exchange": 0,
    # input and output: what touches sockets, files, clocks, logs and cryptography
    "uotp": 1,
    "uotp.server.settings": 2,
    "uotp.client.settings": 2,
    "uotp.client.failures": 2,
    "uotp.net.hosts": 1,
    "uotp.process.descriptors": 1,
    "uotp.net.tcpinfo": 1,
    "uotp.tunnel.link2": 1,
    "uotp.tunnel.link1": 1,
    "uotp.tunnel.dialled": 1,
    "uotp.path": 0,
    "uotp.server": 0,
    "uotp.client": 0,
    "uotp.tunnel": 0,
    "uotp.session": 0,
    "uotp.transport": 0,
    "uotp.tls": 0,
    "uotp.net": 0,
    "uotp.process": 0,
    "uotp.telemetry": 0,
    "uotp.pki": 0,
    "uotp.cli.demo": 0,
    "uotp.cli": 0,
    "uotp._version": 1,
    "uotp.process.clock": 1,
    "uotp.telemetry.log": 1,
    "uotp.process.periodic": 1,
    "uotp.tunnel.states": 0,
    "uotp.process.statemachine": 1,
    "uotp.tunnel.heartbeat": 1,
    "uotp.tunnel.link": 0,
    "uotp.tunnel.links": 1,
    "uotp.client.reachability": 1,
    "uotp.tunnel.accepted": 1,
    "uotp.process.signals": 1,
    "uotp.net.sockopts": 1,
    "uotp.net.resolver": 1,
    "uotp.udp": 1,
    "uotp.udp.base": 1,
    "uotp.udp.recvmmsg": 1,
    "uotp.udp.linux": 1,
    "uotp.udp.portable": 1,
    "uotp.udp.gso": 1,
    "uotp.udp.buffers": 1,
    "uotp.udp.abi": 1,
    "uotp.tunnel.tunnel": 1,
    "uotp.transport.tcp": 1,
    "uotp.transport.tls": 1,
    "uotp.transport.dialer": 1,
    "uotp.tls.pem": 1,
    "uotp.tls.reasons": 1,
    "uotp.tls.contexts": 1,
    "uotp.tls.verification": 1,
    "uotp.tls.credentials": 1,
    "uotp.pki.issue": 1,
    "uotp.pki.directory": 1,
    # life: what comes, lasts and goes
    "uotp.tunnel.live": 2,
    "uotp.session.pacer": 2,
    "uotp.session.session": 2,
    "uotp.server.target": 2,
    "uotp.session.inbound": 2,
    "uotp.client.attempt": 2,
    "uotp.session.closing": 2,
    "uotp.client.slot": 2,
    "uotp.client.slotstates": 0,
    "uotp.client.context": 2,
    "uotp.client.lifetime": 0,
    "uotp.tunnel.readiness": 0,
    "uotp.client.pool": 2,
    "uotp.client.sessions": 2,
    "uotp.server.registry": 2,
    "uotp.server.acceptor": 2,
    # face: services and the command lines of both ends
    "uotp.tunnel.service": 3,
    "uotp.client.service": 3,
    "uotp.server.service": 3,
    "uotp.services": 3,
    "uotp.cli.options": 3,
    "uotp.cli.common": 3,
    "uotp.cli.client": 3,
    "uotp.cli.server": 3,
    # programs
    "uotp.cli.demo.progress": 4,
    "uotp.cli.demo.stage": 4,
    "uotp.cli.demo.command": 4,
    "uotp.cli.cert": 4,
    "uotp.cli.main": 4,
}
"""The floor of each module.  Neighbours on a floor may know each other, but not in a circle."""

OUTSIDE_WORLD = {
    "asyncio",
    "datetime",
    "os",
    "secrets",
    "select",
    "selectors",
    "signal",
    "socket",
    "ssl",
    "subprocess",
    "sys",
    "threading",
    "time",
}
"""Of the standard library, what floor 0 has no business with: time and the like come in as arguments."""

OUTERMOST = {
    ("uotp.services", "orGlobalReactor"),
    ("uotp.cli.common", "commandService"),
    ("uotp.cli.main", "runEnd"),
    ("uotp.cli.demo.command", "demo"),
}
"""Where the global reactor may be imported; everybody else is handed one."""

ENDS = {
    "client": {
        "uotp.transport.dialer",
        "uotp.client.pool",
        "uotp.client.sessions",
        "uotp.client.service",
        "uotp.cli.client",
    },
    "server": {
        "uotp.server.target",
        "uotp.server.registry",
        "uotp.server.acceptor",
        "uotp.server.service",
        "uotp.cli.server",
    },
}
"""Rooms that only one end has."""

PACKAGE = Path(uotp.__file__).parent


def modules() -> dict[str, ast.Module]:
    """
    @return: every module of the package by its name.
    """
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = ast.parse(path.read_bytes())
    return found


def importedNames(node: ast.AST) -> Iterator[str]:
    """
    @return: the full names that an import statement brings in; nothing for any
        other node.
    """
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield alias.name
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute, so that they can be read"
        for alias in node.names:
            yield f"{node.module}.{alias.name}"


class FloorTests(SynchronousTestCase):
    """
    The rule, and that the table tells of everybody.
    """

    def setUp(self) -> None:
        """
        Read all modules.
        """
        self.modules = modules()

    def imports(self, module: str) -> set[str]:
        """
        @return: full names of all that a module imports, also inside its functions.
        """
        return {name for node in ast.walk(self.modules[module]) for name in importedNames(node)}

    def neighbours(self, module: str) -> set[str]:
        """
        @return: the modules of ours that a module imports, by their names.
        """
        found = set()
        for name in self.imports(module):
            if name == "uotp" or name.startswith("uotp."):
                found.add(name if name in self.modules else name.rpartition(".")[0])
        return found

    def test_everyModuleHasAFloor(self) -> None:
        """
        A new room is put on its floor here before it is used.
        """
        self.assertEqual(set(FLOORS), set(self.modules))

    def test_importsGoDownOnly(self) -> None:
        """
        No room knows one above it.
        """
        up = [
            f"{module} (floor {FLOORS[module]}) imports {other} (floor {FLOORS[other]})"
            for module in self.modules
            for other in self.neighbours(module)
            if FLOORS[other] > FLOORS[module]
        ]
        self.assertEqual(up, [])

    def test_nobodyKnowsHimselfInACircle(self) -> None:
        """
        Each room can be understood after those that it uses.
        """
        order = TopologicalSorter({module: self.neighbours(module) for module in self.modules})
        order.prepare()  # raises CycleError, which names the circle

    def test_theGroundFloorIsPure(self) -> None:
        """
        It imports the standard library and itself: no Twisted, no socket, no clock.
        """
        for module, floor in FLOORS.items():
            if floor > 0:
                continue
            others = {name.split(".")[0] for name in self.imports(module)} - {"uotp", "__future__"}
            self.assertEqual(others - sys.stdlib_module_names, set(), module)
            self.assertEqual(others & OUTSIDE_WORLD, set(), module)

    def test_chanceComesInAsAnArgument(self) -> None:
        """
        The ground floor uses generators that it is given, or a seed: the same again each time.
        """
        for module, floor in FLOORS.items():
            if floor == 0:
                used = {
                    node.attr
                    for node in ast.walk(self.modules[module])
                    if isinstance(node, ast.Attribute)
                    and isinstance(node.value, ast.Name)
                    and node.value.id == "random"
                }
                self.assertLessEqual(used, {"Random"}, module)
                self.assertFalse([name for name in self.imports(module) if name.startswith("random.")], module)

    def test_theGlobalReactorIsForTheOutermostFunctions(self) -> None:
        """
        Importing a module of ours installs none, and all else is handed the one to use.
        """
        found = set()
        for module, tree in self.modules.items():
            for node in tree.body:
                inner = {name for part in ast.walk(node) for name in importedNames(part)}
                if "twisted.internet.reactor" in {".".join(name.split(".")[:3]) for name in inner}:
                    found.add((module, getattr(node, "name", "at its top level")))
        self.assertEqual(found, OUTERMOST)

    def test_eachEndDoesWithoutTheOther(self) -> None:
        """
        What both need is a room of its own.
        """
        for one, other in (("client", "server"), ("server", "client")):
            for module in ENDS[one]:
                self.assertEqual(self.neighbours(module) & ENDS[other], set(), module)
