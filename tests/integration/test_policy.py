"""The site's policy holds at every door, and in the worker."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import pytest

from jupyter_hpcenv import policy
from jupyter_hpcenv.admission import Admission
from jupyter_hpcenv.errors import Forbidden, HpcenvError
from jupyter_hpcenv.managers import index
from jupyter_hpcenv.models import CreateRequest

from ..cli.conftest import Cli

#: Makes a wheel with nothing but the standard library.
BACKEND = """
import zipfile

WHEEL = "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"

def build_wheel(folder, settings=None, metadata=None):
    wheel = "ours-1.0-py3-none-any.whl"
    with zipfile.ZipFile(f"{folder}/{wheel}", "w") as archive:
        archive.writestr("ours.py", "")
        archive.writestr("ours-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: ours\\nVersion: 1.0\\n")
        archive.writestr("ours-1.0.dist-info/WHEEL", WHEEL)
        archive.writestr("ours-1.0.dist-info/RECORD", "")
    return wheel
"""

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "admins" / "policy.md"


@pytest.fixture
def user(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Cli:
    return Cli(home, tmp_path_factory.mktemp("uv-cache"))


@pytest.fixture
def rule(user: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "policy.toml"
    user.env["HPCENV_POLICY"] = str(path)
    monkeypatch.setenv("HPCENV_POLICY", str(path))
    path.write_text("version = 1\n")
    return path


REFUSED = {
    "managers": ('managers = ["conda"]', ["create", "no", "six"]),
    "installers": ('installers = ["pip"]', ["create", "no", "--installer", "uv"]),
    "pythons": ('pythons = ["2.7"]', ["create", "no"]),
    "locations": ('locations = {venv = ["scratch"]}', ["create", "no"]),
    "vcs": ("vcs = false", ["create", "no", "six @ git+https://git.example.org/six"]),
    "urls": ("urls = false", ["create", "no", "six @ https://files.example.org/six-1.0-py3-none-any.whl"]),
    "hashes": ("hashes = true", ["create", "no", "six"]),
    "denied": ('denied = {six = "Take the module."}', ["create", "no", "--file", "pyproject.toml"]),
    "environments": ("environments = 1", ["create", "no"]),
    "sharing": ("sharing = false", ["share", "there", "--everybody"]),
    "gigabytes": ("gigabytes = 0.001", ["create", "no"]),
}


def test_each_rule_refuses_before_anything_is_claimed(user: Cli, rule: Path) -> None:
    user.data_of("create", "there", "--no-kernel")
    (user.home / "pyproject.toml").write_text('[project]\nname = "x"\ndependencies = ["six"]\n')
    for name, (text, words) in REFUSED.items():
        rule.write_text(f'version = 1\ncontact = "help@example.org"\n[enforced]\n{text}\n')
        refused = user.document(*words)
        assert refused.get("error", {}).get("code") == "forbidden_by_policy", (name, refused)
        assert f"rule “{name}” of {rule}" in refused["error"]["reason"]
        assert "help@example.org" in refused["error"]["hints"][-1]
    assert [row["name"] for row in user.data_of("list")] == ["there"]
    rule.write_text("version = 1\n")
    user.data_of("delete", "there")
    rule.write_text("version = 1\n[enforced]\nenvironments = 0\n")
    assert user.document("restore", "there")["error"]["code"] == "forbidden_by_policy"
    rule.write_text("version = 1\n")
    user.data_of("restore", "there")
    rule.write_text("version = 1\n[enforced.denied]\nsix = 'Take the module.'\n")
    done = user("install", "there", "six")
    assert (done.returncode, "does not allow" in done.stderr, "Take the module." in done.stderr) == (5, True, True)
    copied = user.document("clone", "there", "copy", "--no-kernel")
    assert copied["ok"], copied
    rule.write_text("version = 1\n")
    user.data_of("install", "there", "six")
    rule.write_text("version = 1\n[enforced.denied]\nsix = ''\n")
    assert user.document("clone", "there", "copy-2")["error"]["code"] == "forbidden_by_policy"


def test_the_hook_is_asked_at_each_door(user: Cli, rule: Path) -> None:
    """Refused before anything is claimed."""
    user.data_of("create", "there", "--no-kernel")
    hook = rule.with_name("hook.py")
    rule.write_text(f'version = 1\n[hook]\ncall = "{hook}:look"\n')
    hook.write_text("def look(asked):\n    return {'refuse': 'Not ' + asked['verb'] + ' today.'}\n")
    words = (["create", "no"], ["install", "there", "six"], ["share", "there", "--everybody"])
    words += (["edit", "there", "--var", "A=b"], ["rebuild", "there"])
    for verb, command in zip(("create", "change", "share", "edit", "rebuild"), words, strict=True):
        if verb == "rebuild":
            shutil.rmtree(user.data_of("show", "there")["prefix"])
        refused = user.document(*command)
        assert refused["error"]["code"] == "forbidden_by_policy", refused
        assert f"Not {verb} today." in refused["error"]["message"]


def test_what_the_hook_changes_is_built(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is in the record, and the user is told; the hook of a policy that anybody could name changes nothing."""
    folder = tmp_path / "etc" / "jupyter"
    folder.mkdir(parents=True)
    hook = tmp_path / "hook.py"
    hook.write_text(
        "def look(asked):\n"
        "    if asked['request'].get('packages') == ['six']:\n"
        "        return {'change': {'packages': ['six==1.16.0']}, 'reason': 'That one is tried here.'}\n"
    )
    (folder / "hpcenv_policy.toml").write_text(f'version = 1\n[hook]\ncall = "{hook}:look"\n')
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    admission = Admission()
    monkeypatch.setattr(type(admission.operations), "_start", lambda self, folder, ticket: None)
    operation = admission.submit("create", CreateRequest(name="changed", packages=["six"], kernel=False))
    ticket = admission.operations.folder(operation.id).ticket()
    assert ticket.request["packages"] == ["six"]
    assert ticket.work["requirements"] == ["six==1.16.0"]
    assert any("That one is tried here." in warning for warning in ticket.work["choice"]["warnings"])


def test_a_policy_that_is_not_understood_refuses_changes_and_nothing_else(user: Cli, rule: Path) -> None:
    user.data_of("create", "there", "--no-kernel")
    rule.write_text("version = 1\n[enforced]\neditables = false\n")
    for words in (["create", "no"], ["install", "there", "six"], ["share", "there", "--everybody"]):
        assert user.document(*words)["error"]["code"] == "broken_policy"
    assert [row["name"] for row in user.data_of("list")] == ["there"]
    assert user("delete", "there").returncode == 0
    assert user("policy").returncode == 1
    assert "editables" in user("policy").stderr


def test_the_worker_asks_once_more(rule: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule that came between the request and the build holds for the build."""
    admission = Admission()
    started: list[Path] = []
    monkeypatch.setattr(type(admission.operations), "_start", lambda self, folder, ticket: started.append(folder.path))
    admission.submit("create", CreateRequest(name="late", packages=["six"], kernel=False))
    rule.write_text("version = 1\n[enforced.denied]\nsix = ''\n")
    argv = [sys.executable, "-m", "jupyter_hpcenv.worker", str(started[0])]
    assert subprocess.run(argv, timeout=60).returncode == 1
    (operation,) = admission.operations.list()
    assert (operation.state, (operation.error or {})["code"]) == ("failed", "forbidden_by_policy")
    assert admission.catalog.environments() == []


@pytest.fixture
def trap() -> Iterator[tuple[str, list[str]]]:
    """An index that nobody may ask, and what it was asked."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.path)
            self.send_error(404)

        do_HEAD = do_GET  # noqa: N815  as the library names it

        def log_message(self, *words: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/simple", seen
    server.shutdown()
    server.server_close()


def poisoned(user: Cli, url: str) -> dict[str, str]:
    """Put the trap into every file where somebody could name an index, and return the variables that name it."""
    pip = f"[global]\nindex-url = {url}\nextra-index-url = {url}/more\nfind-links = {url}/links\n"
    ours = f"c.VenvManager.index_url = {url!r}\nc.VenvManager.find_links = [{url!r}]\n"
    uv = f'[[index]]\nurl = "{url}"\ndefault = true\n[pip]\nextra-index-url = ["{url}/more"]\n'
    files = {
        ".pip/pip.conf": pip,
        ".config/pip/pip.conf": pip,
        "named/pip.conf": pip,
        ".config/uv/uv.toml": uv,
        "named/uv.toml": uv,
        "uv.toml": uv,
        ".local/share/jupyter/hpcenv/uv.toml": uv,
        "pip.conf": pip,
        ".pydistutils.cfg": f"[easy_install]\nindex_url = {url}\n",
        ".jupyter/jupyter_hpcenv_config.py": ours,
        ".netrc": "machine 127.0.0.1 login trap password trap\n",
    }
    for name, text in files.items():
        path = user.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o600)
    return {
        "PIP_INDEX_URL": url,
        "PIP_EXTRA_INDEX_URL": f"{url}/more",
        "PIP_FIND_LINKS": f"{url}/links",
        "PIP_CONFIG_FILE": str(user.home / "named/pip.conf"),
        "PIP_CONSTRAINT": f"{url}/constraints.txt",
        "UV_DEFAULT_INDEX": url,
        "UV_INDEX": f"{url}/more",
        "UV_INDEX_URL": url,
        "UV_EXTRA_INDEX_URL": f"{url}/more",
        "UV_FIND_LINKS": f"{url}/links",
        "UV_CONFIG_FILE": str(user.home / "named/uv.toml"),
        "UV_CONSTRAINT": f"{url}/constraints.txt",
    }


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_nothing_but_the_index_of_the_policy_is_asked(
    user: Cli, rule: Path, trap: tuple[str, list[str]], installer: str
) -> None:
    url, seen = trap
    real = os.environ.get("PIP_INDEX_URL") or index.default()
    variables = poisoned(user, url)
    assert not user.document("create", "free", "six", "--no-kernel", "--installer", installer, **variables)["ok"]
    assert seen  # without the rule the trap is asked, so the rest of this test can fail
    seen.clear()
    rule.write_text(f'version = 1\n[enforced]\nindexes = ["{real}"]\nsources = []\n')
    made = user.data_of("create", "held", "six", "--no-kernel", "--installer", installer, **variables)
    user.data_of("install", "held", "idna", **variables)
    found = user.data_of("search", "six", **variables)
    assert [each["source"] for each in found if each["name"] == "six"], found
    user.data_of("undo", "held", **variables)
    user.data_of("install", "held", "idna", **variables)
    assert {"six", "idna"} <= {each["name"] for each in user.data_of("packages", "held")}
    assert made["installer"] == installer
    assert seen == []


def test_only_named_packages_are_built_from_source(user: Cli, rule: Path, tmp_path: Path) -> None:
    """The index of the policy is a folder here, which has a wheel of one package and the source of another."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    source = tmp_path / "ours-1.0"
    source.mkdir()
    (source / "pyproject.toml").write_text(
        '[project]\nname = "ours"\nversion = "1.0"\n'
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    )
    (source / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: ours\nVersion: 1.0\n")
    (source / "backend.py").write_text(BACKEND)
    with tarfile.open(folder / "ours-1.0.tar.gz", "w:gz") as archive:
        archive.add(source, "ours-1.0")
    held = f'version = 1\n[enforced]\nindexes = ["{folder}"]\n'
    rule.write_text(held + "sources = []\n")
    for installer in ("uv", "pip"):
        refused = user.document("create", "no", "ours", "--no-kernel", "--installer", installer)
        assert refused["error"]["code"] in ("package_not_found", "build_failed", "requirements_conflict"), refused
    rule.write_text(held + 'sources = ["ours"]\n')
    for installer in ("uv", "pip"):
        user.data_of("create", f"yes-{installer}", "ours", "--no-kernel", "--installer", installer)


def test_what_a_hook_changed_is_said_where_the_request_fails_then(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _site_with_hook(tmp_path, "return {'change': {'python': '2.7'}, 'reason': 'Ours is 2.7.'}", monkeypatch)
    with pytest.raises(HpcenvError, match=r"2\.7") as refused:
        Admission().submit("create", CreateRequest(name="old", kernel=False))
    assert refused.value.hints[0] == "The site changed what was asked for (python): Ours is 2.7."


def test_the_hook_of_the_page_goes_by_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    _site_with_hook(tmp_path, "", monkeypatch).write_text(example)
    changed, _ = policy.consulted("create", CreateRequest(name="x", packages=["six"]), "user1")
    assert changed.python == "3.12"
    told = policy.told(changed)
    for line in ("tensorflow", "TensorFlow[and-cuda]>=2"):
        with pytest.raises(Forbidden, match="a module here"):
            policy.ask("create", policy.flat(policy.Asked(manager="venv", told=told), ["six", line]), "user1")
    of_conda = policy.flat(policy.Asked(manager="conda", told=told), ["conda-forge::tensorflow=2"], specs=True)
    with pytest.raises(Forbidden, match="a module here"):
        policy.ask("create", of_conda, "user1")
    policy.ask("create", policy.flat(policy.Asked(manager="venv", told=told), ["tensorflow-datasets"]), "user1")


def _site_with_hook(root: Path, body: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let *root* be the Python's own folder, with a policy whose hook does what *body* says; return its file."""
    hook = root / "hook.py"
    hook.write_text(f"def look(asked):\n    {body or 'pass'}\n")
    (root / "etc" / "jupyter").mkdir(parents=True)
    (root / "etc" / "jupyter" / "hpcenv_policy.toml").write_text(f'version = 1\n[hook]\ncall = "{hook}:look"\n')
    monkeypatch.setattr(sys, "prefix", str(root))
    return hook


def test_the_page_as_printed(user: Cli, rule: Path) -> None:
    text = PAGE.read_text()
    example = re.search(r"```toml\n(.*?)```", text, re.DOTALL)
    assert example
    (user.home / "hpcenv_policy.toml").write_text(example[1])
    rule.write_text(example[1])
    commands = re.findall(r"^\$ jupyter hpcenv (.*?)(?:  +#.*)?$", text, re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        done = user(*command.split())
        assert done.returncode == 0, done.stderr
        assert "Compute nodes do not reach the internet." in done.stdout
    told = Admission().facts()["policy"]["files"]
    assert [each["path"] for each in told] == [str(rule)]
    assert told[0]["enforced"]["environments"] == 20
    from jupyter_hpcenv.policy.reading import Enforced

    table = text[text.index("| rule |") :].partition("\n\n")[0]
    rows = re.findall(r"^\| (`[^|]*) \|", table, re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == {
        field.name for field in msgspec.structs.fields(Enforced)
    }
