"""
Nothing is imported when it may be too late: in a chroot, as another user, or without descriptors.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from twisted.trial.unittest import SynchronousTestCase

from tests.sources import modules

AT_THE_START = {
    ("uotp.process.descriptorlimit", "resource"): "for the limits of this process, which are set before anything else",
    ("uotp.udp", "uotp.udp.anyaddress"): "for an opener, which is made with the service",
    ("uotp.client.service", "uotp.client.reporting"): "for reports, which are asked for when the service is made",
    ("uotp.server.service", "uotp.server.reporting"): "for reports, which are asked for when the service is made",
    ("uotp.services", "twisted.internet"): "the reactor, for the service",
    ("uotp.services", "uotp.client.workers"): "for the service of several workers, which imports it when it is made",
    ("uotp.services", "uotp.monitoring.web"): "for what shows a service, which is made with it",
    ("uotp.services", "uotp.server.workers"): "for the service of several workers, which imports it when it is made",
    ("uotp.services", "uotp.monitoring"): "for the control socket, which is imported when the service is made",
    ("uotp.services", "uotp.workers"): "for the service of several workers, which imports it when it is made",
}
"""Imports inside functions, each with the reason why it is early enough."""

COMMANDS = "uotp.cli."
"""What imports here is the command line, before there is a service."""


def importsInFunctions(tree: ast.Module) -> Iterator[str]:
    """
    @return: the modules that are imported when a function is called.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            for inner in ast.walk(node):
                if isinstance(inner, ast.Import):
                    yield from (alias.name for alias in inner.names)
                elif isinstance(inner, ast.ImportFrom) and inner.module is not None:
                    yield inner.module


class LateImportTests(SynchronousTestCase):
    """
    Read all modules.
    """

    def test_functionsImportNothingLater(self) -> None:
        found = {
            (module, name)
            for module, tree in modules().items()
            if not module.startswith(COMMANDS)
            for name in importsInFunctions(tree)
        }
        self.assertEqual(found, set(AT_THE_START))

    def test_importsInFunctionsAreSeen(self) -> None:
        text = "import one\ndef f():\n    import two.three\n    def g():\n        from four import five\n"
        self.assertEqual(set(importsInFunctions(ast.parse(text))), {"two.three", "four"})
