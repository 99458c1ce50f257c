"""
One server on several processors: what its workers ask of their parent, and how connections are
handed from one to another.
"""
