"""
Tests with real processes and real sockets, all on loopback.
"""
