"""Which worker runs what, where several do: a file's tests stay together, and what takes long is begun first.

A file's tests share what is costly to make: a browser, an installed wheel, a program that serves. The groups
of pytest-xdist do not see to it any more: they are written into the ids of tests, which pytest 9.2 ignores
(pytest-xdist's issue 1386), and each worker makes everything for itself. Nor does xdist know what takes long,
and whoever begins that last works alone in the end.

Each worker reads in all files of tests. Where none is compiled yet, as in a new checkout, all of them would
compile the same file at the same time: so each begins elsewhere, and finds compiled what others began with.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import TYPE_CHECKING

import pytest
from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController

LONGEST = [
    "flow/test_partner_flow",
    "flow/test_reader_faults",
    "store/test_store_transactions",
    "flow/test_every_profile",
    "reader/test_readers_gone",
    "desk/test_openapi",
    "store/test_store_shelf",
    "desk/test_partner_connections",
    "reader/test_pcsc_reader",
    "flow/test_torn_and_killed",
    "packaging/test_wheel",
    "flow/test_over_pcsc",
    "web/test_page_in_chromium",
    "store/test_store_races",
    "cli/test_loop_terminal",
    "cli/test_cut_off",
    "store/test_store_copy",
    "store/test_faults",
    "store/test_store_audit",
    "flow/test_agreement_flow",
    "printing/test_quick_codes",
    "store/test_store_backup",
    "store/test_store_preprinting",
    "store/test_store_cards",
    "flow/test_charge_point",
    "encode/test_classic_encode",
    "sync/test_lane_machine",
    "ocpi/test_registrar",
    "store/test_store_charges",
    "store/test_store_cover_life",
    "store/test_store_crash",
    "store/test_store_on_a_server",
    "peers/test_extrawest",
    "cli/test_simulate",
    "encode/test_desfire",
    "store/test_store_prints",
    "desk/test_serving",
    "printing/test_sheet_sides",
    "flow/test_hub_flow",
    "sync/test_power_failure",
    "reader/test_nfc_reader",
    "cli/test_sheet_designs",
    "web/test_card_page",
    "cli/test_sync_upkeep",
    "reader/test_every_way_to_a_card",
    "cli/test_shift_at_terminal",
    "desk/test_station_loop",
    "sync/test_push_killed",
    "desk/test_desk",
    "ocpi/test_client",
    "printing/test_template_files",
    "simulator/test_cpo_initiative",
    "ocpi/test_handshake",
    "store/test_store_stock",
    "ocpi/test_server_gate",
    "flow/test_no_secret_leaks",
    "desk/test_contacts",
    "simulator/test_ntag21x",
    "encode/test_ntag424_encoding",
    "peers/test_pcsc_tools",
    "store/test_store_partners",
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


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if isinstance(collector, pytest.Directory):
        begin = _begins_at(collector.config, len(report.result))
        report.result = [*report.result[begin:], *report.result[:begin]]
    return report


def _begins_at(config: pytest.Config, count: int) -> int:
    """Where this worker begins to read in a list of so many."""
    worker = getattr(config, "workerinput", {"workerid": "gw0", "workercount": 1})
    return count * int(worker["workerid"].removeprefix("gw")) // int(worker["workercount"])


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Wherever they began, workers have to agree about the order."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: item.path)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadScopeScheduling | None:
    return SharesByFile(config, log) if config.getvalue("dist") == "loadgroup" else None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are processors: many tests wait, for a terminal, a reader or a partner."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, dict[str, object] | None, dict[str, object] | None]:
    """Keywords choose tests where they are collected: where results are told, nobody asks for them."""
    told = yield
    if told and "keywords" in told:
        told["keywords"] = {}
    return told
