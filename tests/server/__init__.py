"""
Tests of L{uotp.server}.
"""
