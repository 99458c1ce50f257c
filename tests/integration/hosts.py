"""
Two hosts on this machine, in network namespaces of their own: a client at home,
192.0.2.2 behind the router 192.0.2.1, and a server, 203.0.113.10, which the hosts
file of both calls vpn.example.com.  The addresses are those that documentation
may use, and nothing leaves the two.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from bench.rig.namespaces import Namespace, command
from bench.rig.programs import HANG_SECONDS, Program
from tests.integration.harness import TWISTD, ProgramTestCase, needed, ourCommand, ourEnvironment

SERVER_NAME = "vpn.example.com"
SERVER_ADDRESS = "203.0.113.10"
ROUTER_ADDRESS = "192.0.2.1"
CLIENT_ADDRESS = "192.0.2.2"

USERSPACE_WIREGUARD = """\
rm -f "/var/run/wireguard/$1.sock"
wireguard-go -f "$1" >/dev/null 2>&1 &
for _ in $(seq 6000); do [ -S "/var/run/wireguard/$1.sock" ] && exit 0; sleep 0.05; done
exit 1
"""
"""Starts a WireGuard without the kernel's, as wg-quick asks for, and waits until it can be spoken to."""


class Host:
    """
    A network namespace with a folder, and our programs on its path.

    @ivar folder: where its commands run.
    @ivar wireGuard: what its WireGuard is called; the name is the whole machine's,
        for programs that are no part of the kernel.
    """

    def __init__(self, case: ProgramTestCase, name: str) -> None:
        """
        @param case: at whose end the namespace, the folder and all processes go.
        @param name: what its end of the link is called, too.
        """
        self._case = case
        namespace = namespaceName(name)
        self.wireGuard = f"wg{os.getpid()}{name[0]}"
        case.addCleanup(self._forgetWireGuard)
        self.folder = Path(tempfile.mkdtemp(prefix=f"{namespace}-"))
        case.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self._settings = Path("/etc/netns") / namespace
        self._settings.mkdir(parents=True)
        case.addCleanup(shutil.rmtree, self._settings)
        self.write("hosts", f"127.0.0.1 localhost\n{SERVER_ADDRESS} {SERVER_NAME}\n")
        self.namespace = newNamespace(case, name)
        self._makePath()

    def _makePath(self) -> None:
        programs = self.folder / "bin"
        programs.mkdir()
        scripts = {
            "uotp": ourCommand(),
            "uotp-server": ourCommand("server"),
            "uotp-client": ourCommand("client"),
            "twistd": TWISTD,
        }
        for name, words in scripts.items():
            quoted = " ".join(f"'{word}'" for word in words)
            writeProgram(programs / name, f'exec {quoted} "$@"\n')
        writeProgram(programs / "userspace-wireguard", USERSPACE_WIREGUARD)
        self._environment = ourEnvironment() | {
            "PATH": f"{programs}:{os.environ['PATH']}:/usr/sbin:/sbin",
            "WG_QUICK_USERSPACE_IMPLEMENTATION": "userspace-wireguard",
        }

    def _forgetWireGuard(self) -> None:
        for left in Path("/var/run/wireguard").glob(f"{self.wireGuard}.*"):
            left.unlink()

    def run(self, script: str) -> str:
        """
        Run lines of shell to their end.

        @return: what they print.
        @raise AssertionError: when one fails.
        """
        done = subprocess.run(
            self._shell(script),
            check=False,
            env=self._environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=HANG_SECONDS,
        )
        if done.returncode:
            reason = f"{script}\nended with {done.returncode}:\n{done.stdout}"
            raise AssertionError(reason)
        return done.stdout

    def write(self, file: str, text: str) -> None:
        """
        Have its programs see another file of C{/etc}; those that run see it too if it was there
        when they began.
        """
        (self._settings / file).write_text(text)

    def start(self, name: str, script: str, readyLine: str) -> Program:
        """
        Start lines of shell, of which the last stays.

        @param readyLine: what it says when it is ready, as a regular expression.
        @return: the program, which is a shell unless that has executed another.
        """
        program = self._case.start(name, self._shell(script), self._environment, str(self.folder))
        self._case.addCleanup(self.namespace.killAll)  # before the shell is killed and leaves its children behind
        program.waitForLine(readyLine)
        return program

    def _shell(self, script: str) -> list[str]:
        return [*self.namespace.words, "sh", "-ec", script]


def writeProgram(path: Path, script: str) -> None:
    """
    Write a shell script that can be run.
    """
    path.write_text(f"#!/bin/sh\n{script}")
    path.chmod(0o755)


def namespaceName(name: str) -> str:
    """
    @return: what the system calls a namespace of this process.
    """
    return f"uotp-{name}-{os.getpid()}"


def newNamespace(case: SynchronousTestCase, name: str) -> Namespace:
    """
    Make a namespace, which ends with a test, with its loopback up.
    """
    namespace = Namespace(namespaceName(name))
    case.addCleanup(namespace.remove)
    command("ip", "-n", namespace.name, "link", "set", "lo", "up")
    return namespace


def needTwoHosts(*programs: str) -> None:
    """
    @param programs: what has to be installed besides iproute2.
    @raise SkipTest: when namespaces cannot be had here, or a program is missing.
    """
    if sys.platform != "linux" or os.geteuid() != 0:
        needed("network namespaces need root, on Linux")
    for program in ("ip", *programs):
        if shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is None:
            needed(f"{program} is not installed")


def twoHosts(case: ProgramTestCase) -> tuple[Host, Host]:
    """
    @return: the client's host and the server's, connected.
    """
    client, server = Host(case, "client"), Host(case, "server")
    command(
        *("ip", "link", "add", "home", "netns", client.namespace.name, "mtu", "1500", "type", "veth"),
        *("peer", "name", "net", "netns", server.namespace.name),
    )
    client.run(f"ip address add {CLIENT_ADDRESS}/24 dev home; ip link set home up")
    server.run(
        f"ip address add {ROUTER_ADDRESS}/24 dev net; ip link set net up; ip address add {SERVER_ADDRESS}/32 dev lo"
    )
    client.run(f"ip route add default via {ROUTER_ADDRESS}")
    return client, server
