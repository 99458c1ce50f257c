"""
Who sends to a client: its UDP ports, which sources are taken on, and the session of each.
"""
