"""Pure rules of a scrape: its steps, the rows of its answers, measures, and verdicts about profiles."""
