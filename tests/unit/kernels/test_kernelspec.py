"""Kernelspecs appear whole, only ours are replaced or removed, and Jupyter accepts them."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from jupyter_client.kernelspec import KernelSpecManager

from jupyter_hpcenv import kernels
from jupyter_hpcenv.errors import DiskFull, InvalidName, NameTaken, Refused
from jupyter_hpcenv.kernels.kernelspec import cache_folder, kernel_json, render_stub
from jupyter_hpcenv.kernels.logos import is_png
from jupyter_hpcenv.models import Kernel, ModuleSet, Platform, Record
from jupyter_hpcenv.site import Site
from jupyter_hpcenv.site.config import os_release

Make = Callable[..., Record]
NAME = "hpcenv-home.climate"


def png(width: int = 32, height: int = 32, after: bytes = b"") -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + b"\0" * width for _ in range(height)))
    parts = [b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", header), chunk(b"IDAT", pixels), chunk(b"IEND", b""), after]
    return b"".join(parts)


def test_kernel_json_is_the_golden_one(make_record: Make, golden: Callable[[str, str], None]) -> None:
    record = make_record("/scratch/ada/climate")
    spec = kernel_json(record, record.kernels[0], Path("/home/ada/.local/share/jupyter/kernels") / NAME)
    golden("kernel.json", json.dumps(spec, indent=1) + "\n")


def test_stub_is_the_golden_one(make_record: Make, golden: Callable[[str, str], None]) -> None:
    record = make_record("/scratch/ada/it's climate")
    cache = "/home/ada/.local/share/jupyter/hpcenv/launch-cache"
    golden("stub.sh", render_stub(record, record.kernels[0], "/opt/jupyter/bin/python3.12", cache))


def test_stub_of_modules_alone_demands_no_prefix(make_record: Make) -> None:
    text = render_stub(
        make_record(manager="modules", modules=ModuleSet(system="tcl")), Kernel(name="x", display_name=""), ""
    )
    assert "bin/python" not in text
    assert "ipykernel" not in text


def test_jupyter_finds_it_and_accepts_it(make_record: Make, site: Site) -> None:
    record = make_record()
    folder = kernels.publish(record, record.kernels[0], site)
    assert folder == site.kernels_dir / NAME
    spec = KernelSpecManager().get_kernel_spec(NAME)
    assert spec.resource_dir == str(folder)
    assert spec.argv == [str(folder / "launch"), *record.kernelspec["argv"]]
    assert "{connection_file}" in spec.argv
    assert spec.env == {}
    assert spec.interrupt_mode == "signal"
    assert spec.metadata["supported_encryption"] == ["curve"]
    assert spec.metadata["hpcenv"]["environment"] == record.id


def test_stub_stays_as_it_is_whatever_the_site_has(make_record: Make, tmp_path: Path, home: Path) -> None:
    folder = tmp_path / "templates"
    folder.mkdir(mode=0o755)
    (folder / "stub.sh.j2").write_text("evil\n")
    record = make_record()
    published = kernels.publish(record, record.kernels[0], Site(template_dirs=[str(folder)]))
    assert (published / "launch").read_text() == render_stub(
        record, record.kernels[0], __import__("sys").executable, str(cache_folder(Site()))
    )


def test_modes_do_not_depend_on_the_umask(make_record: Make, site: Site) -> None:
    record = make_record()
    before = os.umask(0)
    try:
        folder = kernels.publish(record, record.kernels[0], site)
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in [folder, folder.parent, *folder.iterdir()]}
    assert modes.pop("launch") == modes.pop(NAME) == modes.pop("kernels") == 0o755
    assert set(modes.values()) == {0o644}


def test_only_verified_logos_come_along(make_record: Make, site: Site, tmp_path: Path) -> None:
    resources = tmp_path / "prefix" / "share" / "jupyter" / "kernels" / "python3"
    resources.mkdir(parents=True)
    (resources / "logo-32x32.png").write_bytes(png())
    (resources / "logo-64x64.png").write_bytes(b"<svg onload='evil()'/>")
    (resources / "logo-svg.svg").write_bytes(b"<svg onload='evil()'/>")
    (resources / "kernel.js").write_bytes(b"evil()")
    record = make_record()
    folder = kernels.publish(record, record.kernels[0], site)
    assert sorted(path.name for path in folder.iterdir()) == ["explain.py", "kernel.json", "launch", "logo-32x32.png"]


@pytest.mark.parametrize(
    "data",
    [b"", b"\x89PNG\r\n\x1a\n", png()[:-1], png(after=b"<script>"), png(width=4096, height=1), b"GIF89a" + png()],
)
def test_what_is_no_small_whole_png(data: bytes) -> None:
    assert not is_png(data)


def test_png_is_a_png() -> None:
    assert is_png(png())


def test_publishing_again_replaces_and_leaves_nothing_behind(make_record: Make, site: Site) -> None:
    record = make_record()
    kernels.publish(record, record.kernels[0], site)
    record.kernels[0].display_name = "New title"
    kernels.publish(record, record.kernels[0], site)
    assert kernels.published(site)[NAME]["display_name"] == "New title"
    assert [path.name for path in site.kernels_dir.iterdir()] == [NAME]
    assert list((site.data_dir / "publish").iterdir()) == []


def test_stale_leftovers_of_a_crash_are_swept_and_fresh_ones_stay(make_record: Make, site: Site) -> None:
    aside = site.data_dir / "publish"
    for name, age in (("old", 2 * 86_400), ("fresh", 60)):
        (aside / name).mkdir(parents=True)
        moment = (aside / name).stat().st_mtime - age
        os.utime(aside / name, (moment, moment))
    record = make_record()
    kernels.publish(record, record.kernels[0], site)
    assert [path.name for path in aside.iterdir()] == ["fresh"]


def test_failed_publish_shows_nothing(make_record: Make, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise DiskFull("no space")

    record = make_record()
    monkeypatch.setattr("jupyter_hpcenv.kernels.kernelspec.write_json", full)
    with pytest.raises(DiskFull):
        kernels.publish(record, record.kernels[0], site)
    assert list(site.kernels_dir.iterdir()) == []
    assert list((site.data_dir / "publish").iterdir()) == []


def test_half_built_kernelspecs_are_never_seen_by_jupyter(
    make_record: Make, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jupyter_hpcenv.kernels import kernelspec

    record, seen = make_record(), []
    real = kernelspec.publish_dir

    def look(source: Path, target: Path) -> None:
        seen.append(sorted(KernelSpecManager().find_kernel_specs()))
        real(source, target)

    monkeypatch.setattr(kernelspec, "publish_dir", look)
    kernels.publish(record, record.kernels[0], site)
    assert len(seen) == 1
    assert not any("climate" in name for name in seen[0])


def test_kernels_folder_that_is_a_link_elsewhere(make_record: Make, site: Site, tmp_path: Path) -> None:
    shared = Path("/dev/shm")
    if shared.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("/dev/shm is no filesystem of its own here")
    import shutil
    import tempfile

    elsewhere = Path(tempfile.mkdtemp(dir=shared))
    try:
        (elsewhere / "kernels").mkdir()
        site.kernels_dir.parent.mkdir(parents=True, exist_ok=True)
        site.kernels_dir.symlink_to(elsewhere / "kernels")
        record = make_record()
        kernels.publish(record, record.kernels[0], site)
        assert list(kernels.published(site)) == [NAME]
        kernels.unpublish(NAME, site)
        assert kernels.published(site) == {}
    finally:
        shutil.rmtree(elsewhere)


def test_kernelspec_of_another_tool_is_neither_replaced_nor_removed(make_record: Make, site: Site) -> None:
    foreign = site.kernels_dir / NAME
    foreign.mkdir(parents=True)
    (foreign / "kernel.json").write_text('{"argv": ["x"], "display_name": "x", "language": "x"}')
    record = make_record()
    with pytest.raises(NameTaken, match="not made by"):
        kernels.publish(record, record.kernels[0], site)
    with pytest.raises(Refused, match="not made by"):
        kernels.unpublish(NAME, site)
    assert (foreign / "kernel.json").exists()
    assert kernels.published(site) == {}


def test_what_is_published_is_never_stale(make_record: Make, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    record = make_record()
    folder = kernels.publish(record, record.kernels[0], site)
    first = kernels.published(site)
    with monkeypatch.context() as patched:
        patched.delattr("jupyter_hpcenv.kernels.kernelspec._facts")
        assert kernels.published(site) == first, "not read again"
    text = (folder / "kernel.json").read_text()
    (folder / "kernel.json").write_text(text.replace(record.id, "f" * 32))
    assert kernels.published(site)[NAME]["environment"] == "f" * 32
    (folder / "kernel.json").unlink()
    assert kernels.published(site) == {}


def test_kernelspec_of_another_environment_is_not_replaced(make_record: Make, site: Site) -> None:
    first, second = make_record(), make_record(id="f" * 32)
    kernels.publish(first, first.kernels[0], site)
    with pytest.raises(NameTaken, match="another environment"):
        kernels.publish(second, second.kernels[0], site)
    assert kernels.published(site)[NAME]["environment"] == first.id


def test_link_in_place_of_the_kernelspec_is_not_followed(make_record: Make, site: Site, tmp_path: Path) -> None:
    record = make_record()
    folder = kernels.publish(record, record.kernels[0], site)
    folder.rename(tmp_path / "precious")
    folder.symlink_to(tmp_path / "precious")
    with pytest.raises(Refused):
        kernels.unpublish(NAME, site)
    with pytest.raises(NameTaken):
        kernels.publish(record, record.kernels[0], site)
    assert (tmp_path / "precious" / "kernel.json").exists()


@pytest.mark.parametrize("mode", [0o757, 0o777, 0o775, 0o1777])
def test_folder_that_others_can_write_is_refused(
    mode: int, make_record: Make, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jupyter_hpcenv.site.trust._private_group", lambda gid, uid: False)
    site.kernels_dir.mkdir(parents=True)
    site.kernels_dir.chmod(mode)
    record = make_record()
    with pytest.raises(Refused, match="can be changed by") as caught:
        kernels.publish(record, record.kernels[0], site)
    assert "chmod go-w" in caught.value.hints[0]
    assert list(site.kernels_dir.iterdir()) == []


def test_folder_that_everybody_can_swap_is_refused(make_record: Make, site: Site, home: Path) -> None:
    site.kernels_dir.mkdir(parents=True)
    home.chmod(0o777)
    record = make_record()
    with pytest.raises(Refused, match="everybody through"):
        kernels.publish(record, record.kernels[0], site)


@pytest.mark.parametrize("name", ["python3", "../x", "hpcenv-home", "HPCENV-home.x", "", "hpcenv-home.x/y"])
def test_only_names_of_ours(name: str, make_record: Make, site: Site) -> None:
    record = make_record()
    record.kernels[0].name = name
    with pytest.raises(InvalidName):
        kernels.publish(record, record.kernels[0], site)
    with pytest.raises(InvalidName):
        kernels.unpublish(name, site)


def test_unpublish_is_quiet_about_what_is_gone(make_record: Make, site: Site) -> None:
    record = make_record()
    kernels.publish(record, record.kernels[0], site)
    kernels.unpublish(NAME, site)
    kernels.unpublish(NAME, site)
    assert kernels.published(site) == {}
    assert list(site.kernels_dir.iterdir()) == []


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"metadata": {"hpcenv": []}}', '{"metadata": {"hpcenv": {"environment": 1}}}']
)
def test_damaged_kernelspecs_are_left_out_of_the_list(text: str, make_record: Make, site: Site) -> None:
    record = make_record()
    kernels.publish(record, record.kernels[0], site)
    broken = site.kernels_dir / "hpcenv-home.broken"
    broken.mkdir()
    (broken / "kernel.json").write_text(text)
    os.mkfifo(site.kernels_dir / "hpcenv-home.fifo")
    assert list(kernels.published(site)) == [NAME]


def test_list_without_a_kernels_folder_is_empty(site: Site) -> None:
    assert kernels.published(site) == {}


@pytest.mark.parametrize(
    ("system", "runs", "explained"), [("other9", False, True), ("other9", True, False), ("", False, False)]
)
def test_a_python_that_can_not_run_on_this_computer_is_explained(
    make_record: Make, tmp_path: Path, system: str, runs: bool, explained: bool
) -> None:
    """It is tried only where the computer is another one than it was built on."""
    prefix = tmp_path / "prefix"
    kernel = prefix / "lib/python3.11/site-packages/ipykernel/__init__.py"
    for path in (prefix / "bin/python", prefix / ".hpcenv/launch", kernel, tmp_path / "explain.py"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (prefix / "bin/python").write_text(f"#!/bin/sh\nexit {0 if runs else 127}\n")
    (prefix / ".hpcenv/launch").write_text("#!/bin/sh\necho launched\n")
    (tmp_path / "explain.py").write_text("import os, sys; print(sys.argv[1], os.environ['HPCENV_BUILDS'])")
    record = make_record(prefix, platform=Platform(cluster="north", os=system or os_release(), arch="x86_64"))
    stub = tmp_path / "launch"
    stub.write_text(render_stub(record, record.kernels[0], sys.executable))
    for path in (prefix / "bin/python", prefix / ".hpcenv/launch", stub):
        path.chmod(0o755)
    done = subprocess.run([str(stub), "-f", "c"], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert done.stdout.strip() == ("other_system north (other9, x86_64)" if explained else "launched")
