"""What a person asks to be done again for one account: a failed review, or the decision about the catalog.

Nothing is asked of Gemini or written to the catalog here. The account is put back to where the next run takes it up,
under the ledger and the rules like any other, and the audit log says who asked.
"""

from typing import Any

from psycopg import Connection

from entity_pipeline.core.audit import Actor
from entity_pipeline.core.failures import InputRejected
from entity_pipeline.core.jsonb import json_object
from entity_pipeline.domains.entities.accounts.queries.asked import AskedAccount, locked_account, set_type
from entity_pipeline.domains.entities.accounts.queries.enrichment_metadata import change_within_stage
from entity_pipeline.domains.entities.audit import entity_audit
from entity_pipeline.domains.entities.links.logic.holds import HoldReason
from entity_pipeline.shared.audit.provenance import last_written

_ACCOUNTS = "instagram_accounts"


def ask_review_again(connection: Connection[Any], username: str, actor: Actor) -> AskedAccount:
    """Let the next run ask Gemini again about an account whose review failed.

    Raises:
        InputRejected: there is no such account, or its review has not failed.
    """
    with connection.transaction():
        account = _found(connection, username)
        if _section(account, "gemini_review").get("status") != "failed":
            raise InputRejected(f"Nothing was changed: the review of {account.username} has not failed.")
        again = {"status": "pending", "attempts": 0, "next_attempt_at": None}
        change_within_stage(connection, account.id, "gemini_review", again)
        _record(connection, account, actor, "review_asked_again", {}, {})
    return account


def ask_decision_again(
    connection: Connection[Any], username: str, actor: Actor, *, replace_type: bool = False
) -> AskedAccount:
    """Let the next run decide again about a held, excluded or undone account.

    With `replace_type`, the account type that a person once wrote (or an application with other types) gives way to
    the review's.

    Raises:
        InputRejected: there is no such account, it waits for its review, or it is linked already.
    """
    with connection.transaction():
        account = _found(connection, username)
        link, review = _section(account, "catalog_link"), _section(account, "gemini_review")
        if review.get("status") != "reviewed":
            raise InputRejected(f"Nothing was changed: {account.username} has no finished review.")
        if link.get("entity_id") is not None and link.get("status") != "undone":
            raise InputRejected(f"Nothing was changed: {account.username} is linked already.")
        if replace_type:
            _give_way(connection, account, actor)
        undecided = {"status": "held", "reviewed_at": None}
        if change_within_stage(connection, account.id, "catalog_link", undecided):
            _record(connection, account, actor, "decision_asked_again", {}, {})
    return account


def _give_way(connection: Connection[Any], account: AskedAccount, actor: Actor) -> None:
    reasons = _section(account, "catalog_link").get("reasons")
    if not isinstance(reasons, list) or HoldReason.ACCOUNT_TYPE_DIFFERS not in reasons:
        raise InputRejected(
            f"Nothing was changed: {account.username} is not held because its type differs from the review's."
        )
    # Our own last value, so that it counts as ours and is replaced; a value that was emptied would stay empty.
    ours = last_written(entity_audit.history(connection, _ACCOUNTS, account.id)).get("account_type")
    set_type(connection, account.id, ours)
    before, after = {"account_type": account.account_type}, {"account_type": ours}
    _record(connection, account, actor, "type_given_up", before, after)


def _found(connection: Connection[Any], username: str) -> AskedAccount:
    account = locked_account(connection, username)
    if account is None:
        raise InputRejected(f"There is no account {username}.")
    return account


def _section(account: AskedAccount, stage: str) -> Any:
    return json_object(json_object(account.enrichment).get(stage))


def _record(
    connection: Connection[Any], account: AskedAccount, actor: Actor, verb: str, before: Any, after: Any
) -> None:
    entity_audit.insert(
        connection,
        verb,
        actor=actor.user_id,
        table=_ACCOUNTS,
        target_id=account.id,
        before=before,
        after=after,
        metadata={"account": account.username, "account_id": str(account.id), "who": actor.label},
    )
