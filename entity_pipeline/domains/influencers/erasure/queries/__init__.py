"""SQL of erasure."""
