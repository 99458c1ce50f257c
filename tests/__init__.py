"""
The fast suite: no sockets, no sleeps.  Real ones live in L{tests.integration}.
"""
