"""
A client's proxy as people write it.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping

from twisted.python import usage

from uotp.cli.words import Line
from uotp.net import ProxyPlace, parseProxy, proxyInEnvironment

NO_PROXY = "none"
FROM_ENVIRONMENT = "env"

PROXY_FILES = ("proxy-auth-file", "proxy-cafile")
"""The options that name files for a proxy."""


def parseProxyWord(word: str) -> ProxyPlace | None:
    """
    @return: the proxy that a URL names, or the environment; L{None} for none.
    @raise ValueError: in words, which do not show user and password.
    """
    meant = word.lower()
    if meant == NO_PROXY:
        return None
    return proxyInEnvironment(os.environ) if meant == FROM_ENVIRONMENT else parseProxy(word)


def withoutIdleFiles(line: Line, typed: Collection[str]) -> Line:
    """
    @param line: a command line, with what stands in a configuration file.
    @param typed: the options of the command line itself.
    @return: the same without the files that the configuration file names for a proxy, where the command line wants no
        proxy.
    """
    if "proxy" not in typed or (dict(line.options).get("proxy") or "").lower() != NO_PROXY:
        return line
    idle = [name for name in PROXY_FILES if name not in typed]
    return Line([each for each in line.options if each[0] not in idle], line.arguments)


def requireProxy(options: Mapping[str, object]) -> None:
    """
    @param options: parsed.
    @raise usage.UsageError: when there are files for a proxy, and no proxy.
    """
    for name in PROXY_FILES:
        if options["proxy"] is None and options[name] is not None:
            reason = f"--{name} needs --proxy, and that names none here; env takes what HTTPS_PROXY or ALL_PROXY names"
            raise usage.UsageError(reason)
