"""
Tests of L{uotp.pki.directory}.
"""
