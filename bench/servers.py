"""
C{python -m bench.servers}: what a flow notices of it that there are several servers: behind a balancer that sends
connections to them by turns, and when the one in use fails.

All programs are on this machine.  For C{fails/black-hole} both sides are in network namespaces, which needs root.
"""

from __future__ import annotations

import argparse
import json
import signal
import socket
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from bench.contenders import ourContender
from bench.ends import LoadEnd
from bench.machine import conditionsNow
from bench.measuring import say
from bench.places import Place, linkedPlace
from bench.rig.namespaces import command
from bench.rig.ports import LOOPBACK, freePort
from bench.rig.procfs import TCP_LISTEN, UDP_BOUND, sockets
from bench.rig.programs import Program, Programs, RigError, endOnSignals
from uotp.pki import Pki, makePki

SIZE = 200
"""Bytes of a question."""

START_SECONDS = 3.0
"""While the pool comes together: from the first question of a source on."""

LATER_SECONDS = 5.0
SETTLING_SECONDS = 2.0
"""Between both, what was sent at once has made the pool as large as it becomes."""

FAULT_AFTER_SECONDS = 2.0
FAULT_SECONDS = 6.0
"""The whole load, in which something fails so long after the first question that counts."""

STANDBY_SECONDS = 20.0
SECOND_ADDRESS = "10.99.0.3"
"""Of the second server, at the server's side of the link."""

HAPROXY = """\
global
    nbthread 1
defaults
    mode tcp
    timeout client 1h
    timeout server 1h
    timeout connect 2s
    retries 2
    option redispatch 1
listen uotp
    bind {host}:{port}
    balance {balance}
"""

NGINX = """\
{module}
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr crit;
events {{ worker_connections 1024; }}
stream {{
    upstream uotp {{
{servers}
    }}
    server {{
        listen {host}:{port};
        proxy_timeout 1h;
        proxy_pass uotp;
    }}
}}
"""

Figures = dict[str, Any]


@dataclass
class Rig:
    """
    Holds the programs of one run.

    @ivar programs: starts them.
    @ivar pki: certificates for both sides.
    @ivar place: where they are.
    @ivar target: what the servers forward to.
    @ivar module: of nginx's C{stream}, where that is a file.
    """

    programs: Programs
    pki: Pki
    place: Place
    target: LoadEnd
    module: str = ""

    def server(self, host: str, port: int) -> Program:
        """
        @return: a server, which listens.
        """
        words = [*self.place.serverSide, *ourContender().words("server"), LOOPBACK]
        words += [str(self.target.port), "-a", host, "-p", str(port)]
        words += ["-c", self.pki.serverCertificate, "-k", self.pki.serverKey]
        server = self.programs.start(words, ourContender().environment)
        server.waitFor(lambda: sockets(server.process.pid, "tcp", port, TCP_LISTEN), "listen")
        return server

    def client(self, named: Sequence[str], *options: str) -> Client:
        """
        @param named: where the servers are.
        @return: a client of them, which listens.
        """
        entrance, page = freePort(socket.SOCK_DGRAM), freePort(socket.SOCK_STREAM)
        words = [*self.place.clientSide, *ourContender().words("client"), *named, "-p", str(entrance)]
        words += ["-C", self.pki.caCertificate, "--metrics", f"{LOOPBACK}:{page}", *options]
        client = self.programs.start(words, ourContender().environment)
        client.waitFor(lambda: sockets(client.process.pid, "udp", entrance, UDP_BOUND), "listen")
        return Client(client, (LOOPBACK, entrance), page, self.place)

    def balancer(self, kind: str, servers: Sequence[tuple[str, int]]) -> tuple[str, int]:
        """
        @param kind: how HAProxy balances, or C{nginx}.
        @return: where it listens.
        """
        door = (LOOPBACK, freePort(socket.SOCK_STREAM))
        file = self.programs.folder / f"balancer-{door[1]}.conf"
        if kind == "nginx":
            each = "\n".join(f"        server {host}:{port};" for host, port in servers)
            module = f"load_module {self.module};" if self.module else ""
            text = NGINX.format(module=module, folder=self.programs.folder, servers=each, host=door[0], port=door[1])
            words = ["nginx", "-c", str(file)]
        else:
            each = "".join(f"    server s{port} {host}:{port} check inter 1s fall 1 rise 1\n" for host, port in servers)
            text = HAPROXY.format(host=door[0], port=door[1], balance=kind) + each
            words = ["haproxy", "-db", "-f", str(file)]
        file.write_text(text)
        balancer = self.programs.start(words)
        balancer.waitFor(lambda: sockets(balancer.process.pid, "tcp", door[1], TCP_LISTEN), "listen")
        return door


@dataclass
class Client:
    """
    Is a client of ours.

    @ivar program: its process.
    @ivar entrance: where sources send.
    @ivar page: the port of its page.
    @ivar place: where it is.
    """

    program: Program
    entrance: tuple[str, int]
    page: int
    place: Place

    def report(self) -> Mapping[str, Any]:
        """
        @return: what it tells.
        """
        address = f"http://{LOOPBACK}:{self.page}/report.json"
        if self.place.clientSide:
            return dict(json.loads(command(*self.place.clientSide, "curl", "-s", address)))
        with urllib.request.urlopen(address, timeout=10) as answer:
            return dict(json.load(answer))

    def dials(self) -> dict[str, int]:
        """
        @return: how attempts to open tunnels have ended so far.
        """
        return {name: number for name, number in self.report()["handshakes"].items() if number}


@contextmanager
def rig(pki: Pki, folder: Path, place: Place, module: str = "") -> Iterator[Rig]:
    """
    Programs that end with a block, and a target that writes down who asks.
    """
    with Programs(folder) as programs:
        target = LoadEnd(programs, place.serverSide, LOOPBACK)
        target.begin("witness")
        yield Rig(programs, pki, place, target, module)


def asked(source: LoadEnd, client: Client, rate: float, seconds: float) -> Figures:
    """
    @return: what became of questions.
    """
    now = time.monotonic()
    streams = [[SIZE, SIZE, rate]]
    source.begin("ask", streams=streams, to=client.entrance, begin=now, end=now + seconds, patience=1.0)
    return figures(source.finish(seconds))


def figures(answer: Mapping[str, Any]) -> Figures:
    """
    @return: what is kept of what an end reports of its questions.
    """
    kept = {name: round(answer[name], 3) for name in ("median", "p99", "max", "gap")}
    return {"sent": answer["sent"], "lost": answer["sent"] - answer["answered"], **kept}


def balanced(one: Rig, kind: str, count: int, rate: float, pool: int) -> Figures:
    """
    A flow through some servers behind a balancer, from its first question on.

    @param count: how many servers.
    @param pool: how many tunnels the client has at all times.
    """
    places = [(LOOPBACK, freePort(socket.SOCK_STREAM)) for _ in range(count)]
    for place in places:
        one.server(*place)
    door = one.balancer(kind, places)
    client = one.client([f"{door[0]}:{door[1]}"], *(("-n", str(pool), "--min-pool", str(pool)) if pool else ()))
    source = LoadEnd(one.programs, (), LOOPBACK)
    start = asked(source, client, rate, START_SECONDS)
    dialsAtStart = client.dials()
    time.sleep(SETTLING_SECONDS)
    later = asked(source, client, rate, LATER_SECONDS)
    report = client.report()
    return {
        "start": start,
        "later": later,
        "dialsAtStart": dialsAtStart,
        "dials": client.dials(),
        "tunnels": f"{report['tunnelsReady']} of {report['tunnelsWanted']}",
        "sources": len(one.target.finish()["sources"]),
    }


def crowded(one: Rig, kind: str, count: int, sources: int) -> Figures:
    """
    Many sources at a client whose servers are behind a balancer.
    """
    places = [(LOOPBACK, freePort(socket.SOCK_STREAM)) for _ in range(count)]
    for place in places:
        one.server(*place)
    client = one.client(["{}:{}".format(*one.balancer(kind, places))])
    ends = [LoadEnd(one.programs, (), LOOPBACK) for _ in range(sources)]
    now = time.monotonic()
    for number, end in enumerate(ends):
        begin = now + number / 10
        end.begin("ask", streams=[[SIZE, SIZE, 20]], to=client.entrance, begin=begin, end=now + 10, patience=1.0)
    each = [figures(end.finish(12)) for end in ends]
    return {
        "lost": sum(answers["lost"] for answers in each),
        "p99": round(statistics.median(answers["p99"] for answers in each), 3),
        "worst": max(answers["max"] for answers in each),
        "dials": client.dials(),
        "sources": len(one.target.finish()["sources"]),
    }


def oneOfTwoKilled(one: Rig, kind: str) -> Figures:
    """
    The server of a flow behind a balancer is killed, and back two seconds later.
    """
    places = [(LOOPBACK, freePort(socket.SOCK_STREAM)) for _ in range(2)]
    servers = [one.server(*place) for place in places]
    client = one.client(["{}:{}".format(*one.balancer(kind, places))], "-n", "8", "--min-pool", "8")
    source = LoadEnd(one.programs, (), LOOPBACK)
    source.connect(client.entrance)
    time.sleep(SETTLING_SECONDS)
    said = ["\n".join(server.lines) for server in servers]
    having = [words.count(" opened from") > words.count(" ended: ") for words in said]
    used = having.index(True)
    begin = time.monotonic()
    source.begin("ask", streams=[[SIZE, SIZE, 1000]], begin=begin, end=begin + FAULT_SECONDS, patience=1.0)
    time.sleep(FAULT_AFTER_SECONDS)
    servers[used].process.kill()
    time.sleep(FAULT_AFTER_SECONDS)
    one.server(*places[used])
    answers = figures(source.finish(FAULT_SECONDS))
    return {**answers, "dials": client.dials(), "sources": one.target.finish()["sources"]}


def failing(one: Rig, hosts: Sequence[str], fault: Callable[[Rig, list[Program]], None]) -> Figures:
    """
    A client knows two servers, and something happens to the first.

    @param hosts: where they listen.
    @param fault: does it.
    """
    places = [(host, freePort(socket.SOCK_STREAM)) for host in hosts]
    servers = [one.server(*place) for place in places]
    client = one.client([f"{host}:{port}" for host, port in places])
    source = LoadEnd(one.programs, one.place.clientSide, LOOPBACK)
    source.connect(client.entrance)
    client.program.waitForLine("stands by", STANDBY_SECONDS)
    begin = time.monotonic()
    source.begin("ask", streams=[[SIZE, SIZE, 1000]], begin=begin, end=begin + FAULT_SECONDS, patience=1.0)
    time.sleep(FAULT_AFTER_SECONDS)
    fault(one, servers)
    answers = figures(source.finish(FAULT_SECONDS))
    report = client.report()
    for server in servers:
        server.process.send_signal(signal.SIGCONT)
    return {**answers, "moves": report["moves"], "sources": one.target.finish()["sources"]}


def kill(_: Rig, servers: list[Program]) -> None:
    """
    End the first server at once.
    """
    servers[0].process.kill()


def freeze(_: Rig, servers: list[Program]) -> None:
    """
    Have the first server stand still; its connections stay.
    """
    servers[0].process.send_signal(signal.SIGSTOP)


def blackHole(host: str) -> Callable[[Rig, list[Program]], None]:
    """
    @return: drops all that comes from or to a server, where it arrives, so that nobody is told.
    """

    def drop(one: Rig, _: list[Program]) -> None:
        for side, whose in ((one.place.serverSide, "daddr"), (one.place.clientSide, "saddr")):
            chain = f"chain deaf {{ type filter hook input priority 0; ip {whose} {host} drop; }}"
            command(*side, "nft", f"table inet uotp_bench {{ {chain}; }}")

    return drop


def parser() -> argparse.ArgumentParser:
    """
    @return: of C{python -m bench.servers}.
    """
    one = argparse.ArgumentParser(prog="python -m bench.servers", description="Let flows meet several servers.")
    add = one.add_argument
    add("--rounds", type=int, default=5)
    add("--only", default="", metavar="WORDS", help="measure what has one of these in its name, with commas between")
    add("--linkemu", type=Path, metavar="PROGRAM", help="for what needs a link; it is left out otherwise")
    add("--nginx-stream", default="", metavar="FILE", help="the module of nginx, if it is not built in")
    add("--json", type=Path, metavar="FILE", help="for the raw numbers; what it holds of others stays in it")
    return one


Measure = Callable[[Rig], Figures]
"""Measures once."""


def vanishing(one: Rig, which: int) -> Figures:
    """
    All packets of one of two servers vanish.

    @param which: 0 for the one in use, and 1 for the one where a tunnel stands by.
    """
    command(*one.place.serverSide, "ip", "address", "add", f"{SECOND_ADDRESS}/32", "dev", "lo")
    command(*one.place.clientSide, "ip", "route", "add", SECOND_ADDRESS, "via", one.place.serverAddress)
    hosts = [one.place.serverAddress, SECOND_ADDRESS]
    return failing(one, hosts, blackHole(hosts[which]))


KINDS = (
    *(("leastconn", 2, 8), ("random", 2, 8), ("nginx", 2, 8)),
    *(("roundrobin", 3, 8), ("roundrobin", 5, 8), ("random", 5, 8)),
    *(("roundrobin", 1, 16), ("roundrobin", 2, 16), ("roundrobin", 5, 16)),
)
"""How a balancer chooses, of how many servers, and how many tunnels there are to be."""


def measures() -> dict[str, Measure]:
    """
    @return: what is measured, in the order of each round, by its name.
    """
    found: dict[str, Measure] = {}
    for rate, pool, count in product((100, 1000), (0, 8), (1, 2)):
        name = f"balanced/roundrobin/{count}-servers/{rate}{f'/pool-{pool}' if pool else ''}"
        found[name] = partial(balanced, kind="roundrobin", count=count, rate=rate, pool=pool)
    for kind, count, pool in KINDS:
        name = f"kinds/{kind}/{count}-servers/pool-{pool}"
        found[name] = partial(balanced, kind=kind, count=count, rate=1000, pool=pool)
    for count in (1, 2):
        found[f"crowd/{count}-servers/20-sources"] = partial(crowded, kind="roundrobin", count=count, sources=20)
    found["killed-and-back/roundrobin"] = partial(oneOfTwoKilled, kind="roundrobin")
    found["fails/kill"] = partial(failing, hosts=[LOOPBACK] * 2, fault=kill)
    found["fails/freeze"] = partial(failing, hosts=[LOOPBACK] * 2, fault=freeze)
    found["fails/black-hole-of-the-first"] = partial(vanishing, which=0)
    found["fails/black-hole-of-the-second"] = partial(vanishing, which=1)
    return found


def measured(measure: Measure, pki: Pki, folder: Path, options: argparse.Namespace, turn: int) -> Figures:
    """
    @return: what one run has come to.
    """
    with ExitStack() as life:
        place = Place()
        if isinstance(measure, partial) and measure.func is vanishing:
            place = life.enter_context(linkedPlace(options.linkemu, folder, ["delay=10", "rate=100", f"seed={turn}"]))
        try:
            return measure(life.enter_context(rig(pki, folder, place, options.nginx_stream)))
        except RigError as error:
            return {"failed": str(error).splitlines()[0]}


def main() -> None:
    """
    Measure, and keep.
    """
    options = parser().parse_args()
    endOnSignals()
    known: Figures = json.loads(options.json.read_text()) if options.json and options.json.exists() else {}
    wanted = [word for word in options.only.split(",") if word] or [""]
    with tempfile.TemporaryDirectory(prefix="uotp-bench-") as name:
        folder = Path(name)
        pki = makePki(str(folder / "pki"), [LOOPBACK, "10.99.0.2", SECOND_ADDRESS])
        for turn in range(1, options.rounds + 1):
            for what, measure in measures().items():
                if not any(word in what for word in wanted) or ("black-hole" in what and not options.linkemu):
                    continue
                found = measured(measure, pki, folder, options, turn)
                say(f"{turn}/{options.rounds}  {what}  {json.dumps(found)}")
                known.setdefault("conditions", {})[what] = conditionsNow(FAULT_SECONDS, None, None)
                known.setdefault("runs", {}).setdefault(what, []).append(found)
                if options.json:
                    options.json.write_text(json.dumps(known, indent=1) + "\n")


if __name__ == "__main__":
    main()
