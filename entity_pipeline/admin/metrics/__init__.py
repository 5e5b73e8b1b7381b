"""`GET /metrics` for Prometheus: parts that are read side by side (`reading.py`) and families of samples.

What Gemini, the Instagram pool, the gates and Dagster's runs tell is here. What one domain counts is a `MetricsPart` of
its page.
"""
