"""The profile of an environment's kernel, by the command line."""

from __future__ import annotations

import json
from typing import Any

import pytest

PROFILES = {"gpu": {"display_name": "One GPU", "partition": "zen5", "gpus": "1", "idle_minutes": 30}}


@pytest.fixture
def site(user: Any) -> Any:
    user.config.mkdir(exist_ok=True)
    file = user.config / "jupyter_hpcenv_config.json"
    file.write_text(json.dumps({"Site": {"kernel_profiles": PROFILES}}))
    yield user
    user.data_of("edit", "climate", "--no-profile")
    file.unlink()


def spec_of(site: Any) -> dict[str, Any]:
    return dict(json.loads((site.data / "kernels" / "hpcenv-home.climate" / "kernel.json").read_text()))


def test_an_edit_moves_the_kernel_into_jobs_and_back(site: Any) -> None:
    before = spec_of(site)
    assert site.data_of("edit", "climate", "--profile", "gpu")["profile"] == "gpu"
    spec = spec_of(site)
    told = {"provisioner_name": "hpcenv-batch", "config": {"profile": "gpu"}}  # nothing of what the site means by it
    assert spec["metadata"]["kernel_provisioner"] == told
    assert spec["interrupt_mode"] == "message"
    assert "zen5" not in json.dumps(spec)
    assert "a job with the profile gpu" in site("show", "climate").stdout
    assert site.data_of("edit", "climate", "--no-profile")["profile"] == ""
    assert spec_of(site) == before


def test_an_unknown_profile_is_refused(site: Any) -> None:
    for words in (("edit", "climate"), ("create", "other")):
        error = site.error_of(*words, "--profile", "tpu")
        assert error["code"] == "invalid_request"
        assert error["hints"][0] == "Choose one of: gpu."


def test_the_list_says_what_a_profile_has(site: Any) -> None:
    (row,) = site.data_of("profiles")
    assert (row["name"], row["display_name"], row["request"]["partition"]) == ("gpu", "One GPU", "zen5")
    assert "zen5, GPU 1, ends when idle for 30 min" in site("profiles").stdout


def test_a_site_without_profiles_says_so(cli: Any) -> None:
    assert cli.data_of("profiles") == []
    assert "kernels run beside the server" in cli("profiles").stderr
