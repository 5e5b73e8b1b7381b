"""The administration page and its HTTP API: a shell that shows what each domain does, waits for and costs.

Here is what all pages share: access, the layout of a page, the home page, settings, Gemini's quota, Dagster's runs and
`/metrics`. The content of one domain's page belongs to its `page` package (`admin/page.py` has its form); nothing here
names a domain. Dagster loads none of this: only the commands `admin` and `up` do.
"""
