"""The administration page and its HTTP API: what the pipeline does, waits for and costs, for people.

Reads the two databases and Dagster's records; writes only `pipeline_settings`, with a row in the audit log.
Surprising: nothing here is loaded by Dagster; only the commands `admin` and `up` import it.
"""
