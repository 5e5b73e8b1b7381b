"""Entities: accounts tagged in Instagram posts become artists, brands and groups of the catalog.

Stages, each an asset: `raw_posts` (the collector's) -> `tagged_usernames` (a day of posts) ->
`instagram_accounts` (a cohort of accounts) -> `instagram_profiles` -> `gemini_reviews` -> `catalog_links`.
What several domains do alike is in `entity_pipeline/shared`, and outside systems are in `entity_pipeline/resources`.
"""

KEY = "entities"
"""`Domain.key`: the group of the assets, the tag of the runs, the prefix of alerts and pools."""
