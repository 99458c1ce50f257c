"""
Byte streams: TCP, TLS on the socket, and how they begin.
"""
