"""
How a client gets a tunnel: one attempt, the race between the addresses of the server, how long each
step may take, and when the next attempt comes.
"""
