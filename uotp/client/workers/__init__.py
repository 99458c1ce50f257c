"""
A client with several workers: their parent, the client in each, and what they say to each other.
"""
