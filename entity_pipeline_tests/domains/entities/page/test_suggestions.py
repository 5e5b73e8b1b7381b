"""Google's HTML, and whatever a hostile reply put in its place, runs nothing."""

from typing import Any

import psycopg
from starlette.testclient import TestClient

from entity_pipeline.admin.paths import SIGN_IN_PATH
from entity_pipeline_tests.admin.installations import TOKEN, insert_account

PATH = "/admin/data-pipeline/instagram-accounts/{}/search-suggestions"


def test_suggestions_come_in_a_sandbox_without_scripts(
    client: TestClient, operation: psycopg.Connection[Any]
) -> None:
    insert_account(
        operation, "acme", {"gemini_review": {"search_entry_point": "<style>a{}</style><script>x</script>"}}
    )
    insert_account(operation, "bare")
    assert client.get(PATH.format("acme")).status_code == 401
    client.post(SIGN_IN_PATH, data={"token": TOKEN, "name": "x"})
    answer = client.get(PATH.format("acme"))
    policy = answer.headers["content-security-policy"]
    assert "sandbox allow-popups allow-popups-to-escape-sandbox" in policy
    assert "script-src" not in policy
    assert policy.startswith("default-src 'none'")
    assert "frame-ancestors 'self'" in policy
    assert "x-frame-options" not in answer.headers
    assert "<style>a{}</style>" in answer.text
    assert client.get(PATH.format("bare")).status_code == 404
