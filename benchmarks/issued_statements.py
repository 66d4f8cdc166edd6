"""What a desk really sends to PostgreSQL for one card, as the server logs it; and as a script of pgbench.

Of each value that differs from card to card the script makes a fresh one: by chance, from what the statement
before it returned, or from the counters that the transaction read. All others stay as they were logged.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from throwaway_postgresql import Cluster

COUNTERS = {
    "token_count": 30_000_000,
    "contract_count": 40_000_000,
    "revision": 50_000_000,
    "event_count": 60_000_000,
}
"""What the counters are set to before, so that a value tells of which of them it is."""
FIRST_DRIVER = 20_000_000
_APART = 10_000_000
_FURTHEST = 4
"""So far behind a counter lies what one transaction takes of it, at most."""
_SENT = re.compile(r"(?:execute [^:]+|statement): (.*)", re.DOTALL)
_NOT_OF_A_CARD = ("SET log_statement", "DEALLOCATE")
"""Ours, and how the driver forgets what it prepared: pgbench could not go on after that."""
_VALUE = re.compile(r"\$(\d+) = (NULL|'(?:[^']|'')*')")
_PLACE = re.compile(r"\$(\d+)")
LOGGED = {
    "logging_collector": "on",
    "log_destination": "jsonlog",
    "log_directory": "../statements",
    "log_file_mode": "0644",
    "log_parameter_max_length": "-1",
}
"""Settings of a server that logs what it is asked to."""
FRESH = """\\set number random(10000000000, 99999999999)
\\set uid random(40000000000000, 49999999999999)
\\set alias random(100000000000, 999999999999)
"""


@dataclass(frozen=True)
class Sent:
    statement: str
    values: tuple[str, ...]
    """As SQL, quotes included."""


def spread(cluster: Cluster, database: str) -> None:
    """Let no two counters of an empty store have the same value."""
    with cluster.connect(database) as server:
        server.execute("UPDATE meta SET " + ", ".join(f"{name} = {n}" for name, n in COUNTERS.items()))
        server.execute(
            "INSERT INTO driver (id, name, reference, fleet, search_text)"
            f" VALUES ({FIRST_DRIVER}, 'Nobody', 'nobody', '', 'nobody')"
        )


def counters(cluster: Cluster, database: str) -> dict[str, int]:
    with cluster.connect(database) as server:
        (row,) = server.execute(f"SELECT {', '.join(COUNTERS)} FROM meta").fetchall()
    return dict(zip(COUNTERS, map(int, map(str, row)), strict=True))


def sent_during(cluster: Cluster, database: str, issue: Callable[[], None]) -> list[Sent]:
    """Everything that was asked of a database meanwhile, in order."""
    mark(cluster, database, "it begins")
    issue()
    mark(cluster, database, "it ends")
    told = [line for line in _logged(cluster.folder / "statements") if line.get("dbname") == database]
    places = [n for n, line in enumerate(told) if str(line["message"]).startswith("statement: SELECT 'it ")]
    begin, end = places[-2:]
    return [
        Sent(found[1], _values_of(str(line.get("detail", ""))))
        for line in told[begin + 1 : end]
        if (found := _SENT.fullmatch(str(line["message"]))) and not found[1].startswith(_NOT_OF_A_CARD)
    ]


def mark(cluster: Cluster, database: str, words: str) -> None:
    with cluster.connect(database) as server:
        server.execute("SET log_statement = 'all'", prepare=False)
        server.execute(f"SELECT '{words}'", prepare=False)


def _logged(folder: Path) -> Iterator[dict[str, object]]:
    for path in sorted(folder.glob("*.json")):
        for line in path.read_text().splitlines():
            yield json.loads(line)


def _values_of(detail: str) -> tuple[str, ...]:
    return tuple(value for _, value in _VALUE.findall(detail))


# The script


def script_of(sent: Sequence[Sent], named: dict[str, str], before: dict[str, int]) -> str:
    """The statements of one card, for pgbench.

    :param named: values of the card that was issued, with what stands for each in the script
    :param before: the counters before it
    """
    head = dict(before)
    lines: list[str] = []
    for one in sent:
        text = _filled(one, named, head)
        lines += _with_pipeline(text) if ";" in text else [_returning(text)]
        if one.statement.startswith("UPDATE meta"):
            head |= _counted(one.values)
    return FRESH + "\n".join(lines) + "\n"


def _filled(one: Sent, named: dict[str, str], head: dict[str, int]) -> str:
    def value(found: re.Match[str]) -> str:
        logged = one.values[int(found[1]) - 1]
        plain = logged[1:-1]
        return named.get(plain) or _of_counter(plain, head) or _escaped(logged)

    return _PLACE.sub(value, " ".join(_escaped(one.statement).split()))


def _of_counter(plain: str, head: dict[str, int]) -> str | None:
    for name, at in head.items():
        if plain.isdigit() and 0 <= int(plain) - at <= _FURTHEST:
            return f":h_{name}_{int(plain) - at}"
    return None


def _escaped(text: str) -> str:
    """Text in which pgbench takes nothing for a variable of its own."""
    return re.sub(r"(?<!:):(?=[A-Za-z_])", "' || chr(58) || '", text) if text.startswith("'") else text


def _counted(values: Sequence[str]) -> dict[str, int]:
    """The counters as a transaction left them."""
    numbers = [int(value[1:-1]) for value in values if value[1:-1].isdigit()]
    return {
        name: number
        for name, first in COUNTERS.items()
        for number in numbers
        if first <= number < first + _APART
    }


def _with_pipeline(text: str) -> list[str]:
    """Statements that went over in one exchange go over in one here, too."""
    parts = [part.strip() for part in text.split(";") if part.strip()]
    return ["\\startpipeline", *(f"{part};" for part in parts), "\\endpipeline"]


def _returning(text: str) -> str:
    if text.startswith("SELECT meta.revision"):
        steps = [
            f"\\set h_{name}_{step} :h_{name} + {step}" for name in COUNTERS for step in range(_FURTHEST + 1)
        ]
        # A contract has 14 characters.
        steps.append("\\set contract 10000000000000 + :h_contract_count_1")
        return "\n".join([f"{text} \\gset h_", *steps])
    for table, prefix in (("card", "card_"), ("driver", "driver_")):
        if text.startswith(f"INSERT INTO {table} "):
            return f"{text} \\gset {prefix}"
    return f"{text};"
