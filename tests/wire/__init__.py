"""
Tests of L{uotp.wire}.
"""
