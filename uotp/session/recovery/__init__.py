"""
What is sent more than once, so that a loss delays nobody: copies before it is known, repeats of what is missed or held
by a link that stands still.
"""
