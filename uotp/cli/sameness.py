"""
Whether values of options mean the same: names of hosts do, however they are written.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from uotp.net import ProxyPlace, ServerPlace, anyCaseOf

NAME_KEYS = {"tls-servername"}
"""The options whose value is the name of a host, and nothing else."""


def meaningIn(key: str, value: Any) -> Any:
    """
    @param key: the name of an option.
    @param value: its value.
    @return: what is the same for all values that mean the same.  Names have no case; paths of URLs and all else have.
    """
    return anyCaseOf(value) if key in NAME_KEYS and value is not None else _withoutCase(value)


def _withoutCase(value: Any) -> Any:
    match value:
        case ServerPlace() | ProxyPlace():
            return replace(value, host=anyCaseOf(value.host))
        case (str() as host, int() as port):
            return anyCaseOf(host), port
        case tuple():
            return tuple(map(_withoutCase, value))
    return value
