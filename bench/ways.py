"""
Ours through what stands between: proxies that the client is told, and web servers and balancers in front of the
server.  Each runs at the server's side.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bench.contenders import OURS, Between, Contender, Way, ourContender
from bench.rig.ports import LOOPBACK, freePort
from uotp.pki import Pki

SECRET_PATH = "/measured-behind-a-secret-path"  # noqa: S105 - of a server that runs for some seconds
USER, PASSWORD = "somebody", "correct-horse"


@dataclass(frozen=True, slots=True)
class Ground:
    """
    Holds what a way is arranged on.

    @ivar way: where the client is to dial, and the port of the server behind.
    @ivar pki: the certificates.
    @ivar folder: for files.
    """

    way: Way
    pki: Pki
    folder: Path


Arrange = Callable[[Ground], Between]
"""Arranges a way."""


def _trusts(pki: Pki) -> list[str]:
    return ["-C", pki.caCertificate]


def _shows(pki: Pki) -> list[str]:
    return ["-c", pki.serverCertificate, "-k", pki.serverKey]


def _bothInOne(ground: Ground) -> str:
    both = ground.folder / "both.pem"
    both.write_text(Path(ground.pki.serverCertificate).read_text() + Path(ground.pki.serverKey).read_text())
    return str(both)


def _direct(ground: Ground) -> Between:
    """
    Nothing between, but a WebSocket.
    """
    url = f"wss://{ground.way.server[0]}:{ground.way.behind}{SECRET_PATH}"
    return Between((), [*_shows(ground.pki), "--http-path", SECRET_PATH], _trusts(ground.pki), [url])


def _squid(ground: Ground) -> Between:
    """
    C{CONNECT} with a password.
    """
    text = f"""
http_port {ground.way.server[0]}:{ground.way.server[1]}
auth_param basic program /bin/sed -u s/^{USER}.{PASSWORD}$/OK/;t;s/.*/ERR/
auth_param basic children 1
acl known proxy_auth REQUIRED
http_access allow known
http_access deny all
cache deny all
cache_mem 0
memory_cache_shared off
access_log none
pid_filename none
coredump_dir none
shutdown_lifetime 0 seconds
"""
    proxy = f"http://{USER}:{PASSWORD}@{ground.way.server[0]}:{ground.way.server[1]}"
    program = ["squid", "-n", f"uotp{ground.way.behind}", "-N", "-f", "FILE"]  # its name is that of its shared memory
    return Between(
        [(program, text)],
        _shows(ground.pki),
        [*_trusts(ground.pki), "--proxy", proxy],
        [ground.way.server[0], str(ground.way.behind)],
    )


def _socks(ground: Ground) -> Between:
    """
    SOCKS5 with a password.
    """
    program = [
        "microsocks",
        "-i",
        ground.way.server[0],
        "-p",
        str(ground.way.server[1]),
        "-u",
        USER,
        "-P",
        PASSWORD,
    ]
    proxy = f"socks5://{USER}:{PASSWORD}@{ground.way.server[0]}:{ground.way.server[1]}"
    return Between(
        [(program, "")],
        _shows(ground.pki),
        [*_trusts(ground.pki), "--proxy", proxy],
        [ground.way.server[0], str(ground.way.behind)],
    )


def _dante(ground: Ground) -> Between:
    """
    SOCKS5 for everybody.
    """
    host, port = ground.way.server
    text = f"""
logoutput: stderr
internal: {host} port = {port}
external: {host}
clientmethod: none
socksmethod: none
user.privileged: root
user.unprivileged: nobody
client pass {{ from: 0.0.0.0/0 to: 0.0.0.0/0 }}
socks pass {{ from: 0.0.0.0/0 to: 0.0.0.0/0 protocol: tcp }}
"""
    proxy = f"socks5://{host}:{port}"
    return Between(
        [(["danted", "-f", "FILE"], text)],
        _shows(ground.pki),
        [*_trusts(ground.pki), "--proxy", proxy],
        [host, str(ground.way.behind)],
    )


def _nginxText(ground: Ground) -> str:
    return f"""
daemon off;
master_process off;
pid {ground.folder}/nginx.pid;
error_log stderr crit;
events {{ worker_connections 512; }}
http {{
    access_log off;
    server {{
        listen {ground.way.server[0]}:{ground.way.server[1]} ssl;
        ssl_certificate {ground.pki.serverCertificate};
        ssl_certificate_key {ground.pki.serverKey};
        ssl_protocols TLSv1.2 TLSv1.3;
        location = {SECRET_PATH} {{
            proxy_pass http://{LOOPBACK}:{ground.way.behind};
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection upgrade;
            proxy_read_timeout 1h;
            proxy_send_timeout 1h;
        }}
    }}
}}
"""


def _nginx(ground: Ground) -> Between:
    """
    A WebSocket, whose TLS nginx ends.
    """
    url = f"wss://{ground.way.server[0]}:{ground.way.server[1]}{SECRET_PATH}"
    program = ["nginx", "-c", "FILE"]
    server = ["--no-tls", "--http-path", SECRET_PATH]
    return Between([(program, _nginxText(ground))], server, _trusts(ground.pki), [url])


def _haproxyText(bind: str, behind: int, sends: str) -> str:
    return f"""
global
    nbthread 1
defaults
    mode tcp
    timeout client 1h
    timeout server 1h
    timeout connect 5s
listen uotp
    bind {bind}
    server behind {LOOPBACK}:{behind} {sends}
"""


def _haproxy(ground: Ground) -> Between:
    """
    TLS ended by HAProxy, which tells the client's address by the PROXY protocol.
    """
    bind = f"{ground.way.server[0]}:{ground.way.server[1]} ssl crt {_bothInOne(ground)} alpn http/1.1"
    program = ["haproxy", "-db", "-f", "FILE"]
    server = ["--no-tls", "--proxy-protocol", LOOPBACK]
    text = _haproxyText(bind, ground.way.behind, "send-proxy-v2")
    return Between([(program, text)], server, _trusts(ground.pki), [ground.way.server[0], str(ground.way.server[1])])


def _nginxAndHaproxy(ground: Ground) -> Between:
    """
    A WebSocket through nginx, and HAProxy behind that.
    """
    middle = freePort(socket.SOCK_STREAM)
    first = _nginx(replace(ground, way=replace(ground.way, behind=middle)))
    second = (["haproxy", "-db", "-f", "FILE"], _haproxyText(f"{LOOPBACK}:{middle}", ground.way.behind, "send-proxy"))
    server = [*first.server, "--proxy-protocol", LOOPBACK]
    return replace(first, programs=[*first.programs, second], server=server)


WAYS: Mapping[str, tuple[Arrange, str | None]] = {
    "wss": (_direct, None),
    "squid": (_squid, "squid"),
    "socks": (_socks, "microsocks"),
    "dante": (_dante, "danted"),
    "nginx": (_nginx, "nginx"),
    "haproxy": (_haproxy, "haproxy"),
    "nginx-haproxy": (_nginxAndHaproxy, "nginx"),
}
"""How each way is arranged, and a program that it needs."""


@dataclass(frozen=True, slots=True)
class Through(Contender):
    """
    Ours, with something between client and server.

    @ivar arrange: arranges that.
    """

    arrange: Arrange = _direct

    def between(self, way: Way, pki: Pki, folder: Path) -> Between:
        """
        See L{Contender}.
        """
        return self.arrange(Ground(way, pki, folder))


def nameThrough(name: str) -> str:
    """
    @param name: of a way.
    @return: what ours by that way is called.
    """
    return f"{OURS}, {name}"


def throughContender(name: str) -> Contender:
    """
    @param name: of a way.
    @return: ours by that way.
    @raise ValueError: when there is no such way.
    """
    if name not in WAYS:
        reason = f"{name}: there is no such way; there are {', '.join(WAYS)}"
        raise ValueError(reason)
    ours = ourContender()
    arrange, _ = WAYS[name]
    return Through(nameThrough(name), ours.command, ours.options, ours.environment, arrange=arrange)
