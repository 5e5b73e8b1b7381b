"""What `doctor` checks of any installation. What concerns one domain is in the domain's `health.py`."""
