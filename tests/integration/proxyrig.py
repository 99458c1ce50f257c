"""
Proxies of Debian, and a client whose way leads through one.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

from bench.rig.ports import LOOPBACK, Address, freePort
from bench.rig.programs import Program, environmentFor, until
from tests.integration.harness import needed
from tests.integration.rig import RigTestCase, clientWords, serverWords
from tests.integration.test_terminator import accepts, haproxyProgram
from tests.integration.udpends import Flow

USER, WORD = "alice", "p@ss:w0rd"
IN_URL = "alice:p%40ss%3Aw0rd"

SQUID = """\
http_port {plain[0]}:{plain[1]}
http_port [::1]:{plain[1]}
https_port {secure[0]}:{secure[1]} tls-cert={folder}/both.pem
https_port [::1]:{secure[1]} tls-cert={folder}/both.pem
auth_param basic program /bin/sed -u {ask}
auth_param basic children 1
acl known proxy_auth REQUIRED
http_access allow known
http_access deny all
cache deny all
cache_mem 0
memory_cache_shared off
cache_log stdio:/dev/stderr
access_log none
pid_filename none
coredump_dir none
shutdown_lifetime 0 seconds
"""

ASK = f"s/^{USER}.{WORD}$/OK/;s/^{USER}.p%40ss%3Aw0rd$/OK/;t;s/.*/ERR/"
"""What answers Squid whether it knows a user with his password.  It may read no file of ours."""

DANTE = """\
logoutput: stderr
internal: {door[0]} port = {door[1]}
external: lo
clientmethod: none
socksmethod: {method}
user.privileged: root
user.unprivileged: nobody
client pass {{ from: 127.0.0.0/8 to: 0.0.0.0/0 }}
socks pass {{ from: 127.0.0.0/8 to: 0.0.0.0/0 protocol: tcp }}
"""

HAPROXY = """\
global
    nbthread 1
defaults
    mode tcp
    timeout connect 5s
    timeout client {seconds}s
    timeout server {seconds}s
listen proxy
    bind {door[0]}:{door[1]} {tls}
    server behind {behind[0]}:{behind[1]}
"""

WITH_USERS = """\
mount --bind {folder}/passwd /etc/passwd
mount --bind {folder}/shadow /etc/shadow
exec {program} -f {file}
"""
"""Runs a program that knows other users than this machine."""


def foundProgram(name: str, package: str) -> str:
    """
    @return: the path of a program.
    """
    path = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if path is None:
        needed(f"{name} is missing: install the package {package}")
    return path


class ProxyTestCase(RigTestCase):
    """
    Has a server, and what a proxy stands on.
    """

    def setUp(self) -> None:
        super().setUp()
        self.pki = self.newPki()
        self.udpTarget = self.udpEnd()
        self.server = self.startServer(self.udpTarget.address, *serverWords(self.pki))
        self.address = self.listening(self.server)
        self.door, self.secure = ((LOOPBACK, freePort(socket.SOCK_STREAM)) for _ in range(2))
        self.folder = Path(tempfile.mkdtemp(prefix="uotp-proxy-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.folder.chmod(0o755)  # proxies give their privileges up

    def client(self, *words: str, server: Address | None = None) -> Program:
        """
        Start a client.
        """
        return self.startClient(server or ("localhost", self.address[1]), *clientWords(self.pki), "-v", "debug", *words)

    def carries(self, client: Program) -> Flow:
        """
        @return: what flows through a client, and did both ways, in small and large datagrams.
        """
        flow = Flow(self.udpEnd(), self.listening(client), self.udpTarget)
        flow.open(b"first")
        flow.openPool()
        for size in (0, 1, 1400, 20000, 65000):
            flow.both(b"%5d" % size + bytes(size))
        self.assertNotIn(WORD, client.story())
        self.assertNotIn(IN_URL, client.story())
        return flow

    def refused(self, words: str, *options: str) -> None:
        """
        Start a client that gets nowhere, and wait until it says why.
        """
        client = self.client(*options)
        self.udpEnd().send(b"in vain", self.listening(client))
        client.waitForLine(words)
        self.assertNotIn(WORD, client.story())
        client.kill()

    def passwordFile(self, words: str = f"{USER}:{WORD}") -> str:
        """
        Write user and password into a file, in place of what is there.

        @return: its name.
        """
        file = self.folder / "password"
        file.touch(mode=0o600)
        file.write_text(f"{words}\n", encoding="utf-8")
        return str(file)

    def certificate(self) -> Path:
        """
        @return: the file with the certificate and the key of the server, for a proxy to show.
        """
        both = self.folder / "both.pem"
        both.write_bytes(Path(self.pki.serverCertificate).read_bytes() + Path(self.pki.serverKey).read_bytes())
        both.chmod(0o644)
        return both

    def startSquid(self) -> Program:
        """
        Start Squid, which has a door in plain text and one with TLS.
        """
        program = foundProgram("squid", "squid")
        self.certificate()
        file = self.folder / "squid.conf"
        text = SQUID.format(plain=self.door, secure=self.secure, folder=self.folder, ask=ASK)
        file.write_text(text, encoding="utf-8")
        name = f"uotp{self.door[1]}"  # Squids of one name share memory
        running = self.start("squid", [program, "-N", "-n", name, "-f", str(file)], environmentFor())
        until(lambda: accepts(self.door) and accepts(self.secure), "Squid accepts connections")
        return running

    def startDante(self, *, hasPassword: bool = False) -> Program:
        """
        Start Dante.

        @param hasPassword: whether it asks for a user of this machine, which is made for it alone.
        """
        program = foundProgram("danted", "dante-server")
        file = self.folder / "danted.conf"
        method = "username" if hasPassword else "none"
        file.write_text(DANTE.format(door=self.door, method=method), encoding="utf-8")
        command = [program, "-f", str(file)]
        if hasPassword:
            if os.geteuid() != 0:
                needed("only root can have other users for one program")
            self._makeUser()
            script = WITH_USERS.format(folder=self.folder, program=program, file=file)
            command = ["unshare", "--mount", "sh", "-ec", script]
        running = self.start("danted", command, environmentFor())
        until(lambda: accepts(self.door), "Dante accepts connections")
        return running

    def _makeUser(self) -> None:
        """
        Write the files with the users of this machine, and one more.
        """
        openssl = foundProgram("openssl", "openssl")
        made = subprocess.run([openssl, "passwd", "-6", WORD], check=True, capture_output=True, text=True)
        lines = {"passwd": f"{USER}:x:64999:65534::/:/bin/false\n", "shadow": f"{USER}:{made.stdout.strip()}:1::::::\n"}
        for name, more in lines.items():
            copy = self.folder / name
            copy.touch(mode=0o600)
            copy.write_text(Path("/etc", name).read_text(encoding="utf-8") + more, encoding="utf-8")
            copy.chmod(0o644 if name == "passwd" else 0o600)

    def startHaproxy(self, behind: Address, seconds: int = 60, *, endsTls: bool = False) -> Address:
        """
        Start HAProxy in front of a proxy.

        @param seconds: after which it closes connections that are idle.
        @param endsTls: whether it speaks TLS.
        @return: where it listens.
        """
        program = haproxyProgram()
        door = (LOOPBACK, freePort(socket.SOCK_STREAM))
        tls = f"ssl crt {self.certificate()}" if endsTls else ""
        file = self.folder / "haproxy.cfg"
        file.write_text(HAPROXY.format(door=door, behind=behind, seconds=seconds, tls=tls), encoding="utf-8")
        self.start("haproxy", [program, "-db", "-f", str(file)], environmentFor())
        until(lambda: accepts(door), "HAProxy accepts connections")
        return door
