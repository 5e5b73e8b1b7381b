"""One process of the races: its threads reserve and mark sent, round by round, as standard input says.

Arguments: database URL, a name, number of threads, and the stored cap. A line ``ROUND apart`` gives each thread
accounts of its own, ``ROUND together`` gives all threads of all processes the same few more than the cap, in a
circle that they enter at different places. Answers with one line of JSON.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor

from entity_pipeline.core.gemini.ledger import Refused
from entity_pipeline.resources.gemini.ledger import Ledger, Reserved
from entity_pipeline.resources.postgres import open_database
from entity_pipeline_tests.resources.gemini.ledger_cases import FLASH, SENT, about

_MOST_CONNECTIONS = 16
_SPARE = 10


def main(url: str, name: str, threads: int, cap: int) -> None:
    def take_places(ledger: Ledger, prefix: str, first: int) -> tuple[list[str], int]:
        """The accounts that were sent for until the cap refused, and how often the ledger was asked."""
        sent: list[str] = []
        for asked in range(10 * cap):
            subject = f"{prefix}_{(first + asked) % (cap + _SPARE)}"
            call = about(subject, pipeline="race", step="review")
            place = ledger.reserve(call, 1, name)
            if isinstance(place, Refused):
                return sent, asked + 1
            if isinstance(place, Reserved) and ledger.mark_sent(place.event_id, SENT):
                sent.append(subject)
        raise AssertionError("the cap never refused")

    with open_database(url, max_connections=min(threads, _MOST_CONNECTIONS)) as database:
        ledger = Ledger(database)
        ledger.status(FLASH)
        with ThreadPoolExecutor(threads) as pool:
            sys.stdout.write("ready\n")
            sys.stdout.flush()
            for line in sys.stdin:
                nth, how = line.split()
                prefixes = [
                    f"{nth}_all" if how == "together" else f"{nth}_{name}_{thread}"
                    for thread in range(threads)
                ]
                results = list(pool.map(take_places, [ledger] * threads, prefixes, range(0, 7 * threads, 7)))
                sent = [subject for subjects, _ in results for subject in subjects]
                json.dump({"sent": sent, "asked": sum(asked for _, asked in results)}, sys.stdout)
                sys.stdout.write("\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
