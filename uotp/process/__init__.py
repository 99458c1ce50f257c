"""
The process and its operating system: the clock, signals, regular work, state
machines.
"""
