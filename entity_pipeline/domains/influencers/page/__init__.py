"""The influencers' part of the administration page.

Loaded only by the server of the page, never by Dagster.
"""
