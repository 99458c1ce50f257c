"""
Tests of L{uotp.net}.
"""
