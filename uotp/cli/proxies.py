"""
A client's proxy as people write it.
"""

from __future__ import annotations

import os

from uotp.net import ProxyPlace, parseProxy, proxyInEnvironment

NO_PROXY = "none"
FROM_ENVIRONMENT = "env"


def parseProxyWord(word: str) -> ProxyPlace | None:
    """
    @return: the proxy that a URL names, or the environment; L{None} for none.
    @raise ValueError: in words, which do not show user and password.
    """
    meant = word.lower()
    if meant == NO_PROXY:
        return None
    return proxyInEnvironment(os.environ) if meant == FROM_ENVIRONMENT else parseProxy(word)
