"""
Tests of L{uotp.udp}.
"""
