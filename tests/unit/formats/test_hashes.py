"""Requirements files with digests."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_hpcenv.errors import InvalidRequest
from jupyter_hpcenv.formats import hashes
from jupyter_hpcenv.formats.requirements import Rules
from jupyter_hpcenv.models import LockedPackage

ALL = Rules()
ONE, TWO = "1" * 64, "a" * 64
TEXT = f"""\
# made by a test
six==1.16.0 \\
    --hash=sha256:{ONE} \\
    --hash=sha256:{TWO.upper()}
torch==2.4.0+computecanada ; python_version >= '3' --hash=sha256:{ONE}
x @ https://example.org/x-1.whl --hash=sha512:{ONE}{ONE}
"""


def test_lines_with_digests() -> None:
    found = hashes.read(TEXT, ALL)
    assert found.locked == [
        LockedPackage(name="six", version="1.16.0", hashes=[f"sha256:{ONE}", f"sha256:{TWO}"]),
        LockedPackage(
            name="torch", version="2.4.0+computecanada", marker='python_version >= "3"', hashes=[f"sha256:{ONE}"]
        ),
        LockedPackage(name="x", url="https://example.org/x-1.whl", hashes=[f"sha512:{ONE}{ONE}"]),
    ]
    assert hashes.is_hashed(TEXT)
    assert not hashes.is_hashed("six # --hash=sha256:0\n")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("idna==3.10", "Line 2: idna has no digest"),
        (f"idna>=3 --hash=sha256:{ONE}", "Line 2: “idna>=3” is not exact"),
        (f"idna==3.* --hash=sha256:{ONE}", "not exact"),
        ("idna==3 --hash=md5:00", "no digest"),
        ("idna==3 --hash=sha256:xyz", "Line 2: .*no digest of idna"),
        ("-r other.txt", "another file"),
        (f"--index-url=x --hash=sha256:{ONE}", "option"),
        (f"${{X}}==1 --hash=sha256:{ONE}", "variable"),
        (f"x @ https://u:pw@example.org/x.whl --hash=sha256:{ONE}", "password"),
    ],
)
def test_where_one_line_has_a_digest_each_must(line: str, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says) as caught:
        hashes.read(f"six==1 --hash=sha256:{ONE}\n{line}\n", ALL)
    assert "pw" not in caught.value.message


@given(
    st.lists(
        st.builds(
            lambda name, number, sums: LockedPackage(name=name, version=f"{number}+local", hashes=sorted(set(sums))),
            st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True),
            st.integers(0, 99),
            st.lists(st.from_regex(r"sha256:[0-9a-f]{64}", fullmatch=True), min_size=1, max_size=3),
        ),
        min_size=1,
        max_size=4,
        unique_by=lambda each: each.name,
    )
)
def test_what_is_written_is_read_again(packages: list[LockedPackage]) -> None:
    found = hashes.read(hashes.write(packages), ALL)
    assert found.locked == sorted(packages, key=lambda each: each.name)


def test_a_package_without_a_digest_is_a_comment() -> None:
    text = hashes.write(
        [LockedPackage(name="a", version="1"), LockedPackage(name="b", version="2", hashes=["sha256:x"])]
    )
    assert text == "# no digest is known: a==1\nb==2 \\\n    --hash=sha256:x\n"
