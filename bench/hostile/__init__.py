"""
What attacks do to a bystander, in full length: C{python -m bench.hostile}.  The attacks are those
of L{tests.hostile}; here their harm is measured, beside other checkouts and, where somebody only
shakes hands, beside HAProxy.
"""
