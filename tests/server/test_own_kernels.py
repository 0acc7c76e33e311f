"""Kernels of this server: found by their kernelspec, named by their document, shut down when asked to."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from jupyter_hpcenv.errors import KernelRunning
from jupyter_hpcenv.server.own_kernels import shut_down_or_refuse

from .conftest import ID, KERNEL, Ask, StandIn, check_error, detail


class Managers:
    """The kernel manager and the session manager of a server, as far as we use them."""

    def __init__(self) -> None:
        self.kernels = {"k1": KERNEL, "k2": "python3", "k3": KERNEL.upper()}
        self.sessions = {"s1": ("k1", "north/a.ipynb"), "s2": ("k2", "b.ipynb")}
        self.settings = {"kernel_manager": self, "session_manager": self}

    def __contains__(self, kernel: str) -> bool:
        return kernel in self.kernels

    def list_kernel_ids(self) -> list[str]:
        return [*self.kernels, "ended-meanwhile"]

    def get_kernel(self, kernel: str) -> Any:
        return SimpleNamespace(kernel_name=self.kernels[kernel])

    async def shutdown_kernel(self, kernel: str) -> None:
        del self.kernels[kernel]

    async def list_sessions(self) -> list[dict[str, Any]]:
        return [{"id": key, "path": path, "kernel": {"id": kernel}} for key, (kernel, path) in self.sessions.items()]

    async def delete_session(self, session: str) -> None:
        kernel, _ = self.sessions.pop(session)
        await self.shutdown_kernel(kernel)


async def test_refused_without_force() -> None:
    managers = Managers()
    with pytest.raises(KernelRunning) as caught:
        await shut_down_or_refuse(managers.settings, detail(), force=False)
    assert "2 kernels of climate are running in this server: north/a.ipynb." in caught.value.message
    assert len(managers.kernels) == 3


async def test_forced() -> None:
    managers = Managers()
    await shut_down_or_refuse(managers.settings, detail(), force=True)
    assert managers.kernels == {"k2": "python3"}
    assert set(managers.sessions) == {"s2"}


@pytest.mark.parametrize("force", [True, False])
@pytest.mark.parametrize("origin", ["shared", "foreign"])
async def test_nothing_stops_for_a_deletion_that_will_be_refused(origin: str, force: bool) -> None:
    managers = Managers()
    await shut_down_or_refuse(managers.settings, detail(origin=origin), force=force)
    assert len(managers.kernels) == 3


async def test_other_environment() -> None:
    managers = Managers()
    await shut_down_or_refuse(managers.settings, detail(kernels=[]), force=False)
    assert len(managers.kernels) == 3


async def test_route(desk: StandIn, ask: Ask, jp_serverapp: Any) -> None:
    managers = Managers()
    real = dict(jp_serverapp.web_app.settings)
    jp_serverapp.web_app.settings.update(managers.settings)
    try:
        check_error(await ask("DELETE", f"environments/{ID}"), 409, "kernel_running")
        assert not [asked for asked in desk.asked if asked[0] == "delete"]
        assert (await ask("DELETE", f"environments/{ID}?force=1")).code == 200
    finally:
        jp_serverapp.web_app.settings.update({name: real[name] for name in managers.settings})
    assert desk.asked[-1] == ("delete", ID, False, True)
    assert managers.kernels == {"k2": "python3"}
