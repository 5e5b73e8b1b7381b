"""One outside system a module: configuration in, typed client out. SDK exceptions become our failures here."""
