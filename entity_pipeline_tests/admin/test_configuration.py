"""What prevents the server from starting, and the sentence it prints."""

import pytest

from entity_pipeline.admin.configuration import AdminConfiguration, check_bind, configuration_of, is_loopback
from entity_pipeline.core.failures import ConfigurationFailure

TOKEN = {"ADMIN_TOKEN": "a-token-of-a-test-that-is-long"}


@pytest.mark.parametrize(
    "environment", [{}, {"ADMIN_TOKEN": ""}, {"ADMIN_TOKEN": "  "}], ids=["unset", "empty", "blank"]
)
def test_without_a_token_nothing_starts(environment: dict[str, str]) -> None:
    with pytest.raises(ConfigurationFailure, match="ADMIN_TOKEN is not set"):
        configuration_of(environment)


def test_a_short_token_is_refused() -> None:
    with pytest.raises(ConfigurationFailure, match="at least 16"):
        configuration_of({"ADMIN_TOKEN": "short"})


def test_the_token_is_in_no_repr() -> None:
    assert TOKEN["ADMIN_TOKEN"] not in repr(configuration_of(TOKEN))


def test_addresses_are_checked_and_cut_to_what_the_policy_needs() -> None:
    found = configuration_of(
        TOKEN | {"R2_PUBLIC_BASE_URL": "https://pictures.example:8443/a/b", "ADMIN_HOSTS": "Page.example, "}
    )
    assert found.picture_origin == "https://pictures.example:8443"
    assert "page.example" in found.hosts
    with pytest.raises(ConfigurationFailure, match="DAGSTER_UI_URL"):
        configuration_of(TOKEN | {"DAGSTER_UI_URL": "javascript:alert(1)"})


def test_a_header_with_the_name_needs_a_proxy() -> None:
    with pytest.raises(ConfigurationFailure, match="--behind-proxy"):
        AdminConfiguration(TOKEN["ADMIN_TOKEN"], user_header="X-User")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org", ""])
def test_an_address_that_others_can_reach_needs_a_proxy(host: str) -> None:
    with pytest.raises(ConfigurationFailure, match="--behind-proxy"):
        check_bind(host, behind_proxy=False)
    check_bind(host, behind_proxy=True)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_loopback_needs_nothing(host: str) -> None:
    check_bind(host, behind_proxy=False)
    assert is_loopback(host)
