"""Write many environments that are nothing but what the catalog reads: record, copy and kernelspec."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from unittest import mock

import msgspec

from jupyter_hpcenv.admission import Admission
from jupyter_hpcenv.kernels.kernelspec import kernel_json
from jupyter_hpcenv.models import Kernel, Preflight, Record, utc_now
from jupyter_hpcenv.names import kernel_name, new_environment_id
from jupyter_hpcenv.site.config import username
from jupyter_hpcenv.site.locations import own_root

ARGUMENTS = ["-Xfrozen_modules=off", "-m", "ipykernel_launcher", "-f", "{connection_file}"]


def populate(admission: Admission, first: int, last: int) -> None:
    """Write the environments number *first* to *last* - 1 into the home location."""
    root = own_root(admission.site, "home")
    for number in range(first, last):
        record = _record(admission, root, f"climate-{number:05}")
        Path(record.prefix).mkdir()
        with mock.patch.object(os, "fsync"):  # ten thousand of them would take minutes
            admission.catalog.records.write(record)
            admission.catalog.records.write_copy(record)
        for kernel in record.kernels:
            folder = admission.site.kernels_dir / kernel.name
            folder.mkdir(parents=True)
            folder.joinpath("kernel.json").write_bytes(msgspec.json.encode(kernel_json(record, kernel, folder)))


def _record(admission: Admission, root: Path, name: str) -> Record:
    title = f"{name} (Python 3.11)"
    now = utc_now()
    return Record(
        id=new_environment_id(),
        name=name,
        location="home",
        prefix=str(root / name),
        manager="venv",
        creator="uv",
        installer="uv",
        tools={"uv": "0.13.8"},
        python="3.11.2",
        python_path=sys.executable,
        packages=["xarray>=2024", "netcdf4", "dask", "matplotlib"],
        variables={"OMP_NUM_THREADS": "4"},
        display_name=title,
        kernels=[Kernel(name=kernel_name("home", name), display_name=title)],
        kernelspec={
            "argv": ARGUMENTS,
            "language": "python",
            "interrupt_mode": "signal",
            "metadata": {"debugger": True},
        },
        platform=admission.site.platform(),
        owner=username(),
        created=now,
        changed=now,
        operation="20261121-081502-7f3a9c1e",
        preflight=Preflight(kind="kernel", seconds=1.4, at=now),
    )
