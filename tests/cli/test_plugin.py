"""
What twistd finds of us.
"""

from __future__ import annotations

import ast
import importlib
import os

from twisted.application.service import IServiceMaker
from twisted.plugin import getPlugins
from twisted.trial.unittest import SynchronousTestCase

import uotp
import uotp.cli.client
import uotp.cli.server
from tests.doubles.commands import CommandTestCase

TWISTD = importlib.import_module("twisted.scripts.twistd")
TWISTEDS_OWN = importlib.import_module("twisted.plugins")
NAMES = {"uotp-server": uotp.cli.server, "uotp-client": uotp.cli.client}


def pluginFile() -> str:
    """
    @return: where the plugin is, among all directories of plugins.
    """
    candidates = (os.path.join(directory, "uotp_plugin.py") for directory in TWISTEDS_OWN.__path__)
    return next(path for path in candidates if os.path.exists(path))


class PluginTests(SynchronousTestCase):
    """
    Read the plugin file as Twisted does.
    """

    def test_bothServicesAreFound(self) -> None:
        found = {plugin.tapname: plugin for plugin in getPlugins(IServiceMaker) if plugin.tapname in NAMES}
        self.assertEqual(set(found), set(NAMES))
        for plugin in found.values():
            self.assertIn("UDP", plugin.description)
            self.assertEqual(len(plugin.description.splitlines()), 1)

    def test_eachNameLeadsToItsOwnModule(self) -> None:
        for plugin in getPlugins(IServiceMaker):
            if plugin.tapname in NAMES:
                module = NAMES[plugin.tapname]
                self.assertIs(plugin.options, module.Options)
                self.assertIs(plugin.makeService, module.makeService)
                self.assertEqual(module.Options.commandName, plugin.tapname)

    def test_nothingOfOursIsImportedToListThem(self) -> None:
        """
        C{twistd --help} is not slowed down, and not broken, by a program that is not used.
        """
        with open(pluginFile(), encoding="utf-8") as source:
            tree = ast.parse(source.read())
        imported = {
            name
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for name in ([node.module] if isinstance(node, ast.ImportFrom) else [one.name for one in node.names])
        }
        self.assertEqual(imported, {"twisted.application.service"})
        named = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
        self.assertLessEqual({"uotp.cli.server", "uotp.cli.client"}, named)

    def test_theDirectoryOfPluginsIsNoPackageOfOurs(self) -> None:
        """
        An C{__init__.py} there would hide everybody else's plugins, or Twisted itself.
        """
        plugins = os.path.dirname(pluginFile())
        if plugins == os.path.dirname(os.path.abspath(str(TWISTEDS_OWN.__file__))):
            return  # installed beside Twisted's own, which has one
        for directory in (plugins, os.path.dirname(plugins)):
            self.assertNotIn("__init__.py", os.listdir(directory))


class TwistdTests(CommandTestCase):
    """
    Type command lines of twistd.
    """

    def test_ourOptionsDoNotClashWithTwistds(self) -> None:
        """
        The same short names before and behind the command are different options.
        """
        options = TWISTD.ServerOptions()
        options.parseOptions(
            ["-n", "-l", "a.log", "uotp-client", "example.com", "8443", "-n", "4", "-l", "b.log", "-e", "9"]
        )
        self.assertEqual((options["nodaemon"], options["logfile"], options.subCommand), (1, "a.log", "uotp-client"))
        ours = options.subOptions
        self.assertEqual((ours["pool-size"], ours["expire"]), (4, 9.0))
        self.assertEqual(ours["logfile"], os.path.abspath("b.log"))

    def test_anUnusableCommandLineReadsAsWithoutTwistd(self) -> None:
        options = TWISTD.ServerOptions()
        line = self.refusalOf(lambda: options.parseOptions(["uotp-server", "example.com", "8443"]))
        self.assertTrue(line.startswith("uotp-server: a server needs --cert"), line)

    def test_helpShowsHowToStartItUnderTwistd(self) -> None:
        for name in NAMES:
            options = TWISTD.ServerOptions()
            self.assertEqual(self.statusOf(lambda options=options, name=name: options.parseOptions([name, "-h"])), 0)  # type: ignore[misc]
            self.assertIn(f"Usage: twistd [twistd options] {name} [options] dst_address dst_port", self.out.getvalue())
