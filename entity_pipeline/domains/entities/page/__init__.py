"""The entities' part of the administration page: the scheduler's plan, the list of accounts, an account, its texts.

`page.py` is the entry point for the shell. Values are read here and decided elsewhere; nothing is approved or edited.
"""
