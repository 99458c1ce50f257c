"""
Where what comes in is told apart.
"""
