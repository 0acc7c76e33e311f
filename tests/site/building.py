"""An account for building: a uid that is nobody else's, a location, and a folder of kernels for everybody."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..serving import KEPT

#: Theirs alone: a test kills all that runs as the account, and others count the processes of theirs.
BUILDER, OUTSIDER, MEMBER, TEAM = 43_211, 43_212, 43_213, 43_310


def around(uid: int, *groups: int) -> list[str]:
    """Return the words that start a program as *uid*; it can not become another one by any means."""
    more = f"--groups={','.join(map(str, groups))}" if groups else "--clear-groups"
    return ["setpriv", f"--reuid={uid}", f"--regid={uid}", more, "--no-new-privs", "--bounding-set=-all", "--"]


class Builder:
    """The account, and what it is to build."""

    def __init__(self, folder: Path, python: str, uid: int = BUILDER, groups: Sequence[int] = ()) -> None:
        self.uid, self.folder, self.python, self.groups = uid, folder, python, groups
        self.home, self.soft, self.kernels = (folder / each for each in ("builder", "soft", "kernels"))
        for each in (self.home / ".jupyter", self.soft, self.kernels):
            each.mkdir(parents=True)
        self.settings = {
            "Site.locations": {"site": str(self.soft)},
            "Manifest.kernels_dir": str(self.kernels),
            "Manifest.parallel": 4,
        }
        self.configure()
        for each in (self.home, *self.home.rglob("*"), self.soft, self.kernels):
            os.chown(each, uid, uid)
        self.manifest = folder / "site.yaml"
        self.env = {name: os.environ[name] for name in KEPT if name in os.environ}
        self.env |= {
            "HOME": str(self.home),
            "PATH": f"{Path(python).parent}:{os.defpath}",
            "PIP_CONFIG_FILE": os.devnull,
            "JUPYTER_PLATFORM_DIRS": "0",
            "UV_CACHE_DIR": str(self.home / "cache"),
            "USER": "builder",
            "LOGNAME": "builder",
        }

    def configure(self, **more: object) -> None:
        """Write the configuration; *more* are traits of Manifest for now."""
        settings = {**self.settings, **{f"Manifest.{name}": value for name, value in more.items()}}
        text = "".join(f"c.{name} = {value!r}\n" for name, value in settings.items())
        (self.home / ".jupyter" / "jupyter_hpcenv_config.py").write_text(text)

    def write(self, *entries: str, top: str = "", path: Path | None = None) -> Path:
        """Write a manifest with these entries, each as a flow mapping of YAML, and return its path."""
        path = path or self.manifest
        head = f"version: 1\nlabel: site\ndefaults: {{location: site}}\n{top}"
        path.write_text(head + "environments:\n" + "".join(f"- {{{entry}}}\n" for entry in entries))
        path.chmod(0o644)
        return path

    def command(self, *arguments: str) -> list[str]:
        return [*around(self.uid, *self.groups), self.python, "-m", "jupyter_hpcenv.cli", *arguments]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a subcommand to its end."""
        return subprocess.run(
            self.command(*arguments), env=self.env, cwd=self.home, capture_output=True, text=True, timeout=240
        )

    def apply(self, *options: str, code: int = 0, path: Path | None = None) -> dict[str, Any]:
        """Apply the manifest, see how that ends, and return the report; of one that could not begin, the error."""
        done = self.run("apply", str(path or self.manifest), "--json", *options)
        assert done.stdout.count("\n") == 1, done.stderr
        document = json.loads(done.stdout)
        assert done.returncode == code, (done.returncode, document.get("error"), done.stderr)
        assert document["ok"] is not bool(document.get("error"))
        return dict(document.get("data") or document["error"])

    def acts(self, *options: str, code: int = 0, path: Path | None = None) -> dict[str, str]:
        """Apply the manifest and return what was done about each environment that was not as it should be."""
        steps = self.apply(*options, code=code, path=path)["steps"]
        return {f"{s['name']} {s['release']}".strip(): s["act"] for s in steps if s["act"] != "unchanged"}

    def processes(self) -> list[int]:
        """Return the processes of this account, and of nobody else."""
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and entry.stat().st_uid == self.uid:
                    found.append(int(entry.name))
        return found

    def kill_everything(self) -> None:
        """Kill all that runs as this account at once, as a computer that loses its power does."""
        while found := self.processes():
            for pid in found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, 0)

    def record(self, place: str) -> dict[str, Any]:
        """Return the record of what lies at a place of the location."""
        return dict(json.loads((self.soft / place / ".hpcenv" / "environment.json").read_text()))

    def built(self) -> dict[str, str]:
        """Return the ids of what is built, by prefix."""
        places = [
            *self.soft.glob("*/.hpcenv/environment.json"),
            *self.soft.glob(".versions/*/*/.hpcenv/environment.json"),
        ]
        return {str(place.parents[1].resolve()): json.loads(place.read_text())["id"] for place in places}

    def title(self, name: str) -> str:
        """Return what everybody's launcher shows of an environment; empty: nothing."""
        spec = self.kernels / f"hpcenv-site.{name}" / "kernel.json"
        return str(json.loads(spec.read_text())["display_name"]) if spec.exists() else ""

    def starts(self, name: str, uid: int = OUTSIDER, *groups: int) -> str:
        """Return where the Python lies that another user's kernel gets; empty where they get none."""
        launch = self.kernels / f"hpcenv-site.{name}" / "launch"
        argv = [*around(uid, *groups), "sh", "-c", 'exec "$0" -c "import sys; print(sys.prefix)"', str(launch)]
        done = subprocess.run(argv, env={"PATH": os.defpath}, cwd="/", capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else ""
