"""The hooks in `tests/every_test_runs.py`, tried on a run of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HOOKS = Path(__file__).parent.parent / "every_test_runs.py"

NOT_RUN = {
    "mark": "import pytest\n@pytest.mark.skip\ndef test_it(): pass\n",
    "call": "import pytest\ndef test_it(): pytest.skip('not here')\n",
    "fixture": "import pytest\n@pytest.fixture\ndef x(): pytest.skip('no')\ndef test_it(x): pass\n",
    "module": "import pytest\npytest.skip('not here', allow_module_level=True)\n",
    "package": "import pytest\npytest.importorskip('there_is_no_such_package')\n",
    "expected_failure": "import pytest\n@pytest.mark.xfail\ndef test_it(): assert False\n",
    "unexpected_success": "import pytest\n@pytest.mark.xfail\ndef test_it(): pass\n",
    "unittest": "import unittest as u\nclass It(u.TestCase):\n  @u.skip('')\n  def test_it(self): pass\n",
}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What pytest says of one good test, and of each way in which a test does not run."""
    folder = tmp_path_factory.mktemp("run")
    shutil.copy(HOOKS, folder / "conftest.py")
    (folder / "test_good.py").write_text("def test_it(): pass\n")
    for name, text in NOT_RUN.items():
        (folder / f"test_{name}.py").write_text(text)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-c",
        os.devnull,
        "--rootdir",
        ".",
        "--continue-on-collection-errors",
    ]
    environment = os.environ | {
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTEST_ADDOPTS": "-rA -p no:cacheprovider",
    }
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    ).stdout


@pytest.mark.parametrize("name", NOT_RUN)
def test_a_test_that_does_not_run_fails(name: str, report: str) -> None:
    lines = [line for line in report.splitlines() if f"test_{name}.py" in line]

    assert any(line.endswith("a test either runs and holds, or goes") for line in lines)
    assert any(line.startswith(("FAILED", "ERROR")) for line in lines)


def test_a_test_that_runs_passes(report: str) -> None:
    assert "PASSED test_good.py::test_it" in report
    assert "4 failed, 1 passed, 4 errors" in report.splitlines()[-1]
