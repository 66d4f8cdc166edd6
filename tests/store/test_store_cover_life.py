"""Any life of cards, groups and agreements: no partner keeps, or ever sees, what its agreement excludes."""

from __future__ import annotations

import os

import pytest
from cover_life import CoverLife
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from store_world import ANN, url_of

from rfid_station.store.opening import create_store

EXAMPLES = 500 if os.environ.get("SOAK") else 25


@pytest.fixture(scope="module", autouse=True)
def blank(tmp_path_factory: pytest.TempPathFactory) -> None:
    CoverLife.blank = tmp_path_factory.mktemp("blank") / "station.db"
    create_store(url_of(CoverLife.blank), actor=ANN).close()


def test_partners_hold_what_was_agreed_whatever_happens() -> None:
    run_state_machine_as_test(
        CoverLife,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=10,
            deadline=None,
            phases=[Phase.explicit, Phase.reuse, Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
