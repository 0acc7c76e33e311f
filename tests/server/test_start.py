"""What the extension costs a server that starts, and where its configuration comes from."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jupyter_hpcenv.errors import BrokenConfiguration

from .conftest import Ask, told

#: What only requests, builds or the command line need.
HEAVY = (
    "jupyter_hpcenv.admission",
    "jupyter_hpcenv.managers",
    "jupyter_hpcenv.lifecycle",
    "jupyter_hpcenv.kernels",
    "jupyter_hpcenv.operations",
    "jupyter_hpcenv.catalog",
    "jupyter_hpcenv.cli",
    "jupyter_hpcenv.server.shapes",
    "packaging.requirements",
    "virtualenv",
    "uv",
    "click",
    "rich",
)


def imported_by(statement: str, before: str = "pass") -> set[str]:
    """Return the modules that *statement* brings into a fresh interpreter in which *before* ran."""
    code = (
        "import json, sys\n"
        f"{before}\nthere = set(sys.modules)\n{statement}\n"
        "print(json.dumps(sorted(set(sys.modules) - there)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_package_alone_imports_nothing() -> None:
    ours = {name for name in imported_by("import jupyter_hpcenv") if not name.startswith("__")}
    assert ours == {"jupyter_hpcenv", "jupyter_hpcenv._version"}


def test_extension_leaves_the_heavy_parts_for_the_first_request() -> None:
    brought = imported_by(
        "import jupyter_hpcenv; jupyter_hpcenv._jupyter_server_extension_points()",
        before="import jupyter_server.serverapp, jupyter_server.extension.application, traitlets.config",
    )
    assert "jupyter_hpcenv.server.app" in brought
    assert not [name for name in HEAVY if name in brought]
    strangers = {name.partition(".")[0] for name in brought} - {"jupyter_hpcenv", "msgspec"}
    assert strangers <= set(sys.stdlib_module_names), "each other package costs every start of the server"


def test_points() -> None:
    import jupyter_hpcenv
    from jupyter_hpcenv.server.app import HpcenvApp

    assert jupyter_hpcenv._jupyter_server_extension_points() == [
        {"module": "jupyter_hpcenv.server.app", "app": HpcenvApp}
    ]
    assert HpcenvApp.get_extension_package() == "jupyter_hpcenv"


def test_configuration_that_enables_the_extension() -> None:
    path = Path(__file__).parents[2] / "jupyter-config" / "server-config" / "jupyter_hpcenv.json"
    assert json.loads(path.read_text()) == {"ServerApp": {"jpserver_extensions": {"jupyter_hpcenv": True}}}


def test_help_and_generated_file_name_every_trait() -> None:
    from jupyter_hpcenv.server.app import HpcenvApp

    for text in ("\n".join(HpcenvApp().emit_help(classes=True)), HpcenvApp().generate_config_file()):
        assert "Site.locations" in text
        assert "VenvManager.find_links" in text


async def test_linked_and_loaded(jp_serverapp: Any) -> None:
    points = jp_serverapp.extension_manager.extension_apps["jupyter_hpcenv"]
    assert [app.name for app in points] == ["hpcenv"]
    schemas = jp_serverapp.event_logger.schemas.schema_ids
    assert {
        "https://events.jupyter-hpcenv.org/operation/v1",
        "https://events.jupyter-hpcenv.org/environment/v1",
    } <= set(schemas), "who subscribes before a schema is registered never hears of it"


@pytest.mark.parametrize("name", ["jupyter_hpcenv_config.py", "jupyter_server_config.py"])
async def test_configuration_files(jp_config_dir: Path, jp_configurable_serverapp: Any, name: str) -> None:
    """Staff may write the traits into either file; both reach the desk, and the environment manager."""
    Path(jp_config_dir, name).write_text("c.Site.trash_days = 23\nc.VenvManager.installer = 'pip'\n")
    app = jp_configurable_serverapp()
    desk = app.web_app.settings["hpcenv"].open_desk()
    assert desk.site.trash_days == 23
    assert desk.config.VenvManager.installer == "pip"


async def test_a_broken_configuration_file_refuses_and_is_named(
    jp_config_dir: Path, jp_configurable_serverapp: Any
) -> None:
    """A rule that can not be read must not count as no rule: the server itself would only warn."""
    Path(jp_config_dir, "jupyter_hpcenv_config.py").write_text("c.Site.allow_urls = False\n(\n")
    app = jp_configurable_serverapp()
    with pytest.raises(BrokenConfiguration, match=r"jupyter_hpcenv_config\.py") as caught:
        app.web_app.settings["hpcenv"].open_desk()
    assert caught.value.http_status == 503


async def test_command_line_of_the_server(jp_configurable_serverapp: Any) -> None:
    app = jp_configurable_serverapp(argv=["--Site.trash_days=24"])
    assert app.web_app.settings["hpcenv"].open_desk().site.trash_days == 24


async def test_stop_ends_our_threads(ask: Ask, jp_serverapp: Any) -> None:
    assert (await ask("GET", "environments")).code == 200
    app = jp_serverapp.web_app.settings["hpcenv"]
    assert told(await ask("GET", "operations")) == []
    await jp_serverapp.extension_manager.stop_all_extensions()
    assert not [poller for poller in app.watcher._pollers if poller._thread.is_alive()]
    with pytest.raises(RuntimeError):
        await app.call(lambda desk: desk.facts())
