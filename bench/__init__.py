"""
Measurements.  Each compares, in one run and in turn, so that a machine that is
slow today is slow for all.
"""
