from __future__ import annotations

from jupyter_hpcenv import errors


def every_error() -> list[type[errors.HpcenvError]]:
    found, waiting = [], [errors.HpcenvError]
    while waiting:
        kind = waiting.pop()
        found.append(kind)
        waiting += kind.__subclasses__()
    return [kind for kind in found if kind.__module__ == errors.__name__]


def test_each_error_has_a_code_of_its_own() -> None:
    codes = [kind.code for kind in every_error()]
    assert len(codes) == len(set(codes))


def test_statuses_and_exit_codes_are_the_documented_ones() -> None:
    for kind in every_error():
        assert 400 <= kind.http_status < 600
        assert kind.exit_code in (1, 2, 3, 4, 5, 6, 7, 130)


def test_the_body_is_flat() -> None:
    body = errors.NotFound("It is not there.", hints=["Look elsewhere."], reason="ENOENT").body()
    assert body == {
        "message": "It is not there.",
        "reason": "ENOENT",
        "code": "not_found",
        "hints": ["Look elsewhere."],
    }
