"""
Tests of L{uotp.transport.proxies}.
"""
