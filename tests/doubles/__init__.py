"""
Twins in memory of what tests put in its place, and what their cases have in common.
"""
