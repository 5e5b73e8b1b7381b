"""The embedded default: local servers and sample data. Nothing outside this package knows that it exists."""
