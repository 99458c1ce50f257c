"""
Tests of L{uotp.client}.
"""
