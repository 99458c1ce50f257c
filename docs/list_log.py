"""
Writes C{docs/reference/log.rst}: every message that the program logs, as it stands in the code.  Run it
after a change of a message; a test compares the page with the code::

    python docs/list_log.py

A message is the format that is handed to a method of a logger, or to a function that hands it on to
one: such functions are found as well, since one of their parameters is the format.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
SOURCE = FOLDER.parent / "uotp"
PAGE = FOLDER / "reference" / "log.rst"

METHODS = {"debug": "debug", "info": "info", "warn": "warn", "error": "error", "critical": "critical"}
"""Methods of a logger that log at one level."""

FAILURE = "failure"
"""The method that logs an error with its traceback, at C{critical}."""

LEVELS = ("critical", "error", "warn", "info", "debug")
"""The worst first."""

HEAD = """\
============
Log messages
============

.. This page is written by ``python docs/list_log.py``: change the messages, and not the page.

These are all messages that the program logs itself, by the part that logs them, which each line of the log names.
Words in braces are fields: with ``--log-format json`` each is a key of its own, but for those whose names end in
``Words``.  Such a field is part of a sentence, and may be empty; what it says stands in fields of their own.
Any message may have ``(and 3 not said before)`` behind it, and ``suppressed`` as a field then.

The levels are ``critical`` (with ``-v``: ``fatal``), ``error``, ``warn``, ``info`` and ``debug``.  A
message of an error that nobody has expected comes with a traceback: please report it.
"""


PLACE = "\0"
"""Stands for a text that is not known yet."""


@dataclass(frozen=True, slots=True)
class Wrapper:
    """
    Is a function that hands a format on to a logger.

    @ivar words: the position of the format among its arguments.
    @ivar wordsName: its name.
    @ivar level: the level at which it logs; empty where an argument says so.
    @ivar levelAt: the position of that argument.
    @ivar frame: what it makes of the format, which L{PLACE} stands for.
    """

    words: int
    wordsName: str
    level: str
    levelAt: int = -1
    frame: str = PLACE


ANYWHERE = ""
"""Stands for any module, where a function may be called from others than its own."""

SHARED = {
    (ANYWHERE, "logCounted"): Wrapper(3, "words", "", 1),
    (ANYWHERE, "orLog"): Wrapper(2, "words", "critical"),
    (ANYWHERE, "warnAtStart"): Wrapper(0, "words", "warn"),
}
"""Functions that are known to hand formats on; the last keeps them for later."""


@dataclass(slots=True)
class Listing:
    """
    Collects messages, and the functions that hand them on.

    @ivar messages: module, level and format of each.
    @ivar unknown: calls whose format is not found, as C{module:line}.
    """

    messages: set[tuple[str, str, str]] = field(default_factory=set)
    wrappers: dict[tuple[str, str], Wrapper] = field(default_factory=lambda: dict(SHARED))
    unknown: set[str] = field(default_factory=set)

    def read(self, trees: dict[str, ast.Module]) -> None:
        """
        Read all modules, again and again until no function is found any more.
        """
        calls = [
            (module, tree, function, list(callsIn(function)))
            for module, tree in trees.items()
            for function in functionsOf(tree)
        ]
        known = -1
        while known != len(self.wrappers):
            known = len(self.wrappers)
            self.messages.clear()
            self.unknown.clear()
            for each in calls:
                self._readFunction(*each)

    def _readFunction(
        self, module: str, tree: ast.Module, function: ast.FunctionDef, calls: Sequence[ast.Call]
    ) -> None:
        for call in calls:
            found = self._asLogged(module, call)
            if found is None:
                continue
            words, level, frame = found
            parameters = [each.arg for each in function.args.args if each.arg != "self"]
            formats = texts(words, function, tree)
            if formats:
                levels = levelsIn(level) if isinstance(level, ast.expr) else [level]
                self.messages.update((module, each, frame.replace(PLACE, text)) for each in levels for text in formats)
            elif (framed := framedName(words, parameters)) is not None:
                name, own = framed
                self._wrap((module, function.name), parameters, name, level, frame.replace(PLACE, own))
            else:
                self.unknown.add(f"{module}:{call.lineno}")

    def _wrap(
        self, place: tuple[str, str], parameters: list[str], words: str, level: ast.expr | str, frame: str
    ) -> None:
        if place[1] in {*METHODS, "emit"} or (ANYWHERE, place[1]) in self.wrappers:
            return
        if isinstance(level, ast.Name) and level.id in parameters:
            wrapper = Wrapper(parameters.index(words), words, "", parameters.index(level.id), frame)
        else:
            said = level if isinstance(level, str) else levelsIn(level)[0]
            wrapper = Wrapper(parameters.index(words), words, said, frame=frame)
        self.wrappers.setdefault(place, wrapper)
        if not place[1].startswith("_"):
            self.wrappers.setdefault((ANYWHERE, place[1]), wrapper)

    def _asLogged(self, module: str, call: ast.Call) -> tuple[ast.expr, ast.expr | str, str] | None:
        """
        @return: the format, the level, and what is made of the format, of a call that logs; or L{None}.
        """
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        wrapper = self.wrappers.get((module, name)) or self.wrappers.get((ANYWHERE, name))
        if wrapper is None and name not in {*METHODS, FAILURE, "emit"}:
            return None
        owner = ast.unparse(call.func.value) if isinstance(call.func, ast.Attribute) else ""
        isLogger = re.search(r"log$", owner.split("(")[0], re.IGNORECASE) is not None or owner.startswith("Logger(")
        if isLogger and call.args and name in {*METHODS, FAILURE}:
            return call.args[0], METHODS.get(name, "critical"), PLACE
        if isLogger and name == "emit" and len(call.args) > 1:
            return call.args[1], call.args[0], PLACE
        if wrapper is None:
            return None
        words = call.args[wrapper.words] if len(call.args) > wrapper.words else keyword(call, wrapper.wordsName)
        if words is None:
            return None
        return words, wrapper.level or call.args[wrapper.levelAt], wrapper.frame


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    """
    @return: the value of a keyword argument, if there is one.
    """
    return next((each.value for each in call.keywords if each.arg == name), None)


def functionsOf(tree: ast.AST) -> Iterator[ast.FunctionDef]:
    """
    @return: every function.
    """
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def callsIn(function: ast.FunctionDef) -> Iterator[ast.Call]:
    """
    @return: the calls in a function, without those of functions in it.
    """
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef):
            continue
        if isinstance(node, ast.Call):
            yield node
        waiting += ast.iter_child_nodes(node)


def framedName(words: ast.expr, parameters: list[str]) -> tuple[str, str] | None:
    """
    @return: the parameter that is a format, alone or with a text before or behind it, and what is made of it; or
        L{None}.
    """
    match words:
        case ast.Name(id=name) if name in parameters:
            return name, PLACE
        case ast.BinOp(left=ast.Name(id=name), right=ast.Constant(value=str(text))) if name in parameters:
            return name, PLACE + text
        case ast.BinOp(left=ast.Constant(value=str(text)), right=ast.Name(id=name)) if name in parameters:
            return name, text + PLACE
    return None


def texts(words: ast.expr, function: ast.FunctionDef, tree: ast.Module) -> list[str]:  # noqa: PLR0911 - one for each kind
    """
    @return: which texts an expression may be: those that are written there, or that a name stands for.
    """
    match words:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.IfExp(body=one, orelse=other):
            return texts(one, function, tree) + texts(other, function, tree)
        case ast.BinOp(left=one, right=other):
            behind = texts(other, function, tree)
            return [left + right for left in texts(one, function, tree) for right in behind]
        case ast.Dict(values=values):
            return [text for value in values for text in texts(value, function, tree)]
        case ast.Tuple(elts=values):
            return [text for value in values for text in texts(value, function, tree)]
        case ast.Subscript(value=one):
            return texts(one, function, tree)
        case ast.Call(func=ast.Attribute(value=one, attr="get"), args=[_, other]):
            return texts(one, function, tree) + texts(other, function, tree)
        case ast.Name(id=name):
            return [text for value in valuesOf(name, function, tree) for text in texts(value, function, tree)]
    return []


def valuesOf(name: str, function: ast.FunctionDef, tree: ast.Module) -> list[ast.expr]:
    """
    @return: what is assigned to a name in a function, or else at the top of the module.
    """
    for nodes in (ast.walk(function), iter(tree.body)):
        found = [
            node.value
            for node in nodes
            if isinstance(node, ast.Assign)
            and any(isinstance(each, ast.Name) and each.id == name for each in node.targets)
        ]
        if found:
            return found
    return []


def levelsIn(level: ast.expr) -> list[str]:
    """
    @return: the levels that an expression may be; all of them where it does not say.
    """
    named = [node.attr for node in ast.walk(level) if isinstance(node, ast.Attribute) and node.attr in LEVELS]
    return named or list(LEVELS[1:4])


@functools.cache
def listed() -> Listing:
    """
    @return: what all modules log, but for C{uotp demo}, whose output is its own.
    """
    trees = {
        ".".join(file.relative_to(SOURCE.parent).with_suffix("").parts): ast.parse(file.read_text("utf-8"))
        for file in sorted(SOURCE.rglob("*.py"))
        if "demo" not in file.parts
    }
    listing = Listing()
    listing.read(trees)
    return listing


def page() -> str:
    """
    @return: the text of the page.
    """
    lines = [HEAD]
    messages = listed().messages
    for module in sorted({module for module, _, _ in messages}):
        lines += [module, "=" * len(module), ""]
        for level in LEVELS:
            lines += [
                f"- {level}: ``{text}``"
                for text in sorted(t for m, each, t in messages if (m, each) == (module, level))
            ]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
