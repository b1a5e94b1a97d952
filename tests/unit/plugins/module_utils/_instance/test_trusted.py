"""Every change of trust, as the original makes it."""

from __future__ import annotations

import pytest

from module_utils._instance import configuration, trusted
from module_utils._instance.configuration import Configuration
from module_utils._instance.errors import ConfigurationError
from module_utils._instance.trusted import ACTIVE, TrustedServer

A, B, C = "AA" * 20, "BB" * 20, "CC" * 20
POLLED = TrustedServer(A, ACTIVE, "https://server:10943/", None, "poll://1/")


def _with(*servers: TrustedServer) -> Configuration:
    return configuration.with_values(configuration.create("/srv/x.json"), trusted_servers=trusted.as_documents(servers))


def test_adding_keeps_the_others_and_takes_any_spelling() -> None:
    after = trusted.with_trust_added(_with(TrustedServer(A)), ["sha1 " + B.lower(), "BB:" * 19 + "BB"])
    assert after.trusted_servers == (TrustedServer(A), TrustedServer(B))


def test_adding_what_is_there_changes_nothing() -> None:
    before = _with(TrustedServer(A), TrustedServer(B))
    assert trusted.with_trust_added(before, [A.lower()]) == before


def test_adding_replaces_an_entry_without_address_and_leaves_one_with() -> None:
    after = trusted.with_trust_added(_with(TrustedServer(A, "None"), POLLED), [A])
    assert after.trusted_servers == (TrustedServer(A), POLLED)
    assert trusted.with_trust_added(_with(POLLED), [A]).trusted_servers == (POLLED, TrustedServer(A))


def test_removing_takes_every_entry_of_the_thumbprint() -> None:
    after = trusted.with_trust_removed(_with(TrustedServer(A), POLLED, TrustedServer(B)), [A.lower(), C])
    assert after.trusted_servers == (TrustedServer(B),)


def test_replacing_keeps_the_rest_of_the_entry_and_joins_equals() -> None:
    after = trusted.with_trust_replaced(_with(POLLED, TrustedServer(A), TrustedServer(C)), A.lower(), C)
    assert after.trusted_servers == (TrustedServer(C, ACTIVE, POLLED.address, None, "poll://1/"), TrustedServer(C))


def test_setting_leaves_exactly_those_named() -> None:
    after = trusted.with_trust_set(_with(TrustedServer(A), POLLED, TrustedServer(B)), [C, A])
    assert after.trusted_servers == (TrustedServer(A), POLLED, TrustedServer(C))
    assert trusted.with_trust_set(after, []).trusted_servers == ()


def test_a_wrong_thumbprint_is_refused_with_a_cause() -> None:
    with pytest.raises(ConfigurationError) as caught:
        trusted.with_trust_added(_with(), ["ABC"])
    assert caught.value.cause == "thumbprint_invalid"


@pytest.mark.parametrize(
    ("value", "style"),
    [(None, "TentaclePassive"), (0, "None"), (1, "TentaclePassive"), (2, "TentacleActive"), ("tentacleactive", ACTIVE)],
)
def test_styles_are_read_by_number_or_name(value: object, style: str) -> None:
    assert trusted.style_named(value) == style
