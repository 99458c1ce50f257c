"""
Where what comes in is told apart: a tunnel, or a visitor who is to find a web site here.
"""
