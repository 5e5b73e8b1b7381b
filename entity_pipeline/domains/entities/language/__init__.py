"""Reading what sentences say of an account: spellings of names, mentions, denials, descriptions. Pure."""
