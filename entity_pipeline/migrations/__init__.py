"""Both databases' schema as plain SQL files, in dbmate's format under Supabase's naming, and what applies them.

A file that has been released never changes: a database remembers it by its number alone. `assets/` and
`operation/` share one number space, because the two may live in one database.
"""

from entity_pipeline.migrations.runner import migrate

__all__ = ["migrate"]
