"""
Texts that are nested too deep.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some
from twisted.trial.unittest import SynchronousTestCase

from tests.cli.config.test_lines import PIECES, TEXT
from uotp.cli.config.depth import MOST_DEPTH, deepLine
from uotp.cli.config.document import Document
from uotp.cli.config.faults import FaultsError
from uotp.cli.config.toml import TOMLDecodeError, loads

DOTS = "a." * MOST_DEPTH + "a"
QUOTED = "'a' . \"a.b\" .\t" * (MOST_DEPTH // 2) + "a"


def depthOf(value: object) -> int:
    """
    @return: how deep a value is nested.
    """
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return max((1 + depthOf(each) for each in below), default=0)


class DepthTests(SynchronousTestCase):
    """
    Find what is nested too deep before anybody reads it.
    """

    def test_deepKeysAndTablesAreFound(self) -> None:
        for text in (
            f"{DOTS} = 1",
            f"{QUOTED} = 1",
            f"[{DOTS}]",
            f"[[ {QUOTED} ]]",
            f"b = {{ {DOTS} = 1 }}",
            f"b = {'[' * (MOST_DEPTH + 1)}",
            f"b = {'{ a = ' * (MOST_DEPTH + 1)}",
            f"b = '''\n{DOTS} = 1''' # ]]\n{DOTS} = 2",
        ):
            self.assertEqual(deepLine(f"x = 1\n{text}\n"), 2 + text.count("\n"), text)

    def test_dotsInTextsAndCommentsAreNone(self) -> None:
        for text in (
            f'a = "{DOTS}"',
            f"a = '{DOTS}'",
            f'a = """\n{DOTS} = 1\n\\"""{DOTS}"""',
            f"a = '''\n{DOTS}\n'''''",
            f"# {DOTS}",
            f"a = 1 # {DOTS}",
            f'"{DOTS}" = 1',
            f"a = [{'1.5, ' * 100}]",
            f"a = [{'[], ' * 100}]",
            "a = 1.5\n" * 100,
            f'a = "\n{DOTS} = 1',  # no TOML: whoever reads it stops at the quotation mark
            f"a = ''' {DOTS} = 1",
            DOTS.removeprefix("a."),
            TEXT,
        ):
            self.assertIsNone(deepLine(text), text)

    def test_aFileThatIsTooDeepIsRefused(self) -> None:
        """
        Thousands of names with dots between them would take the library gigabytes.
        """
        words = f"keys, tables or arrays are nested more than {MOST_DEPTH} deep"
        for text in ("a." * 15_000 + "a = 1", "a = " + "[" * 100_000):
            error = self.assertRaises(FaultsError, Document, "f", f"x = 1\n{text}")
            self.assertEqual(error.lines, [f"f:2: {words}"])

    @given(some.lists(some.sampled_from([*PIECES, "a.b.", "a.'b'.", "[[", "{a="]), max_size=60).map("".join))
    def test_whatIsLetPassHasABound(self, text: str) -> None:
        """
        No key, and no array, adds more than that to what it stands in.
        """
        try:
            values = loads(text)
        except TOMLDecodeError:
            return
        if deepLine(text) is None:
            self.assertLessEqual(depthOf(values), MOST_DEPTH * (MOST_DEPTH + 2))
