"""Attacks on the claims of docs/reliability.md: kills, outages, races, hostile answers, a simulated week.

What a single stage or resource promises is tested beside it; here a test needs several of them at once.
"""
