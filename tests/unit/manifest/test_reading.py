"""What a manifest may say, and how each mistake in one is told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jupyter_hpcenv import manifest
from jupyter_hpcenv.errors import HpcenvError, Refused
from jupyter_hpcenv.manifest import Document

WHOLE = """
version: 1
label: gpu
keep: 2
defaults:
  location: site
  python: "3.12"
  modules: [gcc/13]
environments:
- name: torch
  release: 2026.10
  packages: [torch==2.9, "numpy>=2"]
  modules: [CUDA/12.4]
  variables: {OMP_NUM_THREADS: 4}
  test: "import torch"
  visible: {groups: [ml, ai], users: [anna]}
  retire: 2027-06-01
  targets: [{os: el9, arch: zen4}, {cluster: tiny}]
  kernel: false
- name: plain
per_user:
- name: starter
  packages: [xarray]
"""


def read(tmp_path: Path, text: str) -> Document:
    path = tmp_path / "site.yaml"
    path.write_text(text)
    return manifest.read(path)


def test_a_whole_one(tmp_path: Path) -> None:
    document = read(tmp_path, WHOLE)
    assert (document.label, document.keep) == ("gpu", 2)
    torch, plain = document.environments
    assert (torch.name, torch.release, torch.own_name) == ("torch", "2026.10", "torch-2026.10")
    assert torch.request.packages == ["torch==2.9", "numpy>=2"]
    assert (torch.request.modules, plain.request.modules) == (["CUDA/12.4"], ["gcc/13"])
    assert torch.request.variables == {"OMP_NUM_THREADS": "4"}
    assert (torch.visible.groups, torch.visible.users) == (["ai", "ml"], ["anna"])
    assert [(each.os, each.arch, each.cluster) for each in torch.targets] == [("el9", "zen4", ""), ("", "", "tiny")]
    assert (torch.test, torch.retire, torch.request.kernel) == ("import torch", "2027-06-01", False)
    assert (plain.request.location, plain.request.python, plain.visible.everybody) == ("site", "3.12", True)
    (starter,) = document.per_user
    assert (starter.request.location, starter.request.python) == ("", "3.12"), "users have locations of their own"


def test_a_name_and_packages_suffice_and_the_file_is_its_label(tmp_path: Path) -> None:
    document = read(tmp_path, "version: 1\nenvironments:\n- {name: x, manager: conda, packages: [numpy]}\n")
    assert (document.label, document.labelled) == ("site", False)
    assert read(tmp_path, "version: 1\nlabel: site\n").labelled
    assert document.environments[0].request.manager == "conda"


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ("enviroments: []", 2, "“environments”"),
        ("environments:\n- {name: x, packges: [six]}", 3, "“packages”"),
        ("environments:\n- {packages: [six]}", 3, "no name"),
        ("environments:\n- {name: x, kernel: maybe}", 3, "true or false"),
        ("environments:\n- {name: x, packages: six}", 3, "must be a list"),
        ("environments:\n- {name: x, release: ../up}", 3, "can not be a release"),
        ("environments:\n- {name: x, retire: soon}", 3, "is no day"),
        ("environments:\n- {name: x, retire: 2027-02-30}", 3, "is no day"),
        ("environments:\n- {name: x, retire: 2027-6-1}", 3, "Write it as"),
        ("environments:\n- {name: x, visible: {group: ml}}", 3, "“groups”"),
        ("environments:\n- {name: x, targets: [{partition: gpu}]}", 3, "A target"),
        ("environments:\n- {name: x, location: A/B}", 3, "names no location"),
        ("defaults: {name: x}", 2, "“defaults”"),
        ("defaults: &a {python: '3.12'}", 2, "Anchors"),
        ("keep: some", 2, "“keep”"),
        ("label: a/b", 2, "can not be a label"),
        ("per_user:\n- {name: x, retire: 2027-01-01}", 3, "no key “retire”"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, text: str, line: int, word: str) -> None:
    with pytest.raises(HpcenvError) as caught:
        read(tmp_path, f"version: 1\n{text}\n")
    said = " ".join([caught.value.message, *caught.value.hints])
    assert f"ine {line}: " in said
    assert word in said


@pytest.mark.parametrize("text", ["environments: []", "version: 2\n", "version: [1]", ""])
def test_another_version_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(HpcenvError):
        read(tmp_path, text)


@pytest.mark.parametrize("name", ["..", "a b", "base", "x" * 60])
def test_a_name_that_can_not_be_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(HpcenvError):
        read(tmp_path, f"version: 1\nenvironments:\n- {{name: '{name}', release: '2026.11'}}\n")


def test_files_are_read_beside_the_manifest_and_a_lockfile_wins(tmp_path: Path) -> None:
    folder = tmp_path / "torch"
    folder.mkdir()
    (folder / "requirements.txt").write_text("six\n")
    (folder / "environment.yml").write_text("dependencies: [numpy]\n")
    text = "version: 1\nenvironments:\n- {name: a, from: torch/requirements.txt}\n"
    text += "- {name: b, manager: conda, from: torch/environment.yml}\n"
    first = read(tmp_path, text)
    assert first.environments[0].request.requirements == "six\n"
    assert first.environments[1].request.file == "dependencies: [numpy]\n"
    (folder / "conda-lock.yml").write_text("package: []\n")
    second = read(tmp_path, text)
    assert second.environments[0] == first.environments[0]
    assert second.environments[1].request.file == "package: []\n"
    told = [each.file for each in (*first.environments, *second.environments)]
    files = ["requirements.txt", "environment.yml", "requirements.txt", "conda-lock.yml"]
    assert told == [str(folder / name) for name in files]
    assert second.environments[1].preinstalled("l").digest != first.environments[1].preinstalled("l").digest
    with pytest.raises(HpcenvError, match=r"no file .*gone\.txt"):
        read(tmp_path, "version: 1\nenvironments:\n- {name: a, from: gone.txt}\n")


def test_what_everybody_can_write_is_no_manifest(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text("version: 1\n")
    path.chmod(0o666)
    with pytest.raises(HpcenvError, match="everybody through"):
        manifest.read(path)
    path.chmod(0o644)
    assert manifest.read(path).environments == []
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(HpcenvError):
        manifest.read(tmp_path / "pipe.yaml")


def test_what_colleagues_can_write_says_nothing(tmp_path: Path) -> None:
    """Not in the manifest, not in the file that it names, and not by a lockfile that is put beside that."""
    colleague, team = 43_012, 43_110
    folder = tmp_path / "torch"
    folder.mkdir()
    named = folder / "requirements.txt"
    named.write_text("six\n")
    path = tmp_path / "site.yaml"
    path.write_text("version: 1\nenvironments:\n- {name: a, from: torch/requirements.txt}\n")
    for place, mode in ((path, 0o664), (named, 0o664), (folder, 0o775)):
        before = place.stat().st_mode
        os.chown(place, -1, team)
        place.chmod(mode)
        with pytest.raises(Refused, match=f"{team} through {place}"):
            manifest.read(path)
        place.chmod(before)
    assert manifest.read(path).environments[0].request.requirements == "six\n"

    lock = folder / "pylock.toml"
    lock.write_text("lock-version = '1.0'\n")
    os.chown(lock, colleague, colleague)
    folder.chmod(0o1777)  # all may put files there, and nobody may rename those of others
    with pytest.raises(Refused, match=f"uid {colleague} through {lock}"):
        manifest.read(path)
    lock.unlink()

    os.chown(path, colleague, colleague)
    with pytest.raises(Refused, match="others could say"):
        manifest.read(path)
    assert manifest.read(path, configured=True).environments[0].file == str(named), "staff have named it"


def test_the_digest_tells_what_is_built_and_nothing_else(tmp_path: Path) -> None:
    def told(text: str) -> tuple[str, str]:
        entry = read(tmp_path, f"version: 1\nenvironments:\n- {{name: x, {text}}}\n").environments[0]
        told = entry.preinstalled("site")
        return told.digest, told.rest

    one = told("packages: [six]")
    assert told("packages: [six], test: 'import six', retire: 2027-01-01, visible: {groups: [ml]}, notes: why") == one
    assert told("packages: [six], display_name: X") == one
    other = told("packages: [six, attrs]")
    assert (other[0] != one[0], other[1]) == (True, one[1])
    assert told("packages: [six], python: '3.12'")[1] != one[1]
