"""
The client: sources on UDP, a session and a pool of tunnels for each, and the way to
the server.
"""
