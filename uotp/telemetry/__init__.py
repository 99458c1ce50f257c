"""
What is said and counted: the log, how often a line may come, and what was dropped.
"""
