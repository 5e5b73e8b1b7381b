"""Secrets of the pool: sealed, rotated, refused."""

import pytest
from cryptography.fernet import Fernet

from entity_pipeline.core.failures import ConfigurationFailure
from entity_pipeline.resources.instagram.session_secrets import SecretUnreadable, SessionSecrets

COOKIES = {"csrftoken": "c", "sessionid": "s3cret", "ds_user_id": "1"}
OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


def test_cookies_come_back_as_they_were_and_are_not_readable_in_between() -> None:
    sealed = SessionSecrets(NEW).seal_cookies(COOKIES)
    assert "s3cret" not in sealed
    assert SessionSecrets(NEW).open_cookies(sealed) == COOKIES


def test_an_old_key_still_opens_after_a_new_one_was_put_in_front() -> None:
    sealed = SessionSecrets(OLD).seal("http://user:pass@proxy.example:8080")
    assert SessionSecrets(f"{NEW}, {OLD}").open(sealed) == "http://user:pass@proxy.example:8080"


def test_another_key_opens_nothing() -> None:
    with pytest.raises(SecretUnreadable, match="No key"):
        SessionSecrets(NEW).open(SessionSecrets(OLD).seal("x"))


@pytest.mark.parametrize("keys", [None, "", " , "])
def test_without_a_key_the_variable_is_named(keys: str | None) -> None:
    with pytest.raises(SecretUnreadable, match="INSTAGRAM_SESSION_KEYS is not set"):
        SessionSecrets(keys).open("x")


def test_a_malformed_key_is_refused_without_showing_it() -> None:
    with pytest.raises(ConfigurationFailure) as refused:
        SessionSecrets("not-a-key")
    assert "malformed" in str(refused.value)
    assert "not-a-key" not in str(refused.value)


@pytest.mark.parametrize("missing", sorted(COOKIES))
def test_a_session_without_a_needed_cookie_is_refused(missing: str) -> None:
    with pytest.raises(SecretUnreadable, match=missing):
        SessionSecrets(NEW).seal_cookies(COOKIES | {missing: ""})


@pytest.mark.parametrize("text", ["[]", "not json", '{"sessionid": 1}', "null"])
def test_a_stored_value_that_is_not_a_session_is_refused(text: str) -> None:
    vault = SessionSecrets(NEW)
    with pytest.raises(SecretUnreadable):
        vault.open_cookies(vault.seal(text))
