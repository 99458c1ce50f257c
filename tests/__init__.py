"""
The fast suite: no sockets, no sleeps.  Real ones live in L{tests.integration}.
"""

import sys

if sys.argv[0] != "-m":  # while `python -m` looks for a program of a test in here, which checks no properties
    from hypothesis import HealthCheck, settings

    # How long a test takes is no verdict on it: machines are slow, or busy.  Other examples are
    # tried each time, so that a few are enough in one run.
    settings.register_profile(
        "uotp", deadline=None, max_examples=40, database=None, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("uotp")
