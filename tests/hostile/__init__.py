"""
Attacks on the programs, each beside a bystander: somebody who has nothing to do with it, and
who must not notice.  A short run of each is part of the suite; with C{UOTP_HOSTILE=long} they
take as long as they say in C{bench/README.rst}.

Attackers are processes of their own (C{python -m tests.hostile.attack}), are bounded in count
and in time, and send to loopback alone.  None uses the package that it attacks.
"""
