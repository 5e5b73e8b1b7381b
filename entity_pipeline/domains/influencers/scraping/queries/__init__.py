"""SQL of a scrape: every answer in one round trip under the fence of its task."""
