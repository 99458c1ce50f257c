"""
The operating system's network: options of sockets, what TCP tells of a connection,
names and addresses.
"""
