"""
Tests of L{uotp.session.session}.
"""
