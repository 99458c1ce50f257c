"""
Tests of L{uotp.telemetry}.
"""
