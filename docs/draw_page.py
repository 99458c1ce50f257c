"""
Draws C{docs/page.png}: the page of a server in a browser without a window, while three programs send through it.
Run it after a change of the page, with C{uotp} installed and Chromium on the path::

    python docs/draw_page.py

It takes about a minute, so that the curves have something to show.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

PICTURE = Path(__file__).resolve().parent / "page.png"

HOST = "127.0.0.1"
SENDERS = 3
SIZE = 1200
SECONDS = 60.0

BROWSER = ("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--force-color-profile=srgb")
"""Alone in a container it has no sandbox, and nobody else's page to be afraid of."""


def freePort(kind: socket.SocketKind) -> int:
    """
    @return: a port that nobody has just now.
    """
    with socket.socket(socket.AF_INET, kind) as asked:
        asked.bind((HOST, 0))
        number: int = asked.getsockname()[1]
        return number


def echo(target: socket.socket) -> None:
    """
    Answer each datagram by itself.
    """
    while True:
        datagram, source = target.recvfrom(65535)
        target.sendto(datagram, source)


def send(port: int, pause: Callable[[float], float], end: float) -> None:
    """
    Send bursts until it is over.

    @param pause: says by the time how long it is to the next one.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.connect((HOST, port))
        sender.setblocking(False)
        while (now := time.monotonic()) < end:
            try:
                for _ in range(4):
                    sender.send(bytes(SIZE))
                while True:
                    sender.recv(65535)
            except OSError:
                pass
            time.sleep(pause(now))


def draw() -> None:
    """
    Start both ends, let datagrams flow, and look.
    """
    folder = Path(tempfile.mkdtemp())
    tcp, udp, shown = freePort(socket.SOCK_STREAM), freePort(socket.SOCK_DGRAM), freePort(socket.SOCK_STREAM)
    target = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    target.bind((HOST, 0))
    uotp = (sys.executable, "-m", "uotp.cli.main")
    programs: list[subprocess.Popen[bytes]] = []
    try:
        subprocess.run([*uotp, "cert", "--host", "vpn.example.com", "--host", HOST, "pki"], check=True, cwd=folder)
        files = [("-c", f"pki/{end}.pem", "-k", f"pki/{end}.key", "-C", "pki/ca.pem") for end in ("server", "client")]
        server = [*uotp, "server", *files[0], "-a", HOST, "-p", str(tcp), "--metrics", str(shown), HOST]
        client = [*uotp, "client", *files[1], "-a", HOST, "-p", str(udp), HOST, str(tcp)]
        programs += [
            subprocess.Popen(words, cwd=folder, stdout=subprocess.DEVNULL)
            for words in ([*server, str(target.getsockname()[1])], client)
        ]
        time.sleep(3)
        threading.Thread(target=echo, args=(target,), daemon=True).start()
        end = time.monotonic() + SECONDS
        for number in range(SENDERS):
            swing = 4.0 * (number + 1)
            threading.Thread(
                target=send, args=(udp, lambda now, swing=swing: 0.01 + 0.02 * (now % swing) / swing, end), daemon=True
            ).start()
        time.sleep(SECONDS - 2)
        looked = [*BROWSER, "--window-size=1180,860", f"--screenshot={PICTURE}", f"http://{HOST}:{shown}/"]
        subprocess.run(looked, check=True, timeout=60, stderr=subprocess.DEVNULL)
    finally:
        for program in programs:
            program.terminate()
            program.wait(10)
        shutil.rmtree(folder)


if __name__ == "__main__":
    draw()
