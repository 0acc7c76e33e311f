"""How conda is configured, as conda itself would read it.

What is expected follows conda's documentation:
https://docs.conda.io/projects/conda/en/stable/user-guide/configuration/use-condarc.html (where it looks, precedence),
https://docs.conda.io/projects/conda/en/stable/user-guide/configuration/settings.html (the settings),
https://docs.conda.io/projects/conda/en/stable/user-guide/configuration/admin-multi-user-install.html (``#!final``),
https://www.anaconda.com/blog/conda-configuration-engine-power-users (flags, and variables with lists).
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from jupyter_hpcenv.errors import BrokenConfiguration, BrokenRecord, HpcenvError, Refused
from jupyter_hpcenv.managers.conda.condarc import LIMIT, MOST_FILES
from jupyter_hpcenv.managers.conda.merging import FLAGS, Given, merge
from jupyter_hpcenv.managers.conda.parameters import HARMLESS, HONOURED, OTHERS
from jupyter_hpcenv.managers.conda.settings import REQUEST, Settings, load, pins

SOMEBODY = 43_011


class Tree:
    """A root folder with the places where conda looks; ``etc``, ``base``, ``own`` and ``env`` are files in them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = root / "home" / "me"
        self.home.mkdir(parents=True)
        self.env = {"HOME": str(self.home), "CONDA_ROOT": str(root / "base"), "CONDA_PREFIX": str(root / "prefix")}

    def path(self, place: str) -> Path:
        short = {
            "etc": "etc/conda/.condarc",
            "var": "var/lib/conda/.condarc",
            "base": "base/.condarc",
            "own": "home/me/.condarc",
            "env": "prefix/.condarc",
        }
        return self.root / short.get(place, place)

    def write(self, place: str, text: str | bytes) -> Path:
        path = self.path(place)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def load(self, variables: Mapping[str, str] = {}, **more: Any) -> Settings:
        return load({**self.env, **variables}, root=self.root, **more)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def _list(name: str, *items: str, flag: str = "") -> str:
    return f"{name}: {flag}\n" + "".join(f"  - {item}\n" for item in items)


A, B = _list("channels", "a", "b"), _list("channels", "b", "c")

#: What the files say, the variables, the channels that are asked for, and what comes out.
MATRIX: dict[str, tuple[dict[str, str], dict[str, str], list[str], dict[str, Any]]] = {
    "nothing": ({}, {}, [], {"channels": [], "channel_priority": "strict", "ssl_verify": "true", "offline": False}),
    "one file": ({"own": A}, {}, [], {"channels": ["a", "b"]}),
    # places
    "own after etc": ({"etc": A, "own": B}, {}, [], {"channels": ["b", "c", "a"]}),
    "etc after nothing": ({"etc": A}, {}, [], {"channels": ["a", "b"]}),
    "var after etc": ({"etc": A, "var": B}, {}, [], {"channels": ["b", "c", "a"]}),
    "base after var": ({"var": A, "base": B}, {}, [], {"channels": ["b", "c", "a"]}),
    "own after base": ({"base": A, "own": B}, {}, [], {"channels": ["b", "c", "a"]}),
    "environment after own": ({"own": A, "env": B}, {}, [], {"channels": ["b", "c", "a"]}),
    "variable after environment": ({"env": A}, {"CONDA_CHANNELS": "b,c"}, [], {"channels": ["b", "c", "a"]}),
    "request after variable": ({}, {"CONDA_CHANNELS": "b,c"}, ["c", "x"], {"channels": ["c", "x", "b"]}),
    "request after all": (
        {"etc": _list("channels", "1"), "own": _list("channels", "2"), "env": _list("channels", "3")},
        {"CONDA_CHANNELS": "4"},
        ["5"],
        {"channels": ["5", "4", "3", "2", "1"]},
    ),
    # texts replace each other
    "text": ({"etc": "offline: true\n", "own": "offline: false\n"}, {}, [], {"offline": False}),
    "text by a variable": ({"own": "offline: false\n"}, {"CONDA_OFFLINE": "yes"}, [], {"offline": True}),
    "text that is nothing": ({"etc": "offline: true\n", "own": "offline: ~\n"}, {}, [], {"offline": True}),
    "final text": (
        {"etc": "channel_alias: https://site.example/c/  #!final\n", "own": "channel_alias: https://own.example\n"},
        {"CONDA_CHANNEL_ALIAS": "https://variable.example"},
        [],
        {"channel_alias": "https://site.example/c/"},
    ),
    "first of two final texts": (
        {"etc": "offline: true #!final\n", "own": "offline: false #!final\n"},
        {},
        [],
        {"offline": True},
    ),
    "final in the middle": (
        {"etc": "offline: true\n", "base": "offline: false #!final\n", "own": "offline: true\n"},
        {},
        [],
        {"offline": False},
    ),
    "important variable": (
        {"own": "channels: [a]\n"},
        {"CONDA_OFFLINE": "no!important", "CONDA_CHANNELS": "b!important"},
        ["x"],
        {"offline": False, "channels": ["b", "a"]},
    ),
    # lists are joined
    "final list": (
        {"etc": _list("channels", "admin", flag="  #!final"), "own": A},
        {"CONDA_CHANNELS": "v"},
        ["x"],
        {"channels": ["admin"]},
    ),
    "final list keeps what is weaker": (
        {"etc": A, "base": _list("channels", "admin", flag="#!final"), "own": _list("channels", "own")},
        {},
        [],
        {"channels": ["admin", "a", "b"]},
    ),
    "final list in one line": (
        {"etc": "channels: [a, b]  #!final\n", "own": "channels: [u]"},
        {},
        [],
        {"channels": ["a", "b"]},
    ),
    "final list before a blank line": (
        {"etc": "channels: #!final\n\n  - a\n", "own": "channels: [u]\n"},
        {},
        [],
        {"channels": ["a"]},
    ),
    "final and empty": ({"etc": "channels: [] #!final\n", "own": A}, {}, [], {"channels": []}),
    "final and nothing": ({"etc": "channels: ~ #!final\n", "own": A}, {}, [], {"channels": ["a", "b"]}),
    "final by one sign": ({"etc": "channels: #final\n  - a\n", "own": B}, {}, [], {"channels": ["a"]}),
    "no flag with a blank": ({"etc": "channels: # final\n  - a\n", "own": B}, {}, [], {"channels": ["b", "c", "a"]}),
    "no flag in capitals": ({"etc": "channels: #!FINAL\n  - a\n", "own": B}, {}, [], {"channels": ["b", "c", "a"]}),
    "a list without indentation": (
        {"etc": "channels: #!final\n- a\n- b #!bottom\n- c\n", "own": B},
        {},
        [],
        {"channels": ["a", "c", "b"]},
    ),
    "top of a weaker place": (
        {"etc": _list("channels", "a", "site #!top"), "own": B},
        {},
        [],
        {"channels": ["site", "b", "c", "a"]},
    ),
    "top of two places": (
        {"etc": _list("channels", "a #!top"), "own": _list("channels", "b", "c #!top")},
        {},
        [],
        {"channels": ["a", "c", "b"]},
    ),
    "top before a request": ({"etc": _list("channels", "site #!top")}, {}, ["x"], {"channels": ["site", "x"]}),
    "bottom of a stronger place": (
        {"etc": _list("channels", "a", "b"), "own": _list("channels", "last #!bottom", "c")},
        {},
        [],
        {"channels": ["c", "a", "b", "last"]},
    ),
    "bottom of two places": (
        {"etc": _list("channels", "a #!bottom", "b"), "own": _list("channels", "c #!bottom", "d")},
        {},
        [],
        {"channels": ["d", "b", "c", "a"]},
    ),
    "top and bottom": (
        {"etc": _list("channels", "a #!top", "b"), "own": _list("channels", "a #!bottom", "c")},
        {},
        [],
        {"channels": ["c", "b", "a"]},
    ),
    "bottom within a final list": (
        {"etc": _list("channels", "sam", "pepe", "marv #!top", "daffy #!bottom", flag="#!final"), "own": A},
        {},
        [],
        {"channels": ["marv", "sam", "pepe", "daffy"]},
    ),
    "twice in one list": ({"own": _list("channels", "a", "b", "a")}, {}, [], {"channels": ["a", "b"]}),
    "empty items": ({"own": "channels:\n  - ~\n  - a\n  -\n"}, {}, [], {"channels": ["a"]}),
    "items are texts": ({"own": _list("channels", "5", "on")}, {}, [], {"channels": ["5", "on"]}),
    # maps are joined by key
    "map": (
        {"etc": "custom_channels:\n  a: https://1\n  b: https://1\n", "own": "custom_channels:\n  b: https://2\n"},
        {},
        [],
        {"custom_channels": {"a": "https://1", "b": "https://2"}},
    ),
    "final map": (
        {"etc": "custom_channels: #!final\n  a: https://1\n", "own": "custom_channels:\n  b: https://2\n"},
        {},
        [],
        {"custom_channels": {"a": "https://1"}},
    ),
    "final entry": (
        {
            "etc": "custom_channels:\n  a: https://1 #!final\n",
            "own": "custom_channels:\n  a: https://2\n  b: https://2\n",
        },
        {},
        [],
        {"custom_channels": {"a": "https://1", "b": "https://2"}},
    ),
    "final entry in one line": (
        {"etc": "custom_channels: {a: 'https://1'} #!final\n", "own": "custom_channels: {a: 'https://2'}\n"},
        {},
        [],
        {"custom_channels": {"a": "https://1"}},
    ),
    "map of lists": (
        {"etc": "custom_multichannels:\n  m: [a]\n", "own": "custom_multichannels:\n  m: [b]\n  n: [c]\n"},
        {},
        [],
        {"custom_multichannels": {"m": ["b", "a"], "n": ["c"]}},
    ),
    "final entry of a map of lists": (
        {"etc": "custom_multichannels:\n  m:\n    - a\n", "own": "custom_multichannels:\n  m: #!final\n    - b\n"},
        {},
        [],
        {"custom_multichannels": {"m": ["b"]}},
    ),
    "no proxy": (
        {"own": "proxy_servers:\n  http: ~\n  https: http://p:1\n"},
        {},
        [],
        {"proxy_servers": {"http": "", "https": "http://p:1"}},
    ),
    # variables
    "empty variable": ({"own": A}, {"CONDA_CHANNELS": ""}, [], {"channels": ["a", "b"]}),
    "blanks in a variable": ({}, {"CONDA_CHANNELS": " a , b,, c"}, [], {"channels": ["a", "b", "c"]}),
    "pins by ampersand": (
        {"own": _list("pinned_packages", "numpy 1.*")},
        {"CONDA_PINNED_PACKAGES": "a=1&b <2,>1 & c"},
        [],
        {"pinned_packages": ["a=1", "b <2,>1", "c", "numpy 1.*"]},
    ),
    "folders by colon": (
        {"own": _list("envs_dirs", "/u")},
        {"CONDA_ENVS_PATH": "/a:/b,c"},
        [],
        {"envs_dirs": ["/a", "/b,c", "/u"]},
    ),
    "package folders by comma": ({}, {"CONDA_PKGS_DIRS": "/a,/b"}, [], {"pkgs_dirs": ["/a", "/b"]}),
    "expansion": (
        {"own": _list("channels", "https://h/$FOO/${BAR}/$NO/%FOO%")},
        {"FOO": "f", "BAR": "b"},
        [],
        {"channels": ["https://h/f/b/$NO/%FOO%"]},
    ),
    "the same after expansion": ({"own": _list("channels", "$FOO", "x")}, {"FOO": "x"}, [], {"channels": ["x"]}),
    "no expansion": ({"own": _list("pinned_packages", "$FOO")}, {"FOO": "f"}, [], {"pinned_packages": ["$FOO"]}),
    "folders": (
        {"own": _list("pkgs_dirs", "$SCRATCH/pkgs", "/a/../b", "/b")},
        {"SCRATCH": "/scratch"},
        [],
        {"pkgs_dirs": ["/scratch/pkgs", "/b"]},
    ),
    # other names, words for values
    "other names": (
        {"own": "whitelist_channels: [a]\nverify_ssl: no\ncopy: yes\nchannel: [c]\nenvs_path: [/e]\n"},
        {},
        [],
        {
            "allowlist_channels": ["a"],
            "ssl_verify": "false",
            "always_copy": True,
            "channels": ["c"],
            "envs_dirs": ["/e"],
        },
    ),
    "truth": (
        {"own": "offline: 'On'\nalways_copy: 2\nallow_softlinks: y\nadd_pip_as_python_dependency: 0.0\n"},
        {},
        [],
        {"offline": True, "always_copy": True, "allow_softlinks": True, "add_pip_as_python_dependency": False},
    ),
    "priority": ({"own": "channel_priority: flexible\n"}, {}, [], {"channel_priority": "flexible"}),
    "priority as truth": ({"own": "channel_priority: true\n"}, {}, [], {"channel_priority": "flexible"}),
    "priority as untruth": ({"own": "channel_priority: off\n"}, {}, [], {"channel_priority": "disabled"}),
    "priority in capitals": ({"own": "channel_priority: STRICT\n"}, {}, [], {"channel_priority": "strict"}),
    "numbers": (
        {"own": "remote_max_retries: 4.5\nremote_read_timeout_secs: '7'\nremote_connect_timeout_secs: 3\n"},
        {},
        [],
        {"remote_max_retries": 4, "remote_read_timeout_secs": 7.0, "remote_connect_timeout_secs": 3.0},
    ),
    "rules": (
        {
            "etc": _list("denylist_channels", "x") + _list("allowlist_channels", "a"),
            "own": "override_channels_enabled: no",
        },
        {},
        [],
        {"denylist_channels": ["x"], "allowlist_channels": ["a"], "override_channels_enabled": False},
    ),
}


@pytest.mark.parametrize("case", MATRIX)
def test_what_several_places_say_comes_to(tree: Tree, case: str) -> None:
    """As the page on the condarc file has it, under “Conflict merging strategy” and “Precedence”."""
    files, variables, asked, expected = MATRIX[case]
    for place, text in files.items():
        tree.write(place, text)
    settings = tree.load(variables, channels=asked)
    assert {name: getattr(settings, name) for name in expected} == expected


def test_conda_looks_in_this_order(tree: Tree) -> None:
    """The search path of the page on the condarc file, the weakest place first."""
    places = [
        *("etc/conda/.condarc", "etc/conda/condarc", "etc/conda/condarc.d/1.yml"),
        *("var/lib/conda/.condarc", "var/lib/conda/condarc", "var/lib/conda/condarc.d/1.yaml"),
        *("base/.condarc", "base/condarc", "base/condarc.d/1.yml", "base/condarc.d/2.yaml"),
        *("xdg/conda/.condarc", "xdg/conda/condarc", "xdg/conda/condarc.d/1.yml"),
        *("home/me/.config/conda/.condarc", "home/me/.config/conda/condarc", "home/me/.config/conda/condarc.d/1.yml"),
        *("home/me/.conda/.condarc", "home/me/.conda/condarc", "home/me/.conda/condarc.d/1.yml"),
        *("home/me/.condarc", "prefix/.condarc", "prefix/condarc", "prefix/condarc.d/1.yml", "mine.yaml"),
    ]
    for number, place in enumerate(places):
        tree.write(place, _list("channels", f"c{number}"))
    settings = tree.load({"XDG_CONFIG_HOME": str(tree.root / "xdg"), "CONDARC": str(tree.root / "mine.yaml")})
    assert settings.channels == [f"c{number}" for number in reversed(range(len(places)))]
    assert not settings.warnings


def test_only_yaml_files_of_a_folder_count(tree: Tree) -> None:
    for name in ("b.yml", "a.yaml", "README", "c.yml.bak", ".yml"):
        tree.write(f"etc/conda/condarc.d/{name}", _list("channels", name))
    tree.path("etc/conda/condarc.d/folder.yml").mkdir()
    settings = tree.load()
    assert settings.channels == ["b.yml", "a.yaml"]
    assert len(settings.warnings) == 1
    assert "folder.yml" in settings.warnings[0]


def test_the_base_is_known_by_its_program(tree: Tree) -> None:
    tree.write("miniconda/.condarc", A)
    del tree.env["CONDA_ROOT"]
    assert tree.load().channels == []
    assert tree.load({"CONDA_EXE": str(tree.root / "miniconda/bin/conda")}).channels == ["a", "b"]


def test_the_environment_in_question_counts_and_not_the_active_one(tree: Tree) -> None:
    tree.write("env", A)
    tree.write("other/.condarc", B)
    assert tree.load(prefix=tree.root / "other").channels == ["b", "c"]
    assert tree.load(prefix=tree.root / "new").channels == []


def test_one_file_by_two_ways_counts_once(tree: Tree) -> None:
    first = tree.write("home/me/.config/conda/condarc", A + "subdir: x\n")
    tree.write("own", B)
    settings = tree.load({"XDG_CONFIG_HOME": str(tree.home / ".config"), "CONDARC": str(first)})
    assert settings.channels == ["b", "c", "a"], "at its first place"
    assert len(settings.warnings) == 1


def test_condarc_names_a_file_or_a_folder(tree: Tree) -> None:
    tree.write("more/x.yml", A)
    assert tree.load({"CONDARC": str(tree.root / "more")}).channels == ["a", "b"]
    assert tree.load({"CONDARC": "~/../../more/x.yml"}).channels == ["a", "b"]
    odd = tree.write("more/settings.txt", B)
    settings = tree.load({"CONDARC": str(odd)})
    assert settings.channels == []
    assert str(odd) in settings.warnings[0]
    assert "CONDARC" in tree.load({"CONDARC": "more/x.yml"}).warnings[0]


def test_a_linked_file_is_read(tree: Tree) -> None:
    real = tree.write("dotfiles/conda", A)
    tree.path("own").symlink_to(real)
    assert tree.load().channels == ["a", "b"]


def test_it_is_known_where_each_comes_from(tree: Tree) -> None:
    etc = tree.write("etc", _list("channels", "a") + "offline: yes\ncustom_channels:\n  x: https://h\n")
    own = tree.write("own", _list("channels", "b") + "offline: no\n")
    settings = tree.load({"CONDA_CHANNELS": "c"}, channels=["d"])
    assert settings.channels == ["d", "c", "b", "a"]
    places = [settings.origin("channels", number) for number in range(4)]
    assert places == [REQUEST, "CONDA_CHANNELS", str(own), str(etc)]
    assert settings.origin("offline") == str(own)
    assert settings.origin("custom_channels", "x") == str(etc)
    assert settings.origin("ssl_verify") == "the built-in defaults"


def test_other_channels_stand_elsewhere(tree: Tree) -> None:
    tree.write("own", A + "custom_channels:\n  x: https://h\n")
    other = tree.load().with_channels(["c"], REQUEST)
    assert (other.channels, other.origin("channels", 0)) == (["c"], REQUEST)
    assert other.origin("custom_channels", "x") == str(tree.path("own"))


@pytest.mark.parametrize(
    "text",
    [
        "channels: s3cret\n",
        "channels: 5\n",
        "channels:\n  s3cret: b\n",
        "channels:\n  - [s3cret, b]\n",
        "custom_channels: [s3cret]\n",
        "custom_channels:\n  a: [s3cret]\n",
        "custom_multichannels:\n  a: s3cret\n",
        "proxy_servers: http://s3cret\n",
        "offline: s3cret\n",
        "offline: [s3cret]\n",
        "channel_priority: s3cret\n",
        "channel_alias: s3cret\n",
        "ssl_verify: /nowhere/s3cret\n",
        "ssl_verify: s3cret.pem\n",
        "remote_max_retries: s3cret\n",
        "remote_max_retries: -1\n",
        "remote_read_timeout_secs: .inf\n",
        f"remote_max_retries: {'9' * 5_000}\n",
        'channels: ["s3cret\\0"]\n',
        'proxy_servers: {"a\\n": s3cret}\n',
        "channels: [s3cret]\nchannel: [b]\n",
        "allowlist_channels: [s3cret]\nwhitelist_channels: [b]\n",
    ],
)
def test_a_value_that_can_not_be_used_is_refused_and_not_repeated(tree: Tree, text: str) -> None:
    own = tree.write("own", text)
    with pytest.raises(BrokenConfiguration) as caught:
        tree.load()
    said = str(caught.value.body())
    assert str(own) in said
    assert text.partition(":")[0] in said
    assert "s3cret" not in said


def test_a_variable_that_can_not_be_used_is_named(tree: Tree) -> None:
    with pytest.raises(BrokenConfiguration, match="CONDA_OFFLINE"):
        tree.load({"CONDA_OFFLINE": "perhaps"})
    with pytest.raises(BrokenConfiguration, match="CONDA_PROXY_SERVERS"):
        tree.load({"CONDA_PROXY_SERVERS": "http://p"})


def test_certificates_are_named_by_path(tree: Tree) -> None:
    bundle = tree.write("home/me/site.pem", "")
    tree.write("own", "ssl_verify: ~/site.pem\n")
    assert tree.load().ssl_verify == str(bundle)
    assert tree.load({"CONDA_SSL_VERIFY": ""}).ssl_verify == str(bundle)
    assert tree.load({"CONDA_SSL_VERIFY": "truststore"}).ssl_verify == "true"


def test_what_is_not_honoured_is_named_with_its_place(tree: Tree) -> None:
    etc = tree.write("etc", "subdir: osx-64\nfuture_setting: 1\nchangeps1: no\nreport_errors: false\n")
    own = tree.write("own", "track_features: [mkl]\noffline: no\n")
    settings = tree.load({"CONDA_USE_LOCAL": "1", "CONDA_CHANGEPS1": "no", "CONDA_SHLVL": "1", "CONDA_EXE": "/c/bin/c"})
    assert settings.warnings == [
        f"{etc} sets what jupyter_hpcenv does not honour: subdir, future_setting.",
        f"{own} sets what jupyter_hpcenv does not honour: track_features.",
        "jupyter_hpcenv does not honour the variables CONDA_USE_LOCAL.",
    ]


def test_each_setting_of_conda_is_of_one_kind() -> None:
    named = [*HONOURED, *(alias for each in HONOURED.values() for alias in each.aliases), *HARMLESS, *OTHERS]
    assert len(named) == len(set(named))
    assert set(HONOURED) <= set(Settings.__struct_fields__)


def test_odd_names_neither_fill_nor_break_the_warning(tree: Tree) -> None:
    tree.write("own", '"a\\e]52;x": 1\n' + "".join(f"x{number}: 1\n" for number in range(500)))
    [warning] = tree.load().warnings
    assert "\x1b" not in warning
    assert len(warning) < 1_000
    assert "481 more" in warning


def test_a_flag_that_means_nothing_is_told(tree: Tree) -> None:
    own = tree.write("own", "channels:\n  #!final\n  - a\nofflin: no\nchannel_alias: >- #!final\n  https://h\n")
    warnings = tree.load().warnings
    assert [line for line in (2, 5) if any(f"line {line} of {own}" in each for each in warnings)] == [2, 5]


def test_a_flag_counts_although_a_comment_follows(tree: Tree) -> None:
    tree.write("etc", "channels: #!final\n  # only ours\n  - a\n")
    tree.write("own", B)
    assert tree.load().channels == ["a"]


# -- what a request asks for ----------------------------------------------


def test_a_request_is_told_what_is_fixed(tree: Tree) -> None:
    etc = tree.write("etc", _list("channels", "a", flag="#!final"))
    settings = tree.load(channels=["https://u:s3cret@h/x", "a", "nodefaults"])
    assert settings.channels == ["a"]
    assert settings.warnings == [f"Not used: “https://h/x”. The channels are fixed in {etc} (“#!final”)."]
    assert tree.load(channels=["x"], override=True).channels == ["a"]


def test_nodefaults_or_override_leave_the_configured_channels_out(tree: Tree) -> None:
    tree.write("own", A)
    assert tree.load(channels=["x", "nodefaults", "b"]).channels == ["x", "b"]
    assert tree.load(channels=["x"], override=True).channels == ["x"]
    assert tree.load(channels=["nodefaults"]).channels == ["a", "b"]


def test_the_configured_channels_stay_where_overriding_is_switched_off(tree: Tree) -> None:
    tree.write("etc", "override_channels_enabled: false #!final\n")
    tree.write("own", A + "override_channels_enabled: true\n")
    with pytest.raises(Refused, match="override_channels_enabled"):
        tree.load(channels=["x"], override=True)
    settings = tree.load(channels=["x", "nodefaults"])
    assert settings.channels == ["x", "a", "b"]
    assert "nodefaults" in settings.warnings[0]


# -- pinned packages --------------------------------------------------------


def test_pins_of_an_environment(tree: Tree) -> None:
    prefix = tree.root / "prefix"
    assert pins(prefix) == []
    tree.write("prefix/conda-meta/pinned", "# keep\n\nnumpy 1.26.*\r\n  python >=3.11 # for us\n#x\n")
    assert pins(prefix) == ["numpy 1.26.*", "python >=3.11"]


def test_pins_that_can_not_be_read_are_not_forgotten(tree: Tree) -> None:
    pinned = tree.write("prefix/conda-meta/pinned", "a")
    pinned.unlink()
    os.mkfifo(pinned)
    with pytest.raises(BrokenRecord):
        pins(tree.root / "prefix")
    pinned.unlink()
    pinned.symlink_to("/etc/hostname")
    with pytest.raises(BrokenRecord):
        pins(tree.root / "prefix")


# -- hostile files ------------------------------------------------------------

BOMB = "a: &a [x, x]\n" + "".join(
    f"{b}: &{b} [*{a}, *{a}, *{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)

HOSTILE: dict[str, bytes] = {
    "no YAML": b"channels: [a\nb: : :",
    "a tab": b"channels:\n\t- a",
    "a list": b"- a\n- b\n",
    "a text": b"hello\n",
    "no UTF-8": b"channels: [\xff\xfe]\n",
    "NUL": b"channels: [a]\n\x00",
    "bytes": bytes(range(256)),
    "alias bomb": BOMB.encode(),
    "alias to itself": b"channels: &a [*a]\n",
    "merged map": b"x: &a {channels: [q]}\n<<: *a\n",
    "deep list": b"channels: " + b"[" * 900,
    "deep map": b"".join(b" " * n + b"a:\n" for n in range(200)),
    "many nodes": b"channels: [" + b"a," * 20_000 + b"]\n",
    "two documents": b"channels: [a]\n---\nchannels: [b]\n",
    "twice the same": b"channels: [a]\nchannels: [b]\n",
    "a list as name": b"? [a]\n: b\n",
    "an odd escape": b'channels: ["\\UFFFFFFFF"]\n',
    "an odd version": b"%YAML 99999999999.1\n---\nchannels: [a]\n",
    "an unknown tag": b"channels: !nothing!x [a]\n",
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_file_that_makes_no_sense_is_left_out_by_name(tree: Tree, case: str) -> None:
    own = tree.write("own", HOSTILE[case])
    tree.write("home/me/.conda/.condarc", _list("channels", "kept"))
    settings = tree.load()
    assert settings.channels == ["kept"]
    [warning] = settings.warnings
    assert warning.startswith(f"{own} is left out")


@pytest.mark.parametrize("case", HOSTILE)
@pytest.mark.parametrize("place", ["etc", "var", "base"])
def test_a_file_of_the_site_that_makes_no_sense_stops_everything(tree: Tree, case: str, place: str) -> None:
    """It may hold rules, and a rule that is not understood is not known to be kept."""
    path = tree.write(place, HOSTILE[case])
    with pytest.raises(BrokenConfiguration, match=str(path)):
        tree.load()


def test_tags_are_not_obeyed(tree: Tree) -> None:
    tree.write("own", "channels: !!python/object/apply:os.system [x]\n")
    assert tree.load().channels == ["x"]


def test_a_huge_file_is_left_out(tree: Tree) -> None:
    own = tree.write("own", b"channels: [a]\n" + b"#" * 10_000_000)
    [warning] = tree.load().warnings
    assert str(own) in warning
    assert str(LIMIT) in warning


def test_a_folder_full_of_files_is_not_read_to_its_end(tree: Tree) -> None:
    for number in range(MOST_FILES + 5):
        tree.write(f"home/me/.conda/condarc.d/{number:03}.yml", _list("channels", f"c{number}"))
    settings = tree.load()
    assert len(settings.channels) == MOST_FILES
    assert str(MOST_FILES) in settings.warnings[0]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("place", ["etc", "own", "home/me/.conda/condarc.d/x.yml"])
def test_a_pipe_does_not_hang(tree: Tree, place: str) -> None:
    path = tree.path(place)
    path.parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(path)
    [warning] = tree.load().warnings
    assert str(path) in warning
    assert "not a regular file" in warning


@pytest.mark.parametrize("target", [".condarc", "/dev/zero", "nowhere"])
def test_odd_links(tree: Tree, target: str) -> None:
    tree.path("own").symlink_to(target)
    tree.write("etc", A)
    settings = tree.load()
    assert settings.channels == ["a", "b"]
    assert [str(tree.path("own")) in each for each in settings.warnings] == ([True] if target != "nowhere" else [])


@contextmanager
def _as_somebody() -> Iterator[None]:
    """Have the kernel check permissions as for another user, where we are root."""
    if os.geteuid() != 0:
        yield
        return
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(SOMEBODY)
    os.seteuid(SOMEBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


def test_a_file_that_may_not_be_read_is_told() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        root.chmod(0o755)
        tree = Tree(root)
        closed = [tree.write(place, A) for place in ("etc", "own")]
        tree.write("home/me/.conda/.condarc", _list("channels", "kept"))
        hidden = tree.write("hidden/x.yml", A)
        assert tree.load().channels == ["a", "b", "kept"]  # whatever is loaded later is loaded now
        for path in closed:
            path.chmod(0)
        hidden.parent.chmod(0)
        with _as_somebody():
            settings = tree.load({"CONDARC": str(hidden)})
        hidden.parent.chmod(0o700)
        assert settings.channels == ["kept"]
        assert [path for path in (*closed, hidden) if any(str(path) in each for each in settings.warnings)] == [
            *closed,
            hidden,
        ]


def test_what_everybody_could_write_is_not_obeyed(tree: Tree) -> None:
    own = tree.write("own", A)
    member = tree.write("home/me/.conda/condarc.d/x.yml", B)
    own.chmod(0o666)
    member.parent.chmod(0o777)
    settings = tree.load()
    assert settings.channels == []
    assert [str(own) in settings.warnings[-1], str(member.parent) in settings.warnings[0]] == [True, True]
    own.chmod(0o664)
    member.parent.chmod(0o1777)
    assert tree.load().channels == ["a", "b"]


def test_what_everybody_could_replace_is_not_obeyed(tree: Tree) -> None:
    own = tree.write("own", A)
    tree.home.chmod(0o777)
    settings = tree.load()
    assert settings.channels == []
    assert str(own) in settings.warnings[0]


# -- what always holds ------------------------------------------------------------

_WORDS = st.sampled_from(["a", "b", "c", "defaults", "https://h/x", "$V"])
_FLAG = st.sampled_from(["", "", *sorted(FLAGS)])
_SOURCES = ["1", "2", "3", "4"]


def _given(kind: str) -> st.SearchStrategy[list[Given]]:
    def one(where: str) -> st.SearchStrategy[Given]:
        text = st.builds(lambda value, flag: Given(value=value, where=where, flag=flag), st.none() | _WORDS, _FLAG)
        item = st.builds(lambda value, flag: Given(value=value, where=where, flag=flag), _WORDS, _FLAG)
        items = st.lists(item, max_size=4).map(tuple)
        lists = st.builds(lambda value, flag: Given(value=value, where=where, flag=flag), items, _FLAG)
        inner = {"map": text, "lists": lists}.get(kind, text)
        maps = st.builds(
            lambda value, flag: Given(value=value, where=where, flag=flag),
            st.dictionaries(st.sampled_from("xyz"), inner, max_size=3),
            _FLAG,
        )
        return {"list": lists, "map": maps, "lists": maps}.get(kind, text)

    return st.tuples(*(one(where) for where in _SOURCES)).map(list)


_MERGES = st.sampled_from(["text", "list", "map", "lists"]).flatmap(lambda kind: st.tuples(st.just(kind), _given(kind)))


@hypothesis_settings(deadline=None)
@given(_MERGES)
def test_the_first_final_place_ends_it(said: tuple[str, list[Given]]) -> None:
    kind, given = said
    merged = merge(kind, given)
    assert merged == merge(kind, list(given)), "the same twice"
    spoken = [each for each in given if each.value is not None]
    ends = [number for number, each in enumerate(spoken) if each.flag == "final"]
    if ends:
        assert merged == merge(kind, spoken[: ends[0] + 1])
    if kind == "text" and ends:
        assert merged == spoken[ends[0]]


@hypothesis_settings(deadline=None)
@given(_given("list"))
def test_a_merged_list_has_each_item_once_and_loses_none(given: list[Given]) -> None:
    merged = merge("list", given)
    assert merged is not None
    used = next((number for number, each in enumerate(given) if each.flag == "final"), len(given) - 1) + 1
    values = [item.value for item in merged.items]
    assert sorted(map(str, values)) == sorted({str(item.value) for each in given[:used] for item in each.items})


@hypothesis_settings(deadline=None)
@given(st.sampled_from(["map", "lists"]).flatmap(_given))
def test_an_entry_that_is_final_stays_as_its_place_has_it(given: list[Given]) -> None:
    merged = merge(
        "map" if all(isinstance(v.value, str | None) for g in given for v in g.entries.values()) else "lists", given
    )
    assert merged is not None
    used = next((number for number, each in enumerate(given) if each.flag == "final"), len(given) - 1) + 1
    for key, value in merged.entries.items():
        final = [
            each.entries[key] for each in given[:used] if key in each.entries and each.entries[key].flag == "final"
        ]
        assert not final or value == final[0]


_FRAGMENTS = st.sampled_from(
    [
        *(
            "channels:",
            "channel_alias:",
            "custom_multichannels:",
            "offline:",
            "ssl_verify: ",
            "<<: *a",
            "? ",
            "%YAML 1",
        ),
        *(
            " #!final",
            " #!top",
            "\n",
            "\n  - ",
            "\n  x: ",
            "[",
            "]",
            "{",
            "}",
            "a",
            "'",
            '"',
            "\\",
            "&a ",
            "*a",
            "!!int",
        ),
        *(
            "https://u:p@h/t/x",
            "~",
            "5",
            "yes",
            "| ",
            ": ",
            "\t",
            "\x00",
            "\x85",
            "\ufeff",
            "é",
            "---\n",
            "...\n",
            "- ",
        ),
    ]
)
_FILES = st.lists(_FRAGMENTS, max_size=30).map(lambda parts: "".join(parts).encode()) | st.binary(max_size=200)
_VARIABLES = st.dictionaries(
    st.sampled_from(
        [f"CONDA_{name.upper()}" for name in (*HONOURED, *OTHERS, "prefix", "")] + ["CONDARC", "HOME", "V"]
    ),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20),
    max_size=4,
)


@hypothesis_settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_FILES, _FILES, _VARIABLES, st.lists(_WORDS, max_size=2))
def test_whatever_stands_there_it_is_read_or_refused(
    etc: bytes, own: bytes, variables: dict[str, str], asked: list[str]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        tree = Tree(Path(folder))
        tree.write("etc", etc)
        tree.write("own", own)
        answers = []
        for _ in range(2):
            try:
                answers.append(msgspec.to_builtins(tree.load(variables, channels=asked)))
            except HpcenvError as error:
                answers.append(error.body())
        assert answers[0] == answers[1]


def test_neither_yaml_nor_rattler_is_loaded_before_it_is_needed() -> None:
    code = (
        "import sys; import jupyter_hpcenv.managers.conda.channels, jupyter_hpcenv.managers.conda.settings; "
        "print(sorted({'yaml', 'rattler'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
