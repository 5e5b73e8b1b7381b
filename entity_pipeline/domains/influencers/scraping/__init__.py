"""A scrape of one blog: what is asked of Instagram, what is stored of the answers, and the measures of the posts.

`scrape.py` works on one task; the rules are in `logic/` and the SQL in `queries/`. Pictures are not fetched here.
"""

METRICS_VERSION = 1
"""The version of the formulas in `logic/measures.py`, which grows with every change of one."""
