"""The operations, each a module of its name with a `HANDLER`; see `handlers.py`."""
