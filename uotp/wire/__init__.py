"""
What both programs must agree on, byte for byte, and nothing of how the bytes get
there: how a tunnel begins (L{uotp.wire.hello}), and the two formats of what follows
(L{uotp.wire.format1}, L{uotp.wire.format2}).  C{docs/wire.rst} is the same for readers
who write another program.
"""
