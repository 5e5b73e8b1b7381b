"""A queue of tasks in a table that a domain owns: claims with a lease and a fence, retries, and recovery of lost work.

`rules.py` decides, `store.py` reads and writes, `fenced_trip.py` stores the results of a task in one round trip,
`leases.py` keeps a run's leases alive, `table.py` says what the table looks like. What a task does, and which types and
failures there are, does not belong here: a domain says so in a `TaskQueue`.
"""
