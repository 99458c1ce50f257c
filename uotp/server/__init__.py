"""
The server: who may come in, whose session it is, and the way to the target.
"""
