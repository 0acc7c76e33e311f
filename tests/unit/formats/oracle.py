"""What rattler makes of specs and lockfiles, asked of a child process: it can crash when an interpreter ends."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

SCRIPT = """
import json, os, sys
from rattler.explicit_environment import ExplicitEnvironmentSpec
from rattler import (LockChannel, LockFile, LockPlatform, MatchSpec, PackageRecord, RepoDataRecord)
from rattler.package import BuildString

def plain(value):
    return None if value is None or str(value) == "*" else str(value)

def spec(text, strict):
    read = MatchSpec(text, strict=strict)
    channel = read.channel and read.channel.base_url.rstrip("/")
    return {"name": read.name.normalized, "version": plain(read.version), "build": plain(read.build),
            "number": plain(read.build_number), "channel": channel, "subdir": read.subdir,
            "md5": read.md5 and read.md5.hex(), "sha256": read.sha256 and read.sha256.hex()}

def lock(path, platform):
    environment = LockFile.from_path(path).default_environment()
    here = next(each for each in environment.platforms() if each.name == platform)
    records = environment.conda_repodata_records_for_platform(here) or []
    pip = environment.pypi_packages_for_platform(here) or []
    return {"conda": [[record.url, record.sha256.hex() if record.sha256 else "", record.md5.hex() if record.md5 else ""]
                      for record in records],
            "pip": [f"{package.name}=={package.version}" for package in pip]}

def write(path, channel, packages, pip):
    here = LockPlatform("linux-64")
    file = LockFile([here])
    file.set_channels("default", [LockChannel(channel)])
    for name, version, build, subdir, url, sha256, md5 in packages:
        record = PackageRecord(name, version, BuildString(build), 0, subdir)
        record.sha256, record.md5 = bytes.fromhex(sha256), bytes.fromhex(md5)
        file.add_conda_package("default", here, RepoDataRecord(record, url.rpartition("/")[2], url, channel))
    for name, version, url in pip:
        file.add_pypi_package("default", here, name, version, url)
    file.to_path(path)

def explicit(text):
    read = ExplicitEnvironmentSpec.from_str(text)
    return [str(read.platform), [package.url for package in read.packages]]

verbs = {"spec": spec, "lock": lock, "write": write, "explicit": explicit}
for words in sys.stdin:
    verb, *arguments = json.loads(words)
    try:
        answer = {"answer": verbs[verb](*arguments)}
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)
os._exit(0)
"""


class Oracle:
    """A child that answers questions, one a line, until its input ends."""

    def __init__(self) -> None:
        self.child = subprocess.Popen(
            [sys.executable, "-c", SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, verb: str, *arguments: Any) -> Any:
        """Return what *verb* gives; `ValueError` with rattler's words if it raises there."""
        assert self.child.stdin is not None
        assert self.child.stdout is not None
        self.child.stdin.write(json.dumps([verb, *arguments]) + "\n")
        self.child.stdin.flush()
        answer = json.loads(self.child.stdout.readline())
        if "error" in answer:
            raise ValueError(answer["error"])
        return answer["answer"]

    def close(self) -> None:
        """End the child, and see that it ended well."""
        assert self.child.stdin is not None
        assert self.child.stdout is not None
        self.child.stdin.close()
        assert self.child.wait(30) == 0
        self.child.stdout.close()
