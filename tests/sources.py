"""
Our modules as syntax trees, for tests of rules that all of them keep.
"""

from __future__ import annotations

import ast
import functools
from pathlib import Path

import uotp

PACKAGE = Path(uotp.__file__).parent


@functools.cache
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
