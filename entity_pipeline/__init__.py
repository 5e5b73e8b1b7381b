"""entity_pipeline: Instagram accounts tagged in posts become a catalog of artists, brands and groups."""
