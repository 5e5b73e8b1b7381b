"""Bloggers on Instagram: found by name or hashtag, scraped within the shared budget, measured and described.

Stages: `queue/` works through the tasks, `scraping/` fetches a blog and measures it, `discovery/` finds new people by
hashtag, `insights/` has Gemini describe blogs in batches, and `erasure/` removes people. Posts of campaigns and the
catalog of entities do not belong here.
"""

KEY = "influencers"
