"""Modules are found by words, by package, and by names that were nearly right."""

from __future__ import annotations

from jupyter_hpcenv.modules import Available
from jupyter_hpcenv.modules.search import canonical, means, named, near, provides, search, version_key

MODULES = [
    Available(name="SciPy-bundle/2023.07", extensions=["numpy/1.25.1", "ruamel.yaml/0.17"], prerequisites=[["gcc/12"]]),
    Available(name="SciPy-bundle/2025.06", extensions=["numpy/2.3.0"], default=True),
    Available(name="gcc/12", description="GNU compilers", default=True),
    Available(name="gcc/13", description="GNU compilers"),
    Available(name="gcccuda/2023", description="Compilers with CUDA"),
    Available(name="Python/3.11.7"),
    Available(name="libs/GCCcore/9.1"),
]


def found(query: str) -> list[str]:
    return [module.name for module in search(MODULES, query)]


def test_all_words_count_and_the_same_name_comes_first() -> None:
    assert found("gcc") == ["gcc/12", "gcc/13", "gcccuda/2023", "libs/GCCcore/9.1"]
    assert found("compilers cuda") == ["gcccuda/2023"]
    assert found("NUMPY 1.25") == ["SciPy-bundle/2023.07"]
    assert found("nothing") == []
    assert len(found("  ")) == len(MODULES)


def test_who_has_a_package_in_any_spelling() -> None:
    told = [(each.module, each.version, each.prerequisites) for each in provides(MODULES, "NumPy")]
    assert told == [("SciPy-bundle/2025.06", "2.3.0", []), ("SciPy-bundle/2023.07", "1.25.1", [["gcc/12"]])]
    assert [each.module for each in provides(MODULES, "ruamel_yaml")] == ["SciPy-bundle/2023.07"]
    assert provides(MODULES, "num") == []
    assert canonical("A.b__C-d") == "a-b-c-d"


def test_what_a_name_can_mean() -> None:
    assert means("Python/3.11", "Python/3.11.7")
    assert not means("Python/3.1", "Python/3.11.7")
    assert means("gcc", "gcc/12")
    assert not means("gcc", "gcccuda/2023")
    assert [module.name for module in named(MODULES, "gcc/12")] == ["gcc/12"]
    assert [module.name for module in named(MODULES, "gcc")] == ["gcc/12", "gcc/13"]


def test_what_was_nearly_right() -> None:
    assert near(MODULES, "GCC/12") == ["gcc/12", "gcc/13"]
    assert near(MODULES, "gcc/99") == ["gcc/12", "gcc/13"]
    assert near(MODULES, "Pyhton") == ["Python"]
    assert near(MODULES, "Pyhton/3.12") == ["Python"]
    assert near(MODULES, "gc") == ["gcc"]
    assert near(MODULES, "scipy") == ["SciPy-bundle"]
    assert near(MODULES, "scpiy-bundel/2025") == ["SciPy-bundle"]
    assert near(MODULES, "zzzzzz") == []


def test_what_only_shares_some_letters_is_not_near() -> None:
    """Half of the letters are the same in “intel” and “site”, and nobody means the one who writes the other."""
    others = [Available(name=name) for name in ("site/1.0", "lib/1", "needs/3.0", "netcdf/4", "R/4.3")]
    for asked in ("intel/2023", "seed", "python", "S", "netpbm"):
        assert near(others, asked) == []
    assert near(others, "netcdff") == ["netcdf"]


def test_numbers_in_versions_are_numbers() -> None:
    assert sorted(["a/4.10", "a/4.9", "a/4"], key=version_key) == ["a/4", "a/4.9", "a/4.10"]
