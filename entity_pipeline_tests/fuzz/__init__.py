"""Every parser of what strangers write, with what must hold of it for any input; see `targets.py`."""
