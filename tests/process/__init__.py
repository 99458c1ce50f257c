"""
Tests of L{uotp.process}.
"""
