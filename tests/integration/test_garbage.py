"""
What both ends leave to the garbage collector, on real sockets: nothing of ours.  Nor does what a visitor of the web
site leaves.
"""

from __future__ import annotations

import sys

from tests.integration.rig import RigTestCase, runAllToEnd

BOTH_ENDS = """\
import gc, socket, sys

gc.disable()

from twisted.internet import defer, reactor, task
from twisted.internet.protocol import DatagramProtocol, Factory, Protocol

from uotp.services import (
    ClientTls,
    ServerPlace,
    ServerTls,
    WireChoice,
    clientService,
    parseProxy,
    serverService,
    useMonotonicClock,
)

pki, way = sys.argv[1:]
PATH = "/a-path-that-nobody-knows"
useMonotonicClock(reactor)


class Echo(DatagramProtocol):
    def datagramReceived(self, datagram, address):
        self.transport.write(datagram, address)


class WebServer(Protocol):
    def dataReceived(self, data):
        self.transport.write(b"HTTP/1.1 407 no\\r\\nContent-Length: 0\\r\\n\\r\\n")
        self.transport.loseConnection()


def tls(kind):
    if way.endswith("plain"):
        return None
    name = {ClientTls: "client", ServerTls: "server"}[kind]
    cafile = f"{pki}/ca.pem"
    if way == "refused by the server" and kind is ClientTls:
        return ClientTls(cafile=cafile)
    return kind(cafile=cafile, cert=f"{pki}/{name}.pem", key=f"{pki}/{name}.key")


target = reactor.listenUDP(0, Echo(), interface="127.0.0.1")
web = reactor.listenTCP(0, Factory.forProtocol(WebServer), interface="127.0.0.1")
webAddress = "127.0.0.1", web.getHost().port
if "site is down" in way:
    web.stopListening()
silent = socket.create_server(("127.0.0.1", 0))
address, services = silent.getsockname(), []
if way in ("refused", "refused plain"):
    silent.close()
elif way != "silent":
    wire = WireChoice.ONE if way == "format 1" else WireChoice.AUTO
    services.append(serverService(
        ("127.0.0.1", target.getHost().port), listen=("127.0.0.1", 0), tls=tls(ServerTls), wire=wire, linger=0.2,
        fallback=webAddress if "visitors" in way else None, httpPath=PATH if "path" in way else None,
    ))
    services[0].startService()
    address = services[0].listening
if "path" in way:
    address = ServerPlace(*address, "/wrong" if "wrong" in way else PATH)
client = clientService(
    address, listen=("127.0.0.1", 0), tls=tls(ClientTls), expire=0.5, poolSize=3, timeout=0.3, backoff=0.2,
    proxy=parseProxy("http://%s:%d" % webAddress) if "proxy" in way else None,
)
client.startService()
services.insert(0, client)


def idle():
    ends = services[1:]
    if client._sessions.statistics().sessions or any(len(service.liveTunnels) for service in services):
        return False
    return not any(len(server.registry) for server in ends)


@defer.inlineCallbacks
def visit():
    visitors = [socket.create_connection(services[1].listening) for _ in range(3)]
    for said in (b"GET / HTTP/1.1\\r\\n", b"Host: here\\r\\n\\r\\n"):
        for visitor in visitors[1:]:
            visitor.send(said)
        yield task.deferLater(reactor, 1.2)
    for visitor in visitors:
        visitor.close()
    yield task.deferLater(reactor, 0.2)


@defer.inlineCallbacks
def round():
    sources = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(3)]
    for _ in range(4):
        for source in sources:
            source.sendto(bytes(3000), client.listening)
        yield task.deferLater(reactor, 0.1)
    for source in sources:
        source.close()
    if "visitors" in way:
        yield visit()
    while not idle():
        yield task.deferLater(reactor, 0.05)
    yield task.deferLater(reactor, 0.2)


@defer.inlineCallbacks
def rounds():
    yield round()
    gc.collect()
    gc.set_debug(gc.DEBUG_SAVEALL)
    for _ in range(2):
        yield round()
    gc.collect()
    found = sorted({type(each).__qualname__ for each in gc.garbage if type(each).__module__.startswith("uotp.")})
    print("found:", *found)
    for service in services:
        yield defer.maybeDeferred(service.stopService)


task.react(lambda _: rounds())
"""
"""Runs both ends with the collector off, opens and ends sessions, and says which classes of ours were found."""

WAYS = (
    "format 2",
    "format 1",
    "plain",
    "refused",
    "refused plain",
    "silent",
    "refused by the server",
    "by a path",
    "by a path, plain",
    "by a wrong path",
    "refused by a proxy",
    "visitors, plain",
    "visitors by a path, plain",
    "visitors whose site is down, plain",
)

AT_A_TIME = 5
"""So many of them are tried together: each waits for most of the time."""


class GarbageTests(RigTestCase):
    """
    Let sessions begin and end, and dials fail, with the collector off.
    """

    def test_nothingOfOursIsLeftToTheCollector(self) -> None:
        pki = self.newPki()
        commands = [[sys.executable, "-c", BOTH_ENDS, pki.directory, way] for way in WAYS]
        for way, ended in zip(WAYS, runAllToEnd(commands, AT_A_TIME), strict=True):
            self.assertEqual((ended.returncode, ended.stdout.strip()), (0, "found:"), f"{way}: {ended.stderr}")
