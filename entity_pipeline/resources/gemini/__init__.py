"""Gemini under the ledger: the only way a request leaves this project."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from threading import Event, Lock
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field, PrivateAttr

from entity_pipeline.core.failures import ConfigurationFailure
from entity_pipeline.core.gemini.models import DEFAULT_MODEL, MODELS, GeminiModel, find_model
from entity_pipeline.resources.postgres import PostgresResource

if TYPE_CHECKING:
    from entity_pipeline.core.gemini.access import RecentReplies
    from entity_pipeline.core.gemini.batch import BatchEnded, BatchTicket, BatchWaits, DeletedInputs
    from entity_pipeline.core.gemini.call import Call, EventId, Step
    from entity_pipeline.core.gemini.outcomes import Answered, NotAnswered
    from entity_pipeline.core.gemini.quota import QuotaStatus
    from entity_pipeline.core.gemini.usage import SpendDay
    from entity_pipeline.resources.gemini.batch_client import BatchClient
    from entity_pipeline.resources.gemini.batch_collection import BatchCollection
    from entity_pipeline.resources.gemini.client import GeminiClient
    from entity_pipeline.resources.gemini.ledger import Ledger


class GeminiResource(dg.ConfigurableResource):
    """Gemini behind the ledger in the assets database, with one configured model."""

    assets_db: dg.ResourceDependency[PostgresResource]
    api_key: str = Field(repr=False, description="Secret. Key of the Google project whose quota is counted.")
    base_url: str | None = Field(default=None, description="Another server that speaks the same protocol.")
    model_name: str = Field(default=DEFAULT_MODEL, description="A model of core/gemini/models.py.")
    request_keys: str | None = Field(
        default=None, repr=False, description="Secret. Fernet keys that encrypt the texts of stored requests."
    )

    _client: "GeminiClient | None" = PrivateAttr(default=None)
    _batch_client: "BatchClient | None" = PrivateAttr(default=None)
    _client_lock: Any = PrivateAttr(default_factory=Lock)

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        """Close the connections to Gemini."""
        for client in (self._client, self._batch_client):
            if client is not None:
                client.close()
        self._client = self._batch_client = None

    @property
    def model(self) -> str:
        """The configured model's name."""
        return self.model_name

    @property
    def ledger(self) -> "Ledger":
        """The ledger all requests go through."""
        from entity_pipeline.resources.gemini.ledger import Ledger

        return Ledger(self.assets_db)

    def ask(self, call: "Call", *, run_id: str, stop: Event, deadline: datetime) -> "Answered | NotAnswered":
        """See `core.gemini.access.GeminiAccess.ask`."""
        from entity_pipeline.resources.gemini.kept_requests import RequestKeeper
        from entity_pipeline.resources.gemini.metered_call import MeteredCall

        _registered(call.request.model)
        client = self._connected()
        return MeteredCall(
            ledger=self.ledger,
            keeper=RequestKeeper(self.request_keys),
            send=lambda: client.send(call.request),
            call=call,
            run_id=run_id,
            stop=stop,
            deadline=deadline,
        ).run()

    def submit(self, calls: "Sequence[Call]", *, run_id: str) -> "BatchTicket | NotAnswered":
        """See `core.gemini.access.GeminiBatches.submit`."""
        from entity_pipeline.resources.gemini.batch_submission import BatchSubmission
        from entity_pipeline.resources.gemini.kept_requests import RequestKeeper

        for call in calls:
            _registered(call.request.model)
        batches, keeper = self._batches(), RequestKeeper(self.request_keys)
        return BatchSubmission(batches.ledger, batches.client, keeper).submit(calls, run_id)

    def collect(self, name: str) -> "BatchWaits | BatchEnded":
        """See `core.gemini.access.GeminiBatches.collect`."""
        return self._batches().collect(name)

    def cancel(self, name: str) -> None:
        """See `core.gemini.access.GeminiBatches.cancel`."""
        self._batches().cancel(name)

    def answers(self, name: str) -> "Iterator[tuple[str, Answered | NotAnswered]]":
        """See `core.gemini.access.GeminiBatches.answers`."""
        return self._batches().answers(name)

    def delete_inputs(self, step: "Step", subjects: "Sequence[str]") -> "DeletedInputs":
        """See `core.gemini.access.GeminiBatches.delete_inputs`."""
        from entity_pipeline.resources.gemini.batch_files import delete_inputs
        from entity_pipeline.resources.gemini.batch_ledger import BatchLedger

        ledger = BatchLedger(self.assets_db)
        return delete_inputs(ledger, lambda: self._batches().client, step, subjects, self.model_name)

    def open_batches(self, step: "Step") -> "list[str]":
        """See `core.gemini.access.GeminiBatches.open_batches`."""
        from entity_pipeline.resources.gemini.batch_ledger import BatchLedger

        return BatchLedger(self.assets_db).open_batches(step)

    def sweep(self) -> int:
        """See `core.gemini.access.GeminiAccess.sweep`."""
        return self.ledger.sweep()

    def quota(self, step: "Step | None" = None) -> "QuotaStatus":
        """See `core.gemini.access.GeminiAccess.quota`."""
        return self.ledger.status(_registered(self.model_name), step)

    def roll_up_spend(self, since: date) -> int:
        """See `core.gemini.access.GeminiAccess.roll_up_spend`."""
        from entity_pipeline.resources.gemini.spend import roll_up_spend

        return roll_up_spend(self.assets_db, since)

    def spend(self, since: date) -> "list[SpendDay]":
        """See `core.gemini.access.GeminiAccess.spend`."""
        from entity_pipeline.resources.gemini.spend import read_spend

        return read_spend(self.assets_db, since)

    def spend_of_day(self, day: date) -> "list[SpendDay]":
        """See `core.gemini.access.GeminiAccess.spend_of_day`."""
        from entity_pipeline.resources.gemini.ledger_reading import spend_of_day

        return spend_of_day(self.assets_db, day)

    def recent_replies(self, since: datetime) -> "RecentReplies":
        """See `core.gemini.access.GeminiAccess.recent_replies`."""
        from entity_pipeline.resources.gemini.ledger_reading import recent_replies

        return recent_replies(self.assets_db, self.model_name, since)

    def kept_request(self, event_id: "EventId") -> Mapping[str, Any] | None:
        """What the ledger keeps of one request, with its texts decrypted; None when there is no request with this id.

        Raises:
            ConfigurationFailure: no key decrypts the texts.
        """
        from entity_pipeline.resources.gemini.kept_requests import RequestKeeper
        from entity_pipeline.resources.gemini.ledger_reading import request_of

        kept = request_of(self.assets_db, event_id)
        return None if kept is None else RequestKeeper(self.request_keys).opened(kept)

    def _connected(self) -> "GeminiClient":
        from entity_pipeline.resources.gemini.client import GeminiClient

        with self._client_lock:
            if self._client is None:
                self._client = GeminiClient(self._key(), self.base_url or None)
            return self._client

    def _batches(self) -> "BatchCollection":
        from entity_pipeline.resources.gemini.batch_client import BatchClient
        from entity_pipeline.resources.gemini.batch_collection import BatchCollection
        from entity_pipeline.resources.gemini.batch_ledger import BatchLedger

        with self._client_lock:
            if self._batch_client is None:
                self._batch_client = BatchClient(self._key(), self.base_url or None)
            return BatchCollection(BatchLedger(self.assets_db), self._batch_client)

    def _key(self) -> str:
        if not self.api_key:
            raise ConfigurationFailure("GEMINI_API_KEY is not set: set it to a key of your Google project.")
        return self.api_key


def _registered(name: str) -> GeminiModel:
    model = find_model(name)
    if model is None:
        raise ConfigurationFailure(
            f"GEMINI_MODEL is '{name}', whose prices and quota are not known: choose one of "
            f"{', '.join(MODELS)}, or add it to entity_pipeline/core/gemini/models.py."
        )
    return model
