import pytest

from entity_pipeline.core.gemini.access import stand_in_host


@pytest.mark.parametrize(
    ("base_url", "host"),
    [
        (None, None),
        ("", None),
        ("https://generativelanguage.googleapis.com", None),
        ("https://GenerativeLanguage.googleapis.com:443/v1beta", None),
        ("http://127.0.0.1:4711", "127.0.0.1:4711"),
        ("http://[::1]:4711/x", "[::1]:4711"),
        ("https://user:secret@gateway.example/gemini", "gateway.example"),
        ("https://googleapis.com.example", "googleapis.com.example"),
        ("https://fakegoogleapis.com", "fakegoogleapis.com"),
    ],
)
def test_a_stand_in_for_google_is_named_by_its_host(base_url: str | None, host: str | None) -> None:
    assert stand_in_host(base_url) == host
