"""Alerts to people: one sensor asks every source and sends the alerts that are due, each once per channel.

What a source reads belongs to the source: the shared ones are in `sources`, and a domain has its own in
`domains/<domain>/alerts.py`. The channels are `resources/notifications.py`.
"""
