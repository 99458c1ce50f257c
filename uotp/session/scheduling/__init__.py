"""
Which link of a session carries the next train, what makes one better than another, and when to leave it.
"""
