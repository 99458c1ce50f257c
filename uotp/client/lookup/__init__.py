"""
Where the server is: lookups of its name, and the addresses that were good before.
"""
