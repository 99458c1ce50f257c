"""
The way through a proxy: what is said to it before the stream begins, and TLS within the TLS of a proxy.
"""
