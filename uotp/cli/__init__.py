"""
The command lines: they turn words into values, start the programs, and hold the
demonstration.  Options are spelled here and nowhere else.
"""
