"""The packages that people come for: installed, imported and used in a kernel; and what the index can not give."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ..cli.conftest import Cli

WANTED = ["numpy", "scipy", "pandas", "matplotlib", "scikit-learn"]

#: Uses each of them, and writes what came of it into a file.
CELL = """
import json, sys
import matplotlib
matplotlib.use("agg")
import matplotlib.pyplot as plt
import numpy as np, pandas as pd, scipy.linalg
from sklearn.linear_model import LinearRegression
x = np.arange(20.0)[:, None]
fit = LinearRegression().fit(x, 3 * x[:, 0] + 1)
frame = pd.DataFrame({"x": x[:, 0], "y": fit.predict(x)})
frame.plot(x="x", y="y")
plt.savefig(target + ".png")
solved = scipy.linalg.solve(np.diag([2.0, 4.0]), np.ones(2))
with open(target, "w") as file:
    json.dump({"slope": fit.coef_[0], "mean": frame.y.mean(), "solved": list(solved), "prefix": sys.prefix}, file)
"""

RUN = """
import sys
from jupyter_client.manager import KernelManager
manager = KernelManager(kernel_name=sys.argv[1])
manager.start_kernel()
client = manager.client()
client.start_channels()
try:
    client.wait_for_ready(timeout=60)
    reply = client.execute_interactive(sys.argv[2], timeout=120)["content"]
    assert reply["status"] == "ok", reply
finally:
    client.stop_channels()
    manager.shutdown_kernel(now=True)
"""


@pytest.fixture
def user(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Cli:
    return Cli(home, tmp_path_factory.mktemp("uv-cache"))


def test_what_people_come_for_works_in_a_kernel(user: Cli, tmp_path: Path) -> None:
    made = user.data_of("create", "science", *WANTED, "--installer", "uv")
    target = tmp_path / "answer.json"
    cell = f"target = {str(target)!r}\n{CELL}"
    subprocess.run([sys.executable, "-c", RUN, made["kernels"][0]["name"], cell], env=user.env, check=True, timeout=240)
    answer = json.loads(target.read_text())
    assert answer["prefix"] == made["prefix"]
    assert answer["slope"] == pytest.approx(3)
    assert answer["mean"] == pytest.approx(29.5)
    assert answer["solved"] == pytest.approx([0.5, 0.25])
    assert Path(f"{target}.png").read_bytes().startswith(b"\x89PNG")
    packages = user.data_of("packages", "science")
    assert set(WANTED) <= {each["name"] for each in packages}


CONFLICT = ("requirements_conflict", "exclude each other")
UNKNOWN = ("package_not_found", "no package “no-such-package-of-hpcenv”")
YANKED = ("package_not_found", "withdrew (yanked)")


@pytest.mark.parametrize(
    ("installer", "wanted", "code", "said"),
    [
        ("uv", ["pandas==2.2.3", "numpy<1.22"], *CONFLICT),
        ("pip", ["requests==2.31.0", "urllib3<1.21"], *CONFLICT),
        ("uv", ["six", "no-such-package-of-hpcenv"], *UNKNOWN),
        ("pip", ["six", "no-such-package-of-hpcenv"], *UNKNOWN),
        ("uv", ["requests>=2.32.0,<2.32.2"], *YANKED),
        ("pip", ["requests>=2.32.0,<2.32.2"], *YANKED),
    ],
)
def test_what_can_not_be_had_is_said_and_nothing_is_left(
    user: Cli, installer: str, wanted: list[str], code: str, said: str
) -> None:
    refused = user.document("create", "never", *wanted, "--no-kernel", "--installer", installer)
    assert refused["error"]["code"] == code
    assert said in refused["error"]["message"]
    assert refused["error"]["hints"]
    assert user.data_of("list") == []
    assert not list(user.data.joinpath("hpcenv", "environments").glob("never*"))


def test_who_asks_for_exactly_a_yanked_version_gets_it_and_is_warned(user: Cli) -> None:
    done = user("create", "withdrawn", "requests==2.32.0", "--no-kernel", "--installer", "pip")
    assert done.returncode == 0, done.stderr
    assert "Warning: The candidate selected for download or install is a yanked version: 'requests'" in done.stderr
    assert "Warning: Reason for being yanked: Yanked due to conflicts with CVE-2024-35195" in done.stderr
    assert {"requests": "2.32.0"}.items() <= {
        each["name"]: each["version"] for each in user.data_of("packages", "withdrawn")
    }.items()
