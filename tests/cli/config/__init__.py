"""
Tests of configuration files.
"""
