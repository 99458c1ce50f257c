"""
The command lines: words to values, programs, and the demonstration.  Options are
spelled here and nowhere else.
"""
