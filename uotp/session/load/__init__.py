"""
What the load of a session does to its path, and what follows from that: how many links carry, how much they hold, how
fast they send.
"""
