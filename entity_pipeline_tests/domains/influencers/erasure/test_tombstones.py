"""The hashes under which an erased person is known."""

from hashlib import sha256

from entity_pipeline.domains.influencers.erasure.logic.tombstones import hashes


def test_each_value_has_a_hash_of_its_own_and_one_that_is_unknown_has_none() -> None:
    of_id, of_name = (sha256(text).hexdigest() for text in (b"instagram:pk:7", b"instagram:username:ada"))
    assert hashes(7, "ada") == (of_id, of_name)
    assert hashes(7, None) == (of_id,)
    assert hashes(None, "ada") == (of_name,)
    assert hashes(None, None) == ()
