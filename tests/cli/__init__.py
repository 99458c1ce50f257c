"""
Tests of L{uotp.cli}.
"""
