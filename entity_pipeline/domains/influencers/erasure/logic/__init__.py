"""Pure rules of erasure."""
