"""Which worker runs what, where several do: a file's tests stay together, and what takes long is begun first.

A file's tests share what is costly to make: a browser, an installed wheel, a program that serves. The groups
of pytest-xdist do not see to it any more: they are written into the ids of tests, which pytest 9.2 ignores
(pytest-xdist's issue 1386), and each worker makes everything for itself. Nor does xdist know what takes long,
and whoever begins that last works alone in the end.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController

LONGEST = [
    "flow/test_every_profile",
    "cli/test_loop_terminal",
    "flow/test_over_pcsc",
    "flow/test_reader_faults",
    "flow/test_partner_flow",
    "packaging/test_wheel",
    "cli/test_shift_at_terminal",
    "flow/test_torn_and_killed",
    "sync/test_lane_machine",
    "flow/test_a_day_at_the_desk",
    "store/test_faults",
    "sync/test_push_killed",
    "desk/test_openapi",
    "cli/test_simulate",
    "store/test_store_cover_life",
    "store/test_store_shelf",
    "store/test_store_backup",
    "store/test_store_copy",
    "store/test_store_charges",
    "store/test_store_transactions",
    "peers/test_extrawest",
    "web/test_page_in_chromium",
    "encode/test_desfire",
    "encode/test_classic_encode",
    "flow/test_keys_in_use",
    "reader/test_pcsc_reader",
    "peers/test_extrawest_comes",
    "architecture/test_no_asserts",
    "flow/test_hub_flow",
    "flow/test_no_secret_leaks",
    "flow/test_agreement_flow",
    "flow/test_print_flow",
    "flow/test_charge_point",
    "flow/test_python_api",
    "web/test_page_served",
    "desk/test_batch_run",
    "desk/test_batch_reading",
    "packaging/test_reproducible",
    "cli/test_shared_store",
    "cli/test_sync_upkeep",
    "encode/test_type2_tears",
    "sync/test_turn",
]
"""Files of tests, the longest first, as measured. One that has become quick does no harm here."""
_RANKS = {f"tests/{name}.py": rank for rank, name in enumerate(LONGEST)}


class SharesByFile(LoadScopeScheduling):
    """Hands out one file after the other: the longest, then those with the most tests."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid.partition("::")[0]

    def _assign_work_unit(self, node: WorkerController) -> None:
        file = min(
            self.workqueue, key=lambda file: (_RANKS.get(file, len(_RANKS)), -len(self.workqueue[file]))
        )
        self.workqueue.move_to_end(file, last=False)
        super()._assign_work_unit(node)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadScopeScheduling | None:
    return SharesByFile(config, log) if config.getvalue("dist") == "loadgroup" else None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are processors: many tests wait, for a terminal, a reader or a partner."""
    return (os.cpu_count() or 1) + 1
