"""
Tests of the commands for programs that run.
"""
