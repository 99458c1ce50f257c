"""
The web servers of C{docs/howto/websocket.rst}, each as it is printed there.
"""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

from bench.rig.ports import LOOPBACK, Address, freePort
from bench.rig.programs import environmentFor, until
from tests.integration.harness import needed
from tests.integration.rig import RigTestCase
from tests.integration.test_terminator import accepts
from tests.pages import README, printedBlocks
from uotp.pki.directory import Pki

PATH = "/5a1dd0f5b7c6e9aa"
"""The one on the page."""

COMMANDS = {
    "nginx": ["nginx", "-g", "daemon off; master_process off; pid FOLDER/nginx.pid; error_log stderr;", "-c", "FILE"],
    "haproxy": ["haproxy", "-db", "-f", "FILE"],
    "caddy": ["caddy", "run", "--adapter", "caddyfile", "--config", "FILE"],
    "apache2": ["apache2", "-X", "-f", "FILE"],
}
"""What runs each web server in the foreground."""

RECIPES = {
    "nginx": "websocket-nginx",
    "haproxy": "websocket-haproxy",
    "caddy": "websocket-caddy",
    "apache2": "websocket-apache",
}
"""The blocks of the page with their configurations."""


def startWebServer(case: RigTestCase, name: str, pki: Pki, behind: Address, *changes: tuple[str, str]) -> Address:
    """
    Start a web server with the configuration of the page, changed only where it has to do with this machine.

    @param pki: has its certificate.
    @param behind: the server to which it hands the path on.
    @param changes: what else is changed, and to what.
    @return: where it listens.
    """
    if not README.exists():
        needed("the pages are not here: run the tests in a checkout")
    program = shutil.which(COMMANDS[name][0], path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if program is None:
        needed(f"{name} is missing: install the package of that name")
    folder = Path(case.mktemp()).resolve()
    folder.mkdir()
    both = folder / "server-with-key.pem"
    both.write_bytes(Path(pki.serverCertificate).read_bytes() + Path(pki.serverKey).read_bytes())
    door = (LOOPBACK, freePort(socket.SOCK_STREAM))
    text = printedBlocks()[RECIPES[name]]
    site = f"{door[0]}:{door[1]}" if name == "caddy" else "vpn.example.com"
    for old, new in (
        ("/tmp/", f"{folder}/"),  # noqa: S108 - it is replaced, before names that may begin so are put in
        ("/etc/uotp/server-with-key.pem", str(both)),
        ("/etc/uotp/server.pem", str(Path(pki.serverCertificate).resolve())),
        ("/etc/uotp/server.key", str(Path(pki.serverKey).resolve())),
        ("127.0.0.1:8444", f"{behind[0]}:{behind[1]}"),
        ("vpn.example.com", site),
        ("listen 443", f"listen {door[1]}"),
        ("Listen 443", f"Listen {door[1]}"),
        ("*:443", f"*:{door[1]}"),
        ("bind :443", f"bind :{door[1]}"),
        *changes,
    ):
        text = text.replace(old, new)
    configuration = folder / "configuration"
    configuration.write_text(text)
    words = [word.replace("FOLDER", str(folder)).replace("FILE", str(configuration)) for word in COMMANDS[name][1:]]
    case.start(name, [program, *words], environmentFor() | {"HOME": str(folder)})
    until(lambda: accepts(door), f"{name} accepts connections")
    return door
