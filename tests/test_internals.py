"""
What we use of others' packages that they do not promise: private names, and what Twisted's
transports have beyond their interfaces.  It is the reason for the bounds in C{setup.py},
and here stands which it is: it is all there in what is installed, and nothing else is used.
"""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import pkgutil
import sys
from collections.abc import Iterator
from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.base import BaseConnector
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementedBy

import uotp
from tests.sources import modules

PRIVATES = {
    "os._exit",
    "OpenSSL.SSL.Connection._from_ssl",
    "OpenSSL.SSL.Connection._into_ssl",
    "OpenSSL.SSL.Connection._raise_ssl_error",
    "OpenSSL.SSL.Connection._ssl",
    "OpenSSL.SSL.Context._context",
    "OpenSSL.SSL.Context._verify_callback",
    "OpenSSL.SSL._ffi",
    "OpenSSL.SSL._lib",
    "twisted.internet.abstract.FileDescriptor._postLoseConnection",
    "twisted.internet.abstract.FileDescriptor._tempDataLen",
    "twisted.internet.base.BaseConnector._makeTransport",
    "twisted.internet.tcp.BaseClient._connectDone",
    "twisted.internet.tcp.Port._preexistingSocket",
    "twisted.logger.FileLogObserver._outFile",
    "twisted.logger.LogPublisher._observers",
}
"""Private names of others that we use or override, each with the first that has it."""

INTERNALS = {
    "bindAddress",
    "bufferSize",
    "connected",
    "connectionFailed",
    "connectionLost",
    "connector",
    "createInternetSocket",
    "dataBuffer",
    "disconnected",
    "disconnecting",
    "factory",
    "doConnect",
    "failIfNotConnected",
    "host",
    "offset",
    "port",
    "producer",
    "producerPaused",
    "protocol",
    "reactor",
    "socket",
    "startReading",
    "startWriting",
    "stopReading",
    "stopWriting",
    "writeSomeData",
}
"""Names that we use or override of Twisted's transports, and that none of their interfaces has."""

TRANSPORTS = (FileDescriptor, BaseConnector)
"""What is subclassed for its inside.  All else is made to be subclassed, as protocols are."""

DOCUMENTED = {"_asdict", "_field_defaults", "_fields", "_make", "_replace"}
"""Names of named tuples, which begin with an underscore so as not to clash with the fields."""

MADE_BY_PYTHON = {"_abc_impl"}
"""Names that a class has and nobody has written."""

REFLECTION = {"delattr", "getattr", "hasattr", "setattr"}


def isPrivate(name: str) -> bool:
    """
    @return: whether a name is nobody's business but its owner's.
    """
    return name.startswith("_") and not name.endswith("__") and name not in DOCUMENTED | MADE_BY_PYTHON


def isOurs(name: str) -> bool:
    """
    @return: whether this is the full name of something of ours.
    """
    return name.split(".", maxsplit=1)[0] == "uotp"


@functools.cache
def classNodes(module: str) -> dict[str, ast.ClassDef]:
    """
    @param module: a module's full name.
    @return: its classes by their names, those without a source left out.
    """
    try:
        source = inspect.getsource(sys.modules[module])
    except (OSError, TypeError):
        return {}
    return {node.name: node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef)}


def attributes(tree: ast.AST) -> Iterator[tuple[ast.expr, str]]:
    """
    @return: the owner and the name of each attribute that is used there, also where its
        name is a text that is given to C{getattr} and its like.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield node.value, node.attr
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in REFLECTION:
            match node.args:
                case [owner, ast.Constant(value=str(name)), *_]:
                    yield owner, name


def isOneself(owner: ast.expr) -> bool:
    """
    @return: whether this is a method's own object, seen as any class.
    """
    match owner:
        case ast.Name(id="self" | "cls"):
            return True
        case ast.Call(func=ast.Name(id="super")) | ast.Call(func=ast.Name(id="type"), args=[ast.Name(id="self")]):
            return True
    return False


@functools.cache
def namesWithin(aClass: type) -> set[str]:
    """
    @return: the names that a class defines, and those that its methods use of themselves.
    """
    node = classNodes(aClass.__module__).get(aClass.__name__)
    used = {name for owner, name in attributes(node) if isOneself(owner)} if node is not None else set()
    return used | set(vars(aClass))


def othersAbove(aClass: type) -> list[type]:
    """
    @return: the classes of other packages that a class inherits from, the nearest first.
    """
    return [
        base
        for base in aClass.__mro__
        if not isOurs(base.__module__) and base.__module__.split(".")[0] not in sys.stdlib_module_names
    ]


def firstOwners(aClass: type) -> dict[str, str]:
    """
    @return: for each name that a class shares with others' classes above it, the full name
        of the first of these that has it.
    """
    found = {}
    ours = namesWithin(aClass)
    for base in othersAbove(aClass):
        if base is not aClass:
            found.update(dict.fromkeys(ours & namesWithin(base), f"{base.__module__}.{base.__qualname__}"))
    return found


def privatesAbove(aClass: type) -> set[str]:
    """
    @return: the private names that a class uses of others' classes above it, or overrides,
        on purpose or not; each with the first that has it.
    """
    return {f"{owner}.{name}" for name, owner in firstOwners(aClass).items() if isPrivate(name)}


def internalsAbove(aClass: type) -> set[str]:
    """
    @return: the names that a transport uses of others' classes above it, or overrides, and
        that look public but are in none of its interfaces; for any other class nothing.
    """
    if not issubclass(aClass, TRANSPORTS):
        return set()
    promised = {name for interface in implementedBy(aClass).flattened() for name in interface.names()}
    return {name for name in firstOwners(aClass) if not name.startswith("_") and name not in promised}


def privatesElsewhere(tree: ast.AST) -> set[str]:
    """
    @return: the private names that a module uses of anything but a method's own object, and
        those that it imports, all without their owners.
    """
    found = {name for owner, name in attributes(tree) if not isOneself(owner)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(part for alias in node.names for part in alias.name.split("."))
        elif isinstance(node, ast.ImportFrom) and not isOurs(str(node.module)):
            found.update([*str(node.module).split("."), *(alias.name for alias in node.names)])
    return set(filter(isPrivate, found))


def resolved(fullName: str) -> tuple[Any, str]:
    """
    @param fullName: the names of a module and of a class in it, if any, and one of theirs.
    @return: the module or the class, and the name.
    @raise AttributeError: when there is no such class.
    """
    path, _, name = fullName.rpartition(".")
    try:
        return importlib.import_module(path), name
    except ModuleNotFoundError:
        module, _, className = path.rpartition(".")
        return getattr(importlib.import_module(module), className), name


class Sample(FileDescriptor):
    """
    Uses its base class in each of the ways there are.
    """

    bufferSize = 0
    _ownName = 0

    def _postLoseConnection(self) -> Any:
        return super()._postLoseConnection() or self._ownName

    def startReading(self) -> None:
        self._tempDataLen += getattr(self, "_writeDisconnected", 0)
        del self.offset


SAMPLE = """
import twisted._first.here
from twisted._second import _third, public
from uotp._version import _ours
from __future__ import annotations

other._fourth = getattr(other, "_fifth", 0) + self.inside._sixth
self._own = super()._own + getattr(cls, "_own") + type(self)._own
run._replace(x=other.__dict__, y=other.public)
"""


class InternalsTests(SynchronousTestCase):
    """
    Find what is used of others, and see that it is there.
    """

    def setUp(self) -> None:
        found = pkgutil.walk_packages(uotp.__path__, "uotp.")
        self.modules = [importlib.import_module(module.name) for module in found]
        self.classes = {
            value
            for module in self.modules
            for value in vars(module).values()
            if isinstance(value, type) and value.__module__ == module.__name__
        }

    def test_othersPrivateNamesAreTheseAndNoMore(self) -> None:
        """
        Whoever uses another one writes it down, and makes sure of the bound in C{setup.py}.
        """
        used = set().union(*map(privatesAbove, self.classes))
        self.assertLessEqual(used, PRIVATES)
        listed = {fullName.rpartition(".")[2]: fullName for fullName in PRIVATES}
        for module in self.modules:
            names = privatesElsewhere(modules()[module.__name__])
            self.assertLessEqual(names, set(listed), module.__name__)
            used.update(listed[name] for name in names)
        self.assertEqual(used, PRIVATES)

    def test_theInsideOfTransportsIsTheseAndNoMore(self) -> None:
        """
        The same of names that look public.  One that Twisted has lost is missed here.
        """
        self.assertEqual(set().union(*map(internalsAbove, self.classes)), INTERNALS)

    def test_allPrivateNamesAreThere(self) -> None:
        """
        A release that has lost one of them is found here, and not when a connection is made.
        """
        for fullName in sorted(PRIVATES):
            owner, name = resolved(fullName)
            self.assertIn(name, namesWithin(owner) if isinstance(owner, type) else vars(owner), fullName)

    def test_theRuleFindsWhatIsInherited(self) -> None:
        """
        Names that are overridden, called, read, set and asked for by a text.
        """
        prefix = "twisted.internet.abstract.FileDescriptor."
        names = ("_postLoseConnection", "_tempDataLen", "_writeDisconnected")
        self.assertEqual(privatesAbove(Sample), {prefix + name for name in names})
        self.assertEqual(internalsAbove(Sample), {"bufferSize", "offset", "startReading"})

    def test_theRuleFindsWhatIsSomebodyElses(self) -> None:
        """
        Names of other objects, and of other packages.
        """
        expected = {"_first", "_second", "_third", "_fourth", "_fifth", "_sixth"}
        self.assertEqual(privatesElsewhere(ast.parse(SAMPLE)), expected)
