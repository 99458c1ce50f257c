"""
A web site of nginx with one page, which stands behind a server.
"""

from __future__ import annotations

import os
from pathlib import Path

from bench.rig.ports import Address
from bench.rig.programs import Program, environmentFor, until
from tests.integration.rig import RigTestCase
from tests.integration.test_terminator import accepts

CONFIGURATION = """\
{user}
daemon off;
master_process off;
pid {folder}/pid;
error_log {folder}/error.log;
worker_processes 1;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    root {folder}/pages;
    server {{ listen {site[0]}:{site[1]}; }}
    {more}
}}
"""


def startWebSite(case: RigTestCase, program: str, folder: Path, site: Address, page: str, more: str = "") -> Program:
    """
    Start nginx with one page.

    @param program: nginx.
    @param folder: where its files are put.
    @param site: where it listens in plain TCP.
    @param page: its page.
    @param more: of its configuration.
    @return: the program, which accepts connections there.
    """
    pages = folder / "pages"
    pages.mkdir(parents=True)
    (pages / "index.html").write_text(page, encoding="ascii")
    configuration = folder / "nginx.conf"
    user = "user root;" if os.getuid() == 0 else ""
    configuration.write_text(CONFIGURATION.format(user=user, folder=folder, site=site, more=more), encoding="utf-8")
    running = case.start("nginx", [program, "-c", str(configuration)], environmentFor())
    until(lambda: accepts(site), "nginx accepts connections")
    return running
