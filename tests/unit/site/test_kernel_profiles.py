"""What staff may write into kernel_profiles, and what becomes of it."""

from __future__ import annotations

from typing import Any

import pytest
from traitlets import TraitError

from jupyter_hpcenv.errors import InvalidRequest
from jupyter_hpcenv.models import BatchRequest
from jupyter_hpcenv.site import Site


def test_a_profile_says_what_its_jobs_ask_for_besides_what_all_do() -> None:
    gpu = {"display_name": "One GPU", "gpus": "1", "time": "240", "idle_minutes": 30, "options": {"nice": "5"}}
    site = Site(batch={"account": "project", "time": "60"}, kernel_profiles={"gpu": gpu, "cpu": {}})
    cpu, found = site.profiles()
    assert (cpu.name, cpu.display_name) == ("cpu", "cpu")
    assert (found.name, found.display_name, found.idle_minutes) == ("gpu", "One GPU", 30)
    assert found.request == BatchRequest(account="project", time="240", gpus="1", options={"nice": "5"})
    assert site.profile("gpu") == found


@pytest.mark.parametrize(
    ("profiles", "words"),
    [
        ({"gpu": "zen4"}, "is a dictionary"),
        ({"../gpu": {}}, "is a dictionary, under a name of letters"),
        ({"gpu": {"partitoin": "zen4"}}, r"kernel_profiles\['gpu'\].*partitoin"),
        ({"gpu": {"partition": "--wrap=x"}}, "can not be the batch job's partition"),
        ({"gpu": {"idle_minutes": -1}}, "idle_minutes"),
        ({"gpu": {"idle_minutes": "long"}}, "idle_minutes"),
        ({"gpu": {"display_name": "a\nb"}}, "display name"),
    ],
)
def test_what_can_not_be_used_is_named(profiles: dict[str, Any], words: str) -> None:
    with pytest.raises(TraitError, match=words):
        Site(kernel_profiles=profiles)


def test_an_unknown_one_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(InvalidRequest) as error:
        Site(kernel_profiles={"gpu": {}, "cpu": {}}).profile("tpu")
    assert error.value.message == "The site has no profile “tpu” for kernels."
    assert error.value.hints[0] == "Choose one of: gpu, cpu."
