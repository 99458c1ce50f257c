"""
What one session does with trains: outwards to its tunnels, and inwards to UDP.
"""
