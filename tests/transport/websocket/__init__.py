"""
Tests of the carrier by WebSocket.
"""
