"""The command `entity-pipeline`. Failures end in one clear sentence and a non-zero exit, never in a traceback.

It knows no domain: `assembly.py` passes them in, and a command reads them from its `Shell`.
"""
