"""
Tells twistd of our two services, by name: nothing is imported before it is used.
"""

from twisted.application.service import ServiceMaker

uotpServer = ServiceMaker(
    "uotp server", "uotp.cli.server", "UDP through a pool of TLS connections: server", "uotp-server"
)
uotpClient = ServiceMaker(
    "uotp client", "uotp.cli.client", "UDP through a pool of TLS connections: client", "uotp-client"
)
