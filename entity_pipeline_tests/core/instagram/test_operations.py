"""What every operation must declare."""

from typing import Any, ClassVar

import pytest

from entity_pipeline.core.instagram.operations import Operation
from entity_pipeline.core.instagram.profile import ProfileLook


class Nameless(Operation[str]):
    """An operation that does not name its target."""

    name: ClassVar[str] = "nameless"


def test_an_operation_without_a_target_can_not_be_made() -> None:
    made: Any = Nameless
    with pytest.raises(TypeError, match="target"):
        made()


def test_an_operation_stays_a_value() -> None:
    assert ProfileLook("Prada") == ProfileLook("Prada")
    assert ProfileLook("Prada").target == "prada"
    with pytest.raises(AttributeError):
        ProfileLook("Prada").username = "gucci"  # type: ignore[misc]
