"""Tests that `--through=session` and `--through=transaction` leave out, and why; all others with a database are run."""

_COUNTS = "it counts or ends the server's own connections, which a pooler keeps"
_NUMBERS = "it knows processes of the server by their numbers, and a pooler gives out numbers of its own"
_WIRE = "its wire before the server counts messages and kills between two of them"
_ON_ITS_OWN = "it goes through poolers on its own"
_OUTAGE = "it takes the server away or fills it up, and says what the pipeline tells of that server"
_OWN_SERVER = "it makes servers of its own"
_LONG = "it is long, and what it attacks is above the connection"
_COMMANDS = (
    "each command is a process; what it asks is tried elsewhere, and `enrich` in test_through_poolers.py"
)

# A file or a test, by its place in `entity_pipeline_tests`.
DIRECT_ONLY = {
    "cli/test_commands.py": _COMMANDS,
    "cli/test_pool.py": _COMMANDS,
    "deploy/test_stop.py": _LONG,
    "deploy/test_topology.py": _LONG,
    "domains/entities/commands/test_evaluate.py": _COMMANDS,
    "domains/entities/page/test_api.py::test_no_made_up_request_ends_in_a_server_error": _LONG,
    "domains/entities/page/test_browser.py": _LONG,
    "migrations/test_while_others_write.py": _NUMBERS,
    "reliability/test_hostile_runs.py": _LONG,
    "reliability/test_kill_wire.py": _WIRE,
    "reliability/test_kills.py": _WIRE,
    "reliability/test_kills_of_batches.py": _WIRE,
    "reliability/test_kills_of_settings.py": _WIRE,
    "reliability/test_kills_of_the_command.py": _WIRE,
    "reliability/test_outages.py": _OUTAGE,
    "reliability/test_outages_disk.py": _OWN_SERVER,
    "reliability/test_outages_pictures.py": _LONG,
    "reliability/test_outages_refusals.py": _OUTAGE,
    "reliability/test_roles.py::test_the_commands_of_a_day_work_as_these_roles": _COMMANDS,
    "reliability/test_roles.py::test_what_enrich_creates_only_the_role_for_undo_removes": _COMMANDS,
    "reliability/test_soak.py": _LONG,
    "reliability/test_undo_property.py": _LONG,
    "resources/gemini/test_ledger_process_races.py": _ON_ITS_OWN,
    "resources/test_postgres.py::test_a_connection_that_died_while_idle_is_replaced_unnoticed": _COUNTS,
    "resources/test_postgres.py::test_nothing_connects_before_the_first_use_and_nothing_stays_after_the_block": _COUNTS,
    "resources/test_shared_pools.py": _COUNTS,
    "sandbox/test_postgres.py": _OWN_SERVER,
    "shared/tasks/test_kills.py": _WIRE,
    "test_databases.py::test_a_database_is_dropped_after_its_test_even_while_a_client_is_connected": _COUNTS,
    "test_pgbouncer.py": _ON_ITS_OWN,
    "test_through_poolers.py": _ON_ITS_OWN,
}


def reason(place: str) -> str | None:
    """Why a test goes straight to the server, or None.

    Args:
        place: ``folder/test_file.py::test_name[parameters]``, below `entity_pipeline_tests`.
    """
    return DIRECT_ONLY.get(place.partition("::")[0]) or DIRECT_ONLY.get(place.partition("[")[0])
