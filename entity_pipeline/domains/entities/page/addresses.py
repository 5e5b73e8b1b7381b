"""Where the entities' page is, as the user named it."""

PAGE_PATH = "/admin/data-pipeline/instagram-accounts"
