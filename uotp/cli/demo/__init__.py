"""
C{uotp demo}: it runs a server, a client and a target in one process, and tells what became of
each datagram.
"""
