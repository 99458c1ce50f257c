"""
What the measurements and the tests with real programs share: programs that always end,
network namespaces, free ports, and what the system says of a process.  It knows neither
the programs' options nor certificates.
"""
