"""What Dagster runs of every domain have in common: whose they are, which days they cover, what is under way.

Which work a domain asks for, and when, does not belong here: that is its `automation.py`.
"""
