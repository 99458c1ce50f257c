"""
Tests of L{uotp.tls.credentials}.
"""
