"""
The life of one connection, and what is spoken on it.
"""
