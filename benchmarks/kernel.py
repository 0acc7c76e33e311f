"""Start a kernel as Jupyter does, and take the time until it has answered its first execute request."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager

PATIENCE = 60.0


def plain(prefix: Path, before: Sequence[str] = ()) -> KernelSpec:
    """Return the kernelspec that ipykernel itself would write for an environment; *before* leads its command."""
    argv = [
        *before,
        f"{prefix}/bin/python",
        "-Xfrozen_modules=off",
        "-m",
        "ipykernel_launcher",
        "-f",
        "{connection_file}",
    ]
    return KernelSpec(argv=argv, display_name="plain", language="python")


def published(folder: Path) -> KernelSpec:
    """Return the kernelspec that lies in *folder*."""
    return KernelSpec.from_resource_dir(str(folder))


def seconds_to_first_reply(spec: KernelSpec) -> float:
    """Return the seconds from starting the program to the reply; the kernel is stopped outside of them."""
    manager = KernelManager()
    manager._kernel_spec = spec
    began = time.perf_counter()
    manager.start_kernel(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    client = manager.blocking_client()
    client.start_channels()
    try:
        reply = client.execute("1", reply=True, timeout=PATIENCE)
        taken = time.perf_counter() - began
        if reply["content"]["status"] != "ok":
            raise RuntimeError(f"The kernel answered {reply['content']}")
        return taken
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()
