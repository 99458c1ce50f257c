"""
Where keys stand in a file.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some
from twisted.trial.unittest import SynchronousTestCase

from uotp.cli.config.lines import KeyLines
from uotp.cli.config.toml import TOMLDecodeError, loads

TEXT = '''\
# comment = 1
first = 1 # second = 2
"quoted key" = "a = \\" # b"
'literal' = 'c = "'
many = """
inner = 1
[no table] \\""" still = 2
""" # behind
raw = \'\'\'
raw = 5
\'\'\'\'
dotted . "x y" = 1.5
dotted.other = 1979-05-27 07:32:00
list = [
  "one",  # a ] comment
  [1, 2],

  { name = "x",
    deep = [3,
      4] },
]
inline = { a = 1, b.c = 2, "d" = "}" }
end = true

[table]
key = 1
[ table . "sub.table" ]
key = 2
[[array]]
key = 3
[[array]]
key = """""two quotes"""""
[array.below]
key = 4
'''
"""Everything that might confuse."""

PLACES = {
    ("first",): 2,
    ("quoted key",): 3,
    ("literal",): 4,
    ("many",): 5,
    ("raw",): 9,
    ("dotted",): 12,
    ("dotted", "x y"): 12,
    ("dotted", "other"): 13,
    ("list",): 14,
    ("list", 0): 15,
    ("list", 1): 16,
    ("list", 2): 18,
    ("list", 2, "name"): 18,
    ("list", 2, "deep"): 19,
    ("list", 2, "deep", 1): 20,
    ("inline",): 22,
    ("inline", "b", "c"): 22,
    ("end",): 23,
    ("table",): 25,
    ("table", "key"): 26,
    ("table", "sub.table", "key"): 28,
    ("array",): 29,
    ("array", 0, "key"): 30,
    ("array", 1): 31,
    ("array", 1, "key"): 32,
    ("array", 1, "below", "key"): 34,
}
"""The lines, counted by hand."""

PIECES = (
    *('"', "'", '"""', "'''", "\\", "\n", "#", "[", "]", "[[", "]]", "{", "}", "=", ",", ".", " ", "a", "b", "1"),
    *("key = 1\n", "[t]\n", "[[u]]\n", 'x = """\n', "'''\n", "y = [\n", "z = {"),
)


class KeyLinesTests(SynchronousTestCase):
    """
    Find the lines of keys.
    """

    def test_eachKeyHasItsLine(self) -> None:
        lines = KeyLines(TEXT)
        self.assertEqual({path: lines.of(path) for path in PLACES}, PLACES)
        parts = loads(TEXT.replace('{ name = "x",\n    deep = [3,\n      4] }', "{ name = 1 }"))
        self.assertLessEqual({(key,) for key in parts}, set(PLACES))

    def test_whatHasNoLineIsWhereItsTableIs(self) -> None:
        lines = KeyLines("one = 1\n[two]\n")
        self.assertEqual(lines.of(("two", "three", 5)), 2)
        self.assertEqual(lines.of(("none",)), 1)
        self.assertEqual(KeyLines("").of(("none",)), 1)

    @given(some.lists(some.sampled_from(PIECES), max_size=30).map("".join))
    def test_anyTextComesToAnEnd(self, text: str) -> None:
        """
        Also one that is no TOML; of one that is, each key has a line in which it stands.
        """
        lines = KeyLines(text)
        try:
            values = loads(text)
        except TOMLDecodeError:
            return
        written = text.split("\n")
        for key in values:
            if key.isalnum():
                self.assertIn(key, written[lines.of((key,)) - 1])
