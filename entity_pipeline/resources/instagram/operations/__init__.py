"""The operations: each is a module with its name and a `HANDLER`; see `handlers.py`."""
