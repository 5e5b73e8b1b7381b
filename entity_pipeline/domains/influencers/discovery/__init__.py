"""Discovery: people who post under a hashtag become blogs, if they are public and large enough."""
