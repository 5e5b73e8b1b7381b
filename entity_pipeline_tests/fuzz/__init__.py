"""Every parser of text from outside, with what must hold for any input; see `targets.py`."""
