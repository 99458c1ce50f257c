"""
WebSocket (RFC 6455) as a carrier: after an upgrade over HTTP, a stream carries messages in place
of bare bytes, so that it passes what only lets the web through.
"""
