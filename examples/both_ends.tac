"""
Both ends of a tunnel in one process, embedded in an Application of one's own:

    twistd -n -y both_ends.tac

The directory named by UOTP_PKI, or ./pki, holds what `uotp cert pki --host
127.0.0.1` makes.  A program that sends to UDP port 8911 of this machine reaches
UDP port 51820, and on the way its datagrams cross TLS connections to port 8443.
"""

import os

from twisted.application.service import Application
from twisted.internet import reactor

from uotp.services import ClientTls, ServerTls, clientService, serverService, useMonotonicClock

pki = os.environ.get("UOTP_PKI", "pki")
tunnelPort = int(os.environ.get("UOTP_TUNNEL_PORT", "8443"))
udpPort = int(os.environ.get("UOTP_UDP_PORT", "8911"))
targetPort = int(os.environ.get("UOTP_TARGET_PORT", "51820"))

useMonotonicClock(reactor)
application = Application("both ends")

server = serverService(
    ("127.0.0.1", targetPort),
    listen=("127.0.0.1", tunnelPort),
    tls=ServerTls(cert=f"{pki}/server.pem", key=f"{pki}/server.key", cafile=f"{pki}/ca.pem", crl=f"{pki}/crl.pem"),
)
server.setServiceParent(application)

client = clientService(
    ("127.0.0.1", tunnelPort),
    listen=("127.0.0.1", udpPort),
    tls=ClientTls(cert=f"{pki}/client.pem", key=f"{pki}/client.key", cafile=f"{pki}/ca.pem"),
)
client.setServiceParent(application)
