"""
The other end of a WebSocket by others: C{wsproto} behind the standard library's TLS.  It hands what is in messages to a
server that knows nothing of WebSocket, and back.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from typing import Any

from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Ping, Pong, Request

from bench.rig.ports import LOOPBACK, Address
from bench.rig.programs import until

READ_BYTES = 65536

PIECE_BYTES = 700
"""What comes back is cut into frames of so many bytes, and there is a ping behind each of them."""

BACK = "back"
"""The name of each thread that reads what comes of the server."""


class WebSocketBridge:
    """
    Accepts WebSockets, one thread each way.

    @ivar address: where.
    @ivar paths: the paths that were asked for.
    @ivar messages: how many messages have come.
    @ivar pongs: what was answered to its pings.
    @ivar closes: the reasons of those who have said goodbye.
    """

    def __init__(self, certificate: str, key: str, server: Address) -> None:
        """
        @param server: where the bytes go.
        """
        self.paths: list[str] = []
        self.messages = 0
        self.pongs: list[bytes] = []
        self.closes: list[int] = []
        self._server = server
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        self._context.set_alpn_protocols(["http/1.1"])
        self._listener = socket.create_server((LOOPBACK, 0))
        self.address: Address = self._listener.getsockname()
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        """
        End all.
        """
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in self._sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for each in self._sockets:
            each.close()

    def untilBackIsOver(self) -> None:
        """
        Wait until a server has gone to whom there was a way.
        """
        until(lambda: any(each.name == BACK and not each.is_alive() for each in self._threads), "the server has gone")

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                accepted, _ = self._listener.accept()
                thread = threading.Thread(target=self._serve, args=(accepted,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _serve(self, accepted: socket.socket) -> None:
        with contextlib.suppress(OSError):
            visitor = self._context.wrap_socket(accepted, server_side=True)
            server = socket.create_connection(self._server)
            self._sockets += [visitor, server]
            theirs = WSConnection(ConnectionType.SERVER)
            lock = threading.Lock()  # an SSLSocket is not for two threads at once, and neither is the state of wsproto
            args = (theirs, visitor, server, lock)
            back = threading.Thread(target=self._back, args=args, name=BACK, daemon=True)
            self._forth(theirs, visitor, server, lock, back)

    def _forth(
        self, theirs: Any, visitor: socket.socket, server: socket.socket, lock: threading.Lock, back: threading.Thread
    ) -> None:
        """
        Hand on what comes in messages.
        """
        try:
            while data := visitor.recv(READ_BYTES):
                answers, payload = self._heard(theirs, data, lock)
                if answers:
                    with lock:
                        visitor.sendall(answers)
                if payload:
                    server.sendall(payload)
                if back.ident is None:  # a thread that is over, since the server has gone, is not alive either
                    back.start()
                    self._threads.append(back)
        finally:
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_WR)

    def _heard(self, theirs: Any, data: bytes, lock: threading.Lock) -> tuple[bytes, bytes]:
        answers = payload = b""
        with lock:
            theirs.receive_data(data)
            for event in theirs.events():
                if isinstance(event, Request):
                    self.paths.append(event.target)
                    answers += theirs.send(AcceptConnection())
                elif isinstance(event, BytesMessage):
                    payload += event.data
                    self.messages += event.message_finished
                elif isinstance(event, Pong):
                    self.pongs.append(bytes(event.payload))
                elif isinstance(event, CloseConnection):
                    self.closes.append(event.code)
                    answers += theirs.send(event.response())
        return answers, payload

    def _back(self, theirs: Any, visitor: socket.socket, server: socket.socket, lock: threading.Lock) -> None:
        """
        Put what comes of the server into messages of many frames.
        """
        with contextlib.suppress(Exception):  # whichever end goes first
            while data := server.recv(READ_BYTES):
                pieces = [data[at : at + PIECE_BYTES] for at in range(0, len(data), PIECE_BYTES)]
                frames = b""
                with lock:
                    for number, piece in enumerate(pieces):
                        message = BytesMessage(piece, message_finished=number == len(pieces) - 1)
                        frames += theirs.send(message) + theirs.send(Ping(piece[:4]))
                    visitor.sendall(frames)
