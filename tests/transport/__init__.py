"""
Tests of L{uotp.transport}.
"""
