"""The administration page and its HTTP API: a shell that shows what each domain does, waits for and costs.

Here is what all pages share: who may come in, how a page is laid out, the home page, settings, Gemini's quota,
Dagster's runs and `/metrics`. What one domain shows belongs to its `page` package (`admin/page.py` says of what it is
made); no domain and no word of one belongs here. Dagster loads none of it: only the commands `admin` and `up` do.
"""
