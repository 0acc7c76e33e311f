from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_hpcenv import names
from jupyter_hpcenv.errors import InvalidName, InvalidVariable


@pytest.mark.parametrize("name", ["a", "climate-2025", "A.b_c-9", "x" * 63])
def test_good_names_pass_unchanged(name: str) -> None:
    assert names.check_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", ".hidden", "-r", "--index-url", "a/b", "..", "a b", "ä", "a\0", "a\n", "x" * 64, "base", "Python3", "conda-x"],
)
def test_bad_names_are_refused_with_a_hint(name: str) -> None:
    with pytest.raises(InvalidName) as caught:
        names.check_name(name)
    assert caught.value.hints


@given(st.text(max_size=80))
def test_what_passes_is_a_path_component_and_no_option(text: str) -> None:
    try:
        names.check_name(text)
    except InvalidName:
        return
    assert "/" not in text
    assert not text.startswith(("-", "."))
    assert text.isascii()
    assert len(text) <= 63


@given(st.text(max_size=80))
def test_a_suggestion_is_always_allowed_by_the_grammar(text: str) -> None:
    assert re.fullmatch(names.NAME_PATTERN, names.suggestion(text))


LOCATION = st.from_regex(names.LOCATION_PATTERN, fullmatch=True)
NAME = st.from_regex(names.NAME_PATTERN, fullmatch=True)


@given(LOCATION, NAME, LOCATION, NAME)
def test_kernel_names_collide_only_by_case(place: str, name: str, other_place: str, other_name: str) -> None:
    same = names.kernel_name(place, name) == names.kernel_name(other_place, other_name)
    assert same == (place == other_place and name.lower() == other_name.lower())


@given(LOCATION, NAME)
def test_kernel_names_are_accepted_by_our_own_check(place: str, name: str) -> None:
    assert names.check_kernel_name(names.kernel_name(place, name))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LD_PRELOAD", "/x.so"),
        ("BASH_ENV", "/x"),
        ("PYTHONPATH", "/x"),
        ("PATH", "/x"),
        ("UID", "0"),
        ("BASH_VERSINFO", "5"),
        ("OPTIND", "1"),
        ("A-B", "1"),
        ("1A", "1"),
        ("", "1"),
        ("A=B", "1"),
        ("A", "two\nlines"),
        ("A", "nul\0"),
        ("A", "\udc80"),
        ("A", "x" * 40_000),
    ],
)
def test_variables_that_steer_or_break_a_launch_are_refused(name: str, value: str) -> None:
    with pytest.raises(InvalidVariable):
        names.check_variable(name, value)


@pytest.mark.parametrize("value", ["", "4", "a b", "$HOME", "`id`", "'\"\\", "ünïcode"])
def test_any_line_of_text_may_be_a_value(value: str) -> None:
    names.check_variable("OMP_NUM_THREADS", value)


@pytest.mark.parametrize("text", ["a\u202eb", "a\nb", "\x1b]52;c;x\x07", "x" * 101])
def test_display_names_can_not_steer_a_terminal_or_text_direction(text: str) -> None:
    with pytest.raises(InvalidName):
        names.check_display_name(text)


def test_operation_ids_sort_by_time() -> None:
    assert names.new_operation_id(1_000_000_000) < names.new_operation_id(1_000_000_001)
    assert names.new_operation_id(1_000_000_000.25) < names.new_operation_id(1_000_000_000.252)
    assert names.is_operation_id(names.new_operation_id())
    assert not names.is_operation_id("../../etc")


@pytest.mark.parametrize(
    "name",
    [
        *(
            "TOKEN",
            "HF_TOKEN",
            "GITHUB_TOKEN_2",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_ACCESS_KEY_ID",
            "DB_PASSWORD",
            "MYSQL_PWD",
        ),
        *("OPENAI_API_KEY", "APIKEY", "wandb_api_key", "GPG_PASSPHRASE", "CREDENTIALS", "DBPASSWORD", "SMTP_PASS"),
    ],
)
def test_names_that_look_like_secrets_are_warned_of_and_never_exported(name: str) -> None:
    (warning,) = names.secret_warnings({name: "hunter2", "OMP_NUM_THREADS": "2"})
    assert warning.startswith(f"{name} looks like a secret.")
    assert "a file of your own" in warning
    assert "hunter2" not in warning
    assert names.exportable({name: "hunter2", "OMP_NUM_THREADS": "2"}) == {"OMP_NUM_THREADS": "2"}


@pytest.mark.parametrize(
    "name", ["MONKEY", "TOKENIZERS_PARALLELISM", "KEYBOARD", "COMPASS", "MAX_TOKENS", "HF_TOKEN_FILE", "SSH_KEY_PATH"]
)
def test_names_that_only_resemble_one_are_left_alone(name: str) -> None:
    assert names.secret_warnings([name]) == []
    assert names.exportable({name: "x"}) == {name: "x"}
