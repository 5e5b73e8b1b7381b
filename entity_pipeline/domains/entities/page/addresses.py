"""The address of the entities' page."""

PAGE_PATH = "/admin/data-pipeline/instagram-accounts"
