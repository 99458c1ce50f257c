"""
Tests of L{uotp.tunnel.tunnel}.
"""
