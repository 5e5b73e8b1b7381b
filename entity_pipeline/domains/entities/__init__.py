"""Entities: accounts tagged in Instagram posts become artists, brands and groups of the catalog.

Stages, each an asset: `raw_posts` (the collector's) -> `tagged_usernames` (a day of posts) ->
`instagram_accounts` (a cohort of accounts) -> `instagram_profiles` -> `gemini_reviews` -> `catalog_links`;
`gemini_spend_daily` is rolled up from the ledger; `gemini_quota` shows its day.
"""
