"""A program: tries a server against its OpenAPI document with schemathesis, and tells what it found.

A process of its own, since schemathesis brings a pytest plugin and hooks that are nobody else's business.
stdin and stdout are JSON: see `main`.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from itertools import cycle
from typing import Any

import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema


def main() -> None:
    """Read `document`, `port`, `urls` and `trials`; write what each found and had answered.

    A trial has a `token`, `only` (a pattern of method and path), `examples` (how many random requests an
    operation gets, good and bad), `boundaries` (whether every value is tried at its limits, in turn), and
    `parameters` (what stands in their place in every request).
    """
    told = json.load(sys.stdin)
    json.dump({name: tried(told, trial) for name, trial in told["trials"].items()}, sys.stdout)


def tried(told: dict[str, Any], trial: dict[str, Any]) -> dict[str, Any]:
    """What is not as described, and with which HTTP statuses each operation answered."""
    schema = schemathesis.openapi.from_dict(told["document"], config=config(told["port"], trial)).include(
        lambda one: re.fullmatch(trial["only"], f"{one.operation.method} {one.operation.path}") is not None
    )
    urls = cycle(told["urls"])

    @schema.hook
    def map_body(_: object, body: Any) -> Any:
        """Whoever is called back is on this machine."""
        return body | {"url": next(urls)} if isinstance(body, dict) and "url" in body else body

    found: list[str] = []
    answered: dict[str, list[int]] = {}
    for event in from_schema(schema).execute():
        if isinstance(event, events.NonFatalError | events.FatalError):
            found.append(f"{event}")
        if isinstance(event, events.ScenarioFinished):
            recorder = event.recorder
            statuses = [one.response.status_code for one in recorder.interactions.values() if one.response]
            answered.setdefault(recorder.label, []).extend(statuses)
            found += failures(recorder)
    return {"found": found, "answered": answered}


def failures(recorder: Any) -> Iterator[str]:
    """Every check that failed, with the request as a line of curl."""
    for checks in recorder.checks.values():
        for check in checks:
            if check.failure_info:
                failure = check.failure_info
                yield f"{recorder.label}: {failure.failure}\n{failure.code_sample}"


def config(port: int, trial: dict[str, Any]) -> SchemathesisConfig:
    """How schemathesis is to go about one trial."""
    off = {"enabled": False}
    return SchemathesisConfig.from_dict(
        {
            "base-url": f"http://127.0.0.1:{port}/ocpi",
            "headers": {"Authorization": f"Token {trial['token']}"},
            "continue-on-failure": True,
            "request-timeout": 10,
            "parameters": trial.get("parameters", {}),
            "generation": {"max-examples": trial.get("examples", 2), "database": "none", "no-shrink": True},
            # OCPI refuses with HTTP 200 what is well-formed and makes no sense: the document says so.
            "checks": {"negative_data_rejection": off, "positive_data_acceptance": off},
            "phases": {
                "stateful": off,
                "examples": off,
                "coverage": {"enabled": trial.get("boundaries", False)},
            },
        }
    )


if __name__ == "__main__":
    main()
