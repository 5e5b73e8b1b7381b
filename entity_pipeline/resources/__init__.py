"""One module per outside system: configuration in, typed client out. SDK exceptions become our failures here."""
