"""
What a measurement was made on and with.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
from contextlib import suppress
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

import uotp

PACKAGES = ("twisted", "pyopenssl", "cryptography")
QUICK_SECONDS = 10


def conditionsNow(seconds: float, original: Path | None, wsTunnel: Path | None) -> dict[str, Any]:
    """
    @param seconds: how long a load lasts.
    @param original: its C{bin}.
    @param wsTunnel: the program.
    @return: the machine, the versions, the day and the settings.
    """
    versions = {"uotp": uotp.__version__, "python": platform.python_version()}
    versions |= {name: version(name) for name in PACKAGES}
    if original is not None:
        versions["original"] = f"0.1.1 on {_lineOf([str(original / 'python'), '--version'])}"
    if wsTunnel is not None:
        versions["wstunnel"] = _lineOf([str(wsTunnel), "--version"]).rpartition(" ")[2]
    return {
        "date": datetime.now(timezone.utc).date().isoformat(),
        "machine": _processor(),
        "kernel": platform.release(),
        "congestion": _read("/proc/sys/net/ipv4/tcp_congestion_control"),
        "commit": _commit(),
        "versions": versions,
        "seconds": seconds,
    }


def _read(path: str) -> str:
    with suppress(OSError):
        return Path(path).read_text(encoding="utf-8").strip()
    return "unknown"


def _processor() -> str:
    found = re.search(r"model name\s*: (.*)", _read("/proc/cpuinfo"))
    return f"{os.cpu_count()} x {found[1] if found else platform.machine()}"


def _commit() -> str:
    folder = Path(uotp.__file__).resolve().parent
    words = ["git", "-C", str(folder), "describe", "--always", "--dirty"]
    return _lineOf(words)


def _lineOf(words: list[str]) -> str:
    with suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(words, capture_output=True, text=True, timeout=QUICK_SECONDS, check=True)
        return done.stdout.strip()
    return "unknown"
