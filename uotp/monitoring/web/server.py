"""
The place at which a program shows how it is: metrics, a page, and whether it is well.
"""

from __future__ import annotations

import socket
from importlib.resources import files
from typing import Any

from twisted.internet.defer import Deferred, gatherResults, maybeDeferred, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort

from uotp.monitoring.report import Report, Reporter
from uotp.monitoring.reportjson import piecesOfReport, spacedJson
from uotp.monitoring.web.answers import HTML, JSON, SCRIPT, STYLE, HttpAnswer
from uotp.monitoring.web.exposition import Exposition
from uotp.monitoring.web.health import health
from uotp.monitoring.web.history import History
from uotp.monitoring.web.page import bodyParts, pageParts
from uotp.monitoring.web.root import Respond, Root
from uotp.monitoring.web.site import MonitoringSite
from uotp.net import Host, Listen, bindTogether, placesOf
from uotp.telemetry import Logger, spelled

OK = 200


class MonitoringServer:
    """
    Listens for those who look at a program, from when its ports are bound until it has ended.
    """

    _log = Logger()

    def __init__(self, name: str, listen: Listen, reporter: Reporter, reactor: Any) -> None:
        """
        @param name: what the program is called in the log.
        @param listen: where.
        @param reporter: tells how it is.
        @param reactor: C{IReactorTCP} and C{IReactorTime}.
        """
        self._name = name
        self._places = placesOf(listen)
        self._reporter = reporter
        self._reactor = reactor
        self._exposition = Exposition()
        self._history = History(reporter.report, reactor)
        folder = files(__package__)
        script, style = (folder.joinpath(name).read_bytes() for name in ("page.js", "page.css"))
        responses: dict[str, Respond] = {
            "/": lambda accept: self._of(self._page, accept),
            "/body": lambda accept: self._of(self._body, accept),
            "/page.js": lambda _: succeed(HttpAnswer(OK, SCRIPT, (script,))),
            "/page.css": lambda _: succeed(HttpAnswer(OK, STYLE, (style,))),
            "/metrics": lambda accept: self._of(self._metrics, accept),
            "/healthz": lambda accept: self._of(health, accept),
            "/report.json": lambda accept: self._of(reportAsJson, accept),
        }
        self._site = MonitoringSite(Root(reactor, socket.gethostname(), responses), reactor)
        self._ports: list[IListeningPort] = []

    @property
    def listening(self) -> list[tuple[str, int]]:
        """
        Numeric address and port of each place where it listens.
        """
        hosts: list[Any] = [port.getHost() for port in self._ports]
        return [(host.host, host.port) for host in hosts]

    def open(self) -> None:
        """
        Do nothing: no file is needed.
        """

    def privilegedStartService(self) -> None:
        """
        Bind the ports, while we may still be root; nothing when they are bound.

        @raise StartError: when one cannot be had.
        """
        if self._ports:
            return
        self._ports = bindTogether(self._places, "TCP, for metrics", self._listen, boundNumber, closePort)
        for host, number in self.listening:
            self._log.info(
                "{service} shows metrics at http://{host}:{port}/",
                service=self._name,
                host=Host.parse(host).besidePort,
                port=number,
            )

    def _listen(self, host: str, port: int) -> IListeningPort:
        try:
            listening: IListeningPort = self._reactor.listenTCP(port, self._site, interface=host)
        except CannotListenError as error:
            raise error.socketError from error
        return listening

    def startService(self) -> None:
        """
        Begin to keep a history, and warn when others than this machine may look.
        """
        self._history.start()
        for host, port in self.listening:
            address = Host.parse(host).asOneAddress.address
            if address is not None and not address.is_loopback:
                self._log.warn(
                    "whoever reaches {host} port {port} (TCP) can read how this program stands, and the addresses and "
                    "names of its peers: keep others away by a firewall, or let {setting} be on 127.0.0.1",
                    host=host,
                    port=port,
                    setting=spelled("metrics"),
                )

    def stopService(self) -> Deferred[Any]:
        """
        @return: fires when nothing listens any more.
        """
        self._history.stop()
        ports, self._ports = self._ports, []
        self._site.endAll()
        return gatherResults([maybeDeferred(port.stopListening) for port in ports])

    def _of(self, make: Any, accept: str) -> Deferred[HttpAnswer]:
        """
        @return: what is made of a report.
        """
        return self._reporter.report().addCallback(make, accept)

    def _page(self, report: Report, _: str) -> HttpAnswer:
        return HttpAnswer(OK, HTML, pageParts(report, self._history))

    def _body(self, report: Report, _: str) -> HttpAnswer:
        return HttpAnswer(OK, HTML, bodyParts(report, self._history))

    def _metrics(self, report: Report, accept: str) -> HttpAnswer:
        kind, parts = self._exposition.write(report, accept)
        return HttpAnswer(OK, kind, parts)


def reportAsJson(report: Report, _: str) -> HttpAnswer:
    """
    @return: all of a report, a session at a time.
    """
    return HttpAnswer(OK, JSON, piecesOfReport(report, spacedJson))


def boundNumber(port: IListeningPort) -> int:
    """
    @return: the number of a port.
    """
    host: Any = port.getHost()
    number: int = host.port
    return number


def closePort(port: IListeningPort) -> Any:
    """
    Close a port again.
    """
    return port.stopListening()
