"""
The place at which a program shows how it is: metrics, a page, and whether it is well.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort

from uotp.monitoring.report import Report, Reporter
from uotp.monitoring.web.answers import HttpAnswer
from uotp.monitoring.web.exposition import Exposition
from uotp.monitoring.web.health import health
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
        responses: dict[str, Respond] = {
            "/metrics": lambda accept: self._of(self._metrics, accept),
            "/healthz": lambda accept: self._of(health, accept),
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
        Warn when others than this machine may look.
        """
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
        ports, self._ports = self._ports, []
        self._site.endAll()
        return gatherResults([maybeDeferred(port.stopListening) for port in ports])

    def _of(self, make: Any, accept: str) -> Deferred[HttpAnswer]:
        """
        @return: what is made of a report.
        """
        return self._reporter.report().addCallback(make, accept)

    def _metrics(self, report: Report, accept: str) -> HttpAnswer:
        kind, parts = self._exposition.write(report, accept)
        return HttpAnswer(OK, kind, parts)


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
