"""A kernelspec names a profile and nothing else of it; somebody else's record names none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from jupyter_hpcenv.kernels.kernelspec import kernel_json
from jupyter_hpcenv.kernels.used import checked
from jupyter_hpcenv.models import Kernel, Record

FACTS = {
    "argv": ["-m", "ipykernel_launcher", "-f", "{connection_file}"],
    "language": "python",
    "interrupt_mode": "signal",
    "metadata": {"debugger": True, "supported_encryption": ["curve"]},
}


def test_the_spec_has_the_name_and_interrupts_by_message(make_record: Callable[..., Record], tmp_path: Path) -> None:
    kernel = Kernel(name="hpcenv-home.climate", display_name="Climate")
    plain = kernel_json(make_record(kernelspec=FACTS), kernel, tmp_path)
    spec = kernel_json(make_record(kernelspec=FACTS, profile="gpu"), kernel, tmp_path)
    told = spec["metadata"].pop("kernel_provisioner")
    assert told == {"provisioner_name": "hpcenv-batch", "config": {"profile": "gpu"}}
    assert spec.pop("interrupt_mode") == "message"
    assert plain.pop("interrupt_mode") == "signal"
    assert spec == plain


def test_a_colleague_does_not_choose_whose_job_a_kernel_is(make_record: Callable[..., Record]) -> None:
    assert checked(make_record(kernelspec=FACTS, profile="gpu")).profile == ""
