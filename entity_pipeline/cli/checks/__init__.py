"""The checks of `doctor` for any installation. Those of one domain are in the domain's `health.py`."""
