"""The entities' part of the administration page: the scheduler's plan, the list of accounts, an account, its texts.

`page.py` is where the shell begins. What is shown is read here and decided elsewhere; nothing is approved or edited.
"""
