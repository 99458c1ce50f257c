"""
Tests of C{uotp.doctor}.
"""
