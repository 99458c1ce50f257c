"""
Trains that came through several links, in order again: what waits, for how long, and what the other end is told to be
missing.
"""
