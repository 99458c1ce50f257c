"""
Measurements: C{python -m bench}.  Whatever is compared takes turns in one run, so
that a minute in which the machine is slow is slow for all.

What is measured stands in C{scenarios}, what sends and receives in C{load}, what starts
and ends programs in C{rig} (the tests with real programs use these two as well), and what
is made of the numbers in C{figures}, C{connections}, C{results}, C{report} and C{chart},
which need nothing of the system.
"""
