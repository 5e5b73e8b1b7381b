"""The schema of both databases as SQL files, in dbmate's format with Supabase's naming, and the code to apply them.

A released file never changes: a database records only its number. `assets/` and
`operation/` share one number space, because both may be in one database.
"""

from entity_pipeline.migrations.runner import migrate, remove_foreign_history

__all__ = ["migrate", "remove_foreign_history"]
