"""
Every Deferred has an end: it is returned, kept, or handed to L{uotp.telemetry.orLog}, which logs
what nobody has expected.  One that is dropped ends in silence when it fails.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from twisted.trial.unittest import SynchronousTestCase

from tests.sources import modules

CHAINING = {"addCallback", "addCallbacks", "addErrback", "addBoth", "addTimeout"}
"""Methods of a Deferred that return it."""

TWISTED = {"DeferredList", "deferLater", "deferToThread", "gatherResults", "maybeDeferred", *CHAINING}
"""What of Twisted returns one, and is called like nothing else."""

DROPPERS = {"callFromThread", "callLater", "callWhenRunning", "every", "later", "take"}
"""What calls a function and drops what that returns."""

ENDS = {("uotp.telemetry.ends", "orLog"): "it is the end"}
"""Where one may be dropped: module and function, each with its reason."""


def nameOf(node: ast.expr) -> str:
    """
    @return: the last name of what is called, or nothing.
    """
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def returning(trees: dict[str, ast.Module]) -> set[str]:
    """
    @return: names of functions and methods that return a Deferred, wherever one is called so.  The type checker
        knows what each call returns, and finds more; this needs no types.
    """
    both: dict[bool, set[str]] = {True: set(), False: set()}
    for tree in trees.values():
        for _, node in functionsOf(tree):
            both[node.returns is not None and "Deferred[" in ast.unparse(node.returns)].add(node.name)
    return both[True] - both[False]


def functionsOf(tree: ast.AST) -> Iterator[tuple[str, ast.FunctionDef]]:
    """
    @return: every function with its name, also those in others.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            yield node.name, node


def bodyOf(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """
    @return: what is in a function, without the functions in it.
    """
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.Lambda | ast.ClassDef):
            waiting.extend(ast.iter_child_nodes(node))


def rootOf(call: ast.expr) -> ast.expr:
    """
    @return: what the calls of a chain like C{a.addCallback(b).addErrback(c)} begin with.
    """
    while isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in CHAINING:
        call = call.func.value
    return call


def isKept(name: str, function: ast.FunctionDef) -> bool:
    """
    @return: whether a variable of a function that holds a Deferred goes anywhere: is returned, stored, or handed
        to something, besides that callbacks are added to it.
    """
    chained = {
        id(root)
        for node in bodyOf(function)
        if isinstance(node, ast.Expr) and isinstance(root := rootOf(node.value), ast.Name)
    }
    questions = {id(node.value) for node in bodyOf(function) if isinstance(node, ast.Attribute)}
    return any(
        isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load) and id(node) not in chained
        for node in bodyOf(function)
        if id(node) not in questions or isKeptByChain(node, function)
    )


def isKeptByChain(node: ast.AST, function: ast.FunctionDef) -> bool:
    """
    @return: whether a variable is the begin of a chain that is itself returned, stored or handed on.
    """
    for statement in bodyOf(function):
        if isinstance(statement, ast.Return | ast.Assign | ast.AnnAssign) and statement.value is not None:
            if rootOf(statement.value) is node and statement.value is not node:
                return True
        elif isinstance(statement, ast.Call) and any(
            rootOf(argument) is node and argument is not node for argument in statement.args
        ):
            return True
    return False


def dropped(module: str, tree: ast.Module, known: set[str]) -> Iterator[str]:
    """
    @param known: names of what returns a Deferred.
    @return: each place where one is dropped, in words.
    """
    for name, function in functionsOf(tree):
        for node in bodyOf(function):
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
                called = nameOf(node.value.func)
                root = rootOf(node.value)
                isVariable = called in CHAINING and isinstance(root, ast.Name) and isKept(root.id, function)
                if called in known and not isVariable and (module, name) not in ENDS:
                    yield f"{module}, {name}: {ast.unparse(node)}"
            if isinstance(node, ast.Call) and nameOf(node.func) in DROPPERS:
                for argument in node.args:
                    isCall = isinstance(argument, ast.Lambda) and isinstance(argument.body, ast.Call)
                    handed = argument.body.func if isCall else argument  # type: ignore[attr-defined]
                    if nameOf(handed) in known:
                        yield f"{module}, {name}: {ast.unparse(node)}"


class EndTests(SynchronousTestCase):
    """
    Read all modules.
    """

    def test_everyDeferredHasAnEnd(self) -> None:
        trees = modules()
        known = returning(trees) | TWISTED
        found = [place for module, tree in trees.items() for place in dropped(module, tree, known)]
        self.assertEqual(found, [])
        self.assertLessEqual({"lookUp", "whenSent", "findAgain"}, known)

    def places(self, text: str) -> int:
        """
        @return: how many are dropped in a function.
        """
        lines = "\n".join(f"    {line}" for line in text.splitlines())
        return len(list(dropped("module", ast.parse(f"def f():\n{lines}"), TWISTED | {"lookUp"})))

    def test_endsAreTold(self) -> None:
        for text in (
            "return lookUp().addCallback(a)",
            "self._looking = lookUp()",
            "orLog(lookUp().addCallback(a), log, 'words')",
            "d = lookUp()\nd.addCallback(a)\nreturn d",
            "d = lookUp()\nd.addCallback(a)\nself._waiting.append(d)",
            "d = lookUp()\nif d.called:\n    return d.addCallback(a)\nreturn d",
            "self._waiting.append(1)",
        ):
            self.assertEqual((text, self.places(text)), (text, 0))

    def test_whatIsDroppedIsFound(self) -> None:
        for text in (
            "lookUp()",
            "self.resolver.lookUp().addCallback(a)",
            "lookUp().addCallbacks(a, b)",
            "lookUp().addErrback(a)",
            "d = lookUp()\nd.addCallback(a)",
            "d = lookUp()\nif d.called:\n    d.addCallback(a)",
            "self.clock.callLater(0, self.lookUp)",
            "self.clock.callLater(0, lambda: self.lookUp())",
            "gatherResults([a, b])",
        ):
            self.assertEqual((text, self.places(text)), (text, 1))
