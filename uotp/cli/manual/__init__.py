"""
What is made of the definition of the options besides command lines: manual pages, and completion for shells.
"""
