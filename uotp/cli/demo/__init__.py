"""
C{uotp demo}: a server, a client and a target in one process, and what becomes of each
datagram.
"""
