"""
Several servers: which of them a session is at, and the tunnel that stands by at another one.
"""
