"""
Tests of what is made of the definition of the options.
"""
