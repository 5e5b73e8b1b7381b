"""The fixtures of `installations.py`."""

from entity_pipeline_tests.admin.installations import api, app, client, installation, person

__all__ = ["api", "app", "client", "installation", "person"]
