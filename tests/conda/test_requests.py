"""What a change asks of the solver: decided without it, from records and requests alone."""

from __future__ import annotations

import pytest

from jupyter_hpcenv.errors import PackageNotFound, RequirementsConflict
from jupyter_hpcenv.managers.conda.installed import Installed, in_order, name_of
from jupyter_hpcenv.managers.conda.requests import decide


def package(name: str, *needs: str, version: str = "1.0") -> Installed:
    return Installed(name=name, version=version, build="0", channel="c", url=f"c/noarch/{name}", depends=list(needs))


FAMILY = [
    package("top", "middle >=1", "python"),
    package("middle", "deep"),
    package("other", "deep"),
    package("deep"),
    package("alone", "below"),
    package("below"),
    package("python", version="3.11.7"),
    package("egg", "hen"),
    package("hen", "egg"),
]
EARLIER = {"top": ["top 1.*", "top"], "other": ["other"], "python": ["python >=3.10"]}


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ("numpy", "numpy"),
        ("Numpy >=1,<2", "numpy"),
        ("numpy=1.26", "numpy"),
        ("conda-forge::numpy==1.26=py312_0", "numpy"),
        ("https://host.example/c/linux-64::r-base[version='>=4']", "r-base"),
        ("python_abi 3.12.* *_cp312", "python_abi"),
        ("__cuda >=12", "__cuda"),
        (">=1", ""),
    ],
)
def test_names(spec: str, name: str) -> None:
    assert name_of(spec) == name


def test_install_keeps_requests_and_what_nobody_asked_for() -> None:
    wish = decide(FAMILY, EARLIER, install=["new >=1"])
    assert wish.asked == ["new >=1"]
    assert wish.kept == EARLIER
    assert wish.roots == ["alone", "egg"]  # the rest hangs below them, or below a request; of a circle one is enough
    assert wish.locked == sorted(each.name for each in FAMILY)
    assert wish.first == ["new"]
    assert wish.constraints == ["python 3.11.*"]
    assert (wish.gone, wish.taken_back, wish.solve) == ([], [], True)


def test_install_by_name_takes_an_earlier_limit_back() -> None:
    wish = decide(FAMILY, EARLIER, install=["top"])
    assert wish.asked == ["top"]
    assert set(wish.kept) == {"other", "python"}
    assert "top" in wish.locked


def test_update_unlocks_what_is_named_and_keeps_its_request() -> None:
    wish = decide(FAMILY, EARLIER, update=["top", "deep"])
    assert wish.asked == []
    assert wish.kept["top"] == ["top 1.*", "top"]
    assert wish.first == ["deep", "top"]
    assert not {"top", "deep"} & set(wish.locked)
    assert "deep" in wish.roots  # named, so that the solver decides about it first; it is no request
    assert decide(FAMILY, EARLIER, update=["top >=2"]).asked == ["top >=2"]
    assert decide(FAMILY, EARLIER, update_all=True).locked == []


def test_python_may_move_only_when_it_is_asked_for() -> None:
    assert decide(FAMILY, EARLIER, update=["python"]).constraints == ["python 3.11.*"]
    assert decide(FAMILY, EARLIER, update_all=True).constraints == ["python 3.11.*"]
    assert decide(FAMILY, EARLIER, install=["python 3.12.*"]).constraints == []
    assert decide([package("r-base")], {}, update_all=True).constraints == []


@pytest.mark.parametrize(
    ("removed", "gone"),
    [
        (["top"], {"top", "middle"}),  # deep is needed by other, python was asked for
        (["top", "other"], {"top", "other", "middle", "deep"}),
        (["alone"], {"alone", "below"}),
        (["below"], {"alone", "below"}),  # nobody asked for alone, which can not be without it
        (["hen"], {"egg", "hen"}),
    ],
)
def test_removal(removed: list[str], gone: set[str]) -> None:
    wish = decide(FAMILY, EARLIER, remove=removed)
    assert set(wish.gone) == gone
    assert wish.taken_back == sorted(set(removed) & EARLIER.keys())
    assert not wish.solve


def test_removal_of_what_is_needed_is_refused() -> None:
    with pytest.raises(RequirementsConflict) as caught:
        decide(FAMILY, EARLIER, remove=["deep"])
    assert caught.value.message == ("deep can not be removed, because other and top need it and were asked for.")
    assert caught.value.hints == ("Remove other and top as well, if nobody uses it.",)
    with pytest.raises(PackageNotFound, match="nothing and nowhere are not installed"):
        decide(FAMILY, EARLIER, remove=["nowhere"], update=["nothing"])


def test_dependencies_come_first() -> None:
    names = [each.name for each in in_order(FAMILY)]
    assert len(names) == len(FAMILY)
    for before, after in (("deep", "middle"), ("middle", "top"), ("python", "top"), ("below", "alone")):
        assert names.index(before) < names.index(after)
    chain = [package(f"p{number}", f"p{number + 1}") for number in range(5_000)]
    assert next(each.name for each in in_order(chain)) == "p4999"
