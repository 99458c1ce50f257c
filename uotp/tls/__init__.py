"""
Whom we trust: certificates, keys, how peers are verified, and refusals in words.
"""
