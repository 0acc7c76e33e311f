"""Presets: strict YAML, and parameters that fill structures and never text."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_hpcenv.errors import InvalidRequest
from jupyter_hpcenv.formats.preset import read

TEXT = """
version: 1
title: PyTorch on GPU
description: PyTorch, with the CUDA of this centre.
order: 10
parameters:
  cuda: {title: CUDA, enum: ["12.4", "12.1"], default: "12.4"}
  tests: {type: boolean, default: false}
  threads: {type: integer, default: 4, minimum: 1, maximum: 64}
  also: {type: string, default: six}
request:
  python: "3.12"
  modules:
  - GCC
  - {from: cuda, choose: {"12.4": CUDA/12.4, "12.1": [GCCcore, CUDA/12.1]}}
  packages:
  - torch
  - {from: tests, choose: {"true": [pytest, hypothesis], "false": }}
  - {from: also}
  variables: {OMP_NUM_THREADS: "4"}
  kernel: true
"""


def test_parameters_fill_places_and_lists() -> None:
    preset = read("pytorch-gpu", TEXT)
    assert (preset.title, preset.order) == ("PyTorch on GPU", 10)
    request = preset.fill({})
    assert (request.name, request.python, request.kernel) == ("", "3.12", True)
    assert (request.modules, request.packages) == (["GCC", "CUDA/12.4"], ["torch", "six"])
    request = preset.fill({"cuda": "12.1", "tests": True})
    assert request.modules == ["GCC", "GCCcore", "CUDA/12.1"]
    assert request.packages == ["torch", "pytest", "hypothesis", "six"]


def test_its_parameters_are_a_json_schema() -> None:
    from jsonschema import Draft202012Validator

    schema = read("pytorch-gpu", TEXT).schema()
    Draft202012Validator.check_schema(schema)
    assert schema["properties"]["cuda"] == {
        "type": "string",
        "title": "CUDA",
        "enum": ["12.4", "12.1"],
        "default": "12.4",
    }
    assert schema["properties"]["threads"]["default"] == 4


@pytest.mark.parametrize(
    "given",
    [
        {"cuda": "11"},
        {"cuda": 12.4},
        {"tests": "true"},
        {"threads": 65},
        {"threads": True},
        {"nothing": 1},
        {"also": ["six"]},
    ],
)
def test_parameters_that_the_schema_does_not_allow_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match="can not be this"):
        read("pytorch-gpu", TEXT).fill(given)


@given(st.text())
def test_a_value_stays_the_one_value_that_it_is(value: str) -> None:
    """Whatever it looks like: YAML, a template, a shell's words, another item."""
    request = read("pytorch-gpu", TEXT).fill({"also": value})
    assert request.packages == ["torch", value]
    assert request.modules == ["GCC", "CUDA/12.4"]


def test_templates_and_yaml_in_a_value_stay_literal() -> None:
    for value in ("{{7*7}}", "${HOME}", "a\n- b", "!!python/object:os.system", "{from: cuda}"):
        assert read("pytorch-gpu", TEXT).fill({"also": value}).packages[-1] == value


CHOICE = 'request: {python: {from: a, choose: {b: "3"}}}\n'

WRONG = {
    "no version": "title: x\n",
    "another version": "version: 2\ntitle: x\n",
    "a typing error": "version: 1\ntitle: x\nrequests: {}\n",
    "a field that requests do not have": "version: 1\ntitle: x\nrequest: {package: [six]}\n",
    "the user's name": "version: 1\ntitle: x\nrequest: {name: mine}\n",
    "a prefix": "version: 1\ntitle: x\nrequest: {prefix: /tmp/x}\n",
    "no such parameter": "version: 1\ntitle: x\nrequest: {python: {from: python}}\n",
    "a choice that is missing": f"version: 1\ntitle: x\nparameters: {{a: {{enum: [b, c]}}}}\n{CHOICE}",
    "a choice of anything": f"version: 1\ntitle: x\nparameters: {{a: {{}}}}\n{CHOICE}",
    "a default of another type": "version: 1\ntitle: x\nparameters: {a: {type: integer, default: b}}\n",
    "an unknown type": "version: 1\ntitle: x\nparameters: {a: {type: object}}\n",
    "a file elsewhere": "version: 1\ntitle: x\nfile: ../../etc/passwd\n",
    "a file from the root": "version: 1\ntitle: x\nfile: /etc/passwd\n",
    "an alias": "version: 1\ntitle: &a x\ndescription: *a\n",
    "a list": "- version\n",
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_refused_when_it_is_read(what: str) -> None:
    with pytest.raises(InvalidRequest):
        read("wrong", WRONG[what])


@pytest.mark.parametrize("name", ["", "A", "a b", "../a", "-a", "a" * 65])
def test_names(name: str) -> None:
    with pytest.raises(InvalidRequest, match="can not be called"):
        read(name, TEXT)


def test_what_makes_no_request_is_said_when_it_is_filled() -> None:
    preset = read("wrong", "version: 1\ntitle: x\nparameters: {a: {default: b}}\nrequest: {packages: {from: a}}\n")
    with pytest.raises(InvalidRequest, match="makes no request"):
        preset.fill({})
