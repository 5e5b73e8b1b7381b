"""`GET /metrics` for Prometheus: parts that are read in parallel (`reading.py`) and families of samples.

The metrics of Gemini, the Instagram pool, the gates and Dagster's runs are here. Those of one domain are a
`MetricsPart` of its page.
"""
