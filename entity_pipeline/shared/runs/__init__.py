"""What the Dagster runs of all domains have in common: their domain, the days they cover, and which are in flight.

Which work a domain requests, and when, does not belong here but in its `automation.py`.
"""
