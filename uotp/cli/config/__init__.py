"""
Configuration files: they say by the long names of the options what a command line would say.
Nothing here is imported unless there is such a file.
"""
