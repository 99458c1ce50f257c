"""
Who may know whom: each package imports the faces of a few others, on floors below it.
"""

from __future__ import annotations

import ast
import functools
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter

from twisted.trial.unittest import SynchronousTestCase

from tests.sources import modules

VALUES = {"train", "path", "order", "duplicate", "errors", "telemetry"}
"""Floor 1: everybody may know them."""

SEAMS = {"boundaries", "wire", "net", "process"}
"""Floor 2."""

ALLOWED = {
    # floor 1: values, and what is said and counted
    "train": set(),
    "path": set(),
    "order": set(),
    "duplicate": set(),
    "errors": set(),
    "telemetry": set(),
    # floor 2: seams, the wire, the operating system
    "boundaries": {"train", "path", "errors"},
    "wire": {"train", "order", "errors", "telemetry"},
    "net": {"path", "errors", "telemetry"},
    "process": {"errors", "telemetry"},
    # floor 3: what is done with trains, tunnels, streams and datagrams, whom we trust, and processes of ours
    "session": {"train", "path", "order", "duplicate", "telemetry", "boundaries"},
    "tunnel": {"train", "path", "order", "duplicate", "errors", "telemetry", "boundaries", "wire", "net", "process"},
    "transport": {"path", "errors", "telemetry", "boundaries", "net", "process"},
    "udp": {"train", "telemetry", "boundaries", "net", "process"},
    "tls": {"errors", "telemetry", "wire", "net", "process"},
    "workers": {"errors", "telemetry", "boundaries", "net", "process"},
    "monitoring": {"errors", "telemetry", "net", "process"},
    # floor 4: the two ends, and certificates
    "client": {*VALUES, *SEAMS, "session", "tunnel", "transport", "udp", "tls", "workers", "monitoring"},
    "server": {*VALUES, *SEAMS, "session", "tunnel", "transport", "udp", "tls", "workers", "monitoring"},
    "pki": {"errors", "telemetry", "net", "tls"},
    "doctor": {"train", "path", "errors", "telemetry", "wire", "net", "tls", "transport"},
    # floor 5: the embedding interface
    "services": {*VALUES, *SEAMS, "tunnel", "tls", "workers", "monitoring", "client", "server"},
    # floor 6: words
    "cli": {*VALUES, *SEAMS, "tunnel", "tls", "workers", "monitoring", "client", "server", "pki", "services", "doctor"},
}
"""What each package may import of the others, and of them only the face: what its C{__init__} names."""

INNER_FACES = {
    "uotp.client.workers",
    "uotp.server.workers",
    "uotp.net.policy",
    "uotp.tls.inspection",
    "uotp.tls.trial",
    "uotp.monitoring.web",
}
"""
Faces inside packages: what is behind them is loaded only where there are several processes, where a fault is
looked for, or where somebody looks.
"""

WORKERS = {"uotp.workers", *INNER_FACES}
"""What one process has no use for that nobody looks at."""

MOST_FLOORS = 6
"""How long a chain of imports from package to package may be."""

PURE = {"train", "path", "order", "duplicate", "errors", "boundaries", "wire", "session"}
"""
Packages of values and decisions, which have no business with the outside world: time and
the like come in as arguments.
"""

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
"""What of the standard library L{PURE} packages have no business with."""

OUTERMOST = {
    ("uotp.services", "orGlobalReactor"),
    ("uotp.cli.common", "commandService"),
    ("uotp.cli.main", "runEnd"),
    ("uotp.cli.demo.command", "demo"),
    ("uotp.cli.worker", "runWorker"),
}
"""Where the global reactor may be imported; everybody else is handed one."""

OUTSIDERS = {
    "services": {
        "ClientTls",
        "Duplicate",
        "Order",
        "OrderMode",
        "ProxyPlace",
        "ServerPlace",
        "ServerTls",
        "WireChoice",
        "parseProxy",
        "useMonotonicClock",
    },
}
"""Names of a face that somebody outside the program needs: who embeds it, or who measures it."""

SAME_NAMES = {
    "Options": "the command line of one end, as twistd's plugins find it",
    "makeService": "what twistd calls, by this name, at either end",
}
"""Public names that stand in more than one module, each with its reason."""


@functools.cache
def importsOf(module: str) -> frozenset[str]:
    """
    @return: full names of all that a module imports, also inside its functions.
    """
    return frozenset(name for node in ast.walk(modules()[module]) for name in importedNames(node))


def importedNames(node: ast.AST) -> Iterator[str]:
    """
    @return: the full names that an import statement brings in; nothing for any other node.
    """
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield alias.name
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute, so that they can be read"
        for alias in node.names:
            yield f"{node.module}.{alias.name}"


def definedNames(tree: ast.Module) -> Iterator[str]:
    """
    @return: the public names that a module defines at its top level.
    """
    for node in tree.body:
        names: list[ast.AST] = []
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names = [ast.Name(node.name)]
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            names = list(node.targets) if isinstance(node, ast.Assign) else [node.target]
        for name in (part for each in names for part in ast.walk(each) if isinstance(part, ast.Name)):
            if not name.id.startswith("_"):
                yield name.id


def packageOf(module: str) -> str:
    """
    @return: the package of ours, or the module beside them, that a module belongs to.
    """
    return module.split(".")[1]


class PackageTests(SynchronousTestCase):
    """
    Hold the packages to the rule, and the table to the packages.
    """

    def setUp(self) -> None:
        found = modules()
        self.modules = {name: tree for name, tree in found.items() if name not in {"uotp", "uotp._version"}}
        self.assertEqual(len(found) - len(self.modules), 2)

    def neighbours(self, module: str) -> set[str]:
        """
        @return: the modules of ours that a module imports, by their names.
        """
        ours = {name for name in importsOf(module) if name.startswith("uotp.")}
        return {name if name in self.modules else name.rpartition(".")[0] for name in ours} - {"uotp"}

    def crossings(self) -> set[tuple[str, str]]:
        """
        @return: for each package, which others its modules import.
        """
        found = {(packageOf(one), packageOf(other)) for one in self.modules for other in self.neighbours(one)}
        return {(one, other) for one, other in found if one != other}

    def test_everyPackageIsInTheTable(self) -> None:
        """
        A new package says what it may import before it is used.
        """
        self.assertEqual({packageOf(module) for module in self.modules}, set(ALLOWED))

    def test_onlyWhatIsAllowedIsImported(self) -> None:
        """
        No package knows one that it need not know.
        """
        self.assertEqual(sorted(pair for pair in self.crossings() if pair[1] not in ALLOWED[pair[0]]), [])

    def test_floorsAreFew(self) -> None:
        """
        A chain of imports passes no more packages than the house has floors, and what the table allows has no circle.
        """
        floors: dict[str, int] = {}
        for package in TopologicalSorter(ALLOWED).static_order():  # raises CycleError, which names the circle
            floors[package] = 1 + max((floors[other] for other in ALLOWED[package]), default=0)
        self.assertLessEqual(max(floors.values()), MOST_FLOORS)

    def test_modulesKnowNoneInACircle(self) -> None:
        """
        Each module can be understood after those that it uses.
        """
        order = TopologicalSorter({module: self.neighbours(module) - {module} for module in self.modules})
        order.prepare()

    def test_roomsInsideAPackageKnowNoneInACircle(self) -> None:
        """
        A package inside another can be understood after those beside it that it uses.
        """
        rooms: dict[str, set[str]] = {}
        for module in self.modules:
            for other in self.neighbours(module):
                one, two = module.rpartition(".")[0], other.rpartition(".")[0]
                if one != two and one.count(".") > 1 and one.rpartition(".")[0] == two.rpartition(".")[0]:
                    rooms.setdefault(one, set()).add(two)
        self.assertIn("uotp.session.load", rooms)
        TopologicalSorter(rooms).prepare()

    def test_acrossPackagesOnlyFacesAreImported(self) -> None:
        """
        What a package has inside is its own business.
        """
        inside = [
            f"{module} imports {other}"
            for module in self.modules
            for other in self.neighbours(module)
            if packageOf(other) != packageOf(module) and other.count(".") > 1 and other not in INNER_FACES
        ]
        self.assertEqual(inside, [])

    def test_facesNameWhatTheyHave(self) -> None:
        """
        What a package imports into its C{__init__} is its face, and is listed there; nothing
        is listed that nobody else needs.
        """
        used: dict[str, set[str]] = {}
        for module in self.modules:
            for name in importsOf(module):
                face, _, imported = name.rpartition(".")
                if face.startswith("uotp.") and packageOf(face) != packageOf(module):
                    used.setdefault(face.removeprefix("uotp."), set()).add(imported)
        for package in (*ALLOWED, *(face.removeprefix("uotp.") for face in INNER_FACES)):
            names = {
                element.value
                for node in self.modules[f"uotp.{package}"].body
                if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
                if node.targets[0].id == "__all__" and isinstance(node.value, ast.List)
                for element in node.value.elts
                if isinstance(element, ast.Constant)
            }
            if names:
                self.assertEqual(names - OUTSIDERS.get(package, set()), used.get(package, set()) & names, package)

    def test_oneProcessLoadsNothingOfWorkers(self) -> None:
        """
        A module that both ends import loads what several processes need only when there are to be several.
        """
        loaded, toLoad = set(), ["uotp.services", "uotp.cli.main", "uotp.cli.client", "uotp.cli.server"]
        while toLoad:
            module = toLoad.pop()
            if module in loaded:
                continue
            loaded.add(module)
            names = {name for node in self.modules[module].body for name in importedNames(node)}
            toLoad += [name for name in names if name in self.modules]
            toLoad += [face for name in names if (face := name.rpartition(".")[0]) in self.modules]
            toLoad += [face for name in names if (face := ".".join(name.split(".")[:2])) in self.modules]
        self.assertGreater(len(loaded), 100)
        rooms = {module for module in loaded if any(f"{module}.".startswith(f"{room}.") for room in WORKERS)}
        self.assertEqual(rooms, set())

    def test_aNameMeansOneThing(self) -> None:
        """
        Whoever finds a name in one module has found the only one that is called so.
        """
        places: dict[str, list[str]] = {}
        for module, tree in self.modules.items():
            for name in set(definedNames(tree)):
                places.setdefault(name, []).append(module)
        self.assertGreater(len(places), 300)
        self.assertEqual({name for name, where in places.items() if len(where) > 1}, set(SAME_NAMES))

    def test_valuesAndDecisionsArePure(self) -> None:
        """
        They import the standard library and each other: no socket, no clock; of Twisted
        nothing but the names of interfaces, and Deferreds.
        """
        for module in self.modules:
            if packageOf(module) not in PURE:
                continue
            for name in importsOf(module):
                top = name.split(".")[0]
                if name.startswith(("uotp.", "twisted.internet.interfaces.", "twisted.internet.defer.")):
                    continue
                self.assertIn(top, sys.stdlib_module_names | {"__future__"}, module)
                self.assertNotIn(top, OUTSIDE_WORLD, module)

    def test_chanceComesInAsAnArgument(self) -> None:
        """
        Only those who are handed to others own a generator of random numbers: the same again each time.
        """
        for module, tree in self.modules.items():
            if packageOf(module) not in PURE:
                continue
            used = {
                node.attr
                for node in ast.walk(tree)
                if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "random"
            }
            self.assertLessEqual(used, {"Random"}, module)
            self.assertFalse([name for name in importsOf(module) if name.startswith("random.")], module)

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
