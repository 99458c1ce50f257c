"""
Certificates of our own: a private certification authority, and a directory of what it
has issued.
"""
