"""Pure rules of discovery."""
