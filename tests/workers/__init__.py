"""
Tests of processes that a parent keeps alive.
"""
