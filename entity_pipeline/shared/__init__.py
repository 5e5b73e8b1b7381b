"""Services that several domains share, one folder each: SQL and thin Dagster, without an SDK and without a domain.

A module that only one domain uses belongs in that domain. There are no loose modules here.
"""
