from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_hpcenv.errors import InvalidRequest
from jupyter_hpcenv.formats.modules_file import parse_modules


def test_one_module_a_line() -> None:
    text = "# for the course\n\nSciPy-bundle/2023.11\n  Pillow/10.2.0  # images\r\nPillow/10.2.0\n"
    assert parse_modules(text) == ["SciPy-bundle/2023.11", "Pillow/10.2.0"]


def test_a_command_is_refused_with_its_line() -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_modules("gcc/12\nmodule load openmpi/4.1 hdf5\n", "modules.txt")
    assert "modules.txt, line 2" in caught.value.message
    assert "openmpi/4.1, then hdf5" in caught.value.hints[0]


def test_what_is_no_list_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        parse_modules("x" * 100_001)
    with pytest.raises(InvalidRequest):
        parse_modules("\n".join(f"m{number}" for number in range(201)))


@given(st.text(max_size=300))
def test_every_name_is_one_word(text: str) -> None:
    try:
        found = parse_modules(text)
    except InvalidRequest:
        return
    assert all(name.split() == [name] and "#" not in name for name in found)
    assert len(found) == len(set(found))
