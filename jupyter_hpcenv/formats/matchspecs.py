"""Read match specs, conda's requirements, strictly, and write them again in one form.

The engine takes “num py >=” for a spec and looks for something else than was meant; here only what conda documents
passes. The canonical form is that of package metadata, ``channel/subdir::name version build[key="value"]``, which
every program of conda's reads alike; in it ``==1.26`` is exact and ``1.26.*`` is a prefix.
"""

from __future__ import annotations

import re

import msgspec

from ..errors import InvalidRequirement
from .addresses import SUBDIRS, check_channel, split_channel
from .archives import BUILD, NAME, VERSION, archive
from .plain_text import shown

LONGEST = 1_000

_HINT = "Write it like numpy, numpy=2.1, numpy>=2,<3 or conda-forge::numpy."
_NAME = re.compile(NAME, re.ASCII)
_CONSTRAINT = re.compile(rf"\s*(==|!=|<=|>=|~=|=|<|>|)\s*(?:({VERSION})(\.?\*)?|(\*))", re.ASCII)
_JOINT = re.compile(r"\s*([,|])")
_BUILD = re.compile(rf"(?:=|\s+)({BUILD.replace('.+]', '.+*]')})\s*", re.ASCII)
_PAIR = re.compile(r"""\s*([a-z0-9_]+)\s*=\s*(?:"([^"\\]*)"|'([^'\\]*)'|([^\s,"'\[\]\\]+))\s*(,|$)""")
_DIGESTS = {"md5": 32, "sha256": 64}


class _Spec(msgspec.Struct, kw_only=True):
    """What a match spec says; everything but the name may be empty."""

    name: str
    version: str = ""
    build: str = ""
    channel: str = ""
    subdir: str = ""
    url: str = ""
    others: dict[str, str] = {}


def parse(text: str, *, urls: bool = False) -> str:
    """Return a match spec in canonical form; raise `InvalidRequirement` with what is wrong with it.

    *urls* says whether a channel, or a whole package, may be given by its URL or path.
    """
    spec = _read(text, urls)
    if spec.url:
        return spec.url
    by_name = spec.channel and not spec.channel.startswith("/") and "://" not in spec.channel
    head = f"{spec.channel}{'/' if spec.subdir else ''}{spec.subdir}::" if by_name else ""
    keys = dict(spec.others) if by_name else {"channel": spec.channel, "subdir": spec.subdir, **spec.others}
    words = [head + spec.name, spec.version or ("*" if spec.build else ""), spec.build]
    pairs = ", ".join(f'{key}="{value}"' for key, value in keys.items() if value)
    return " ".join(filter(None, words)) + (f"[{pairs}]" if pairs else "")


def name_of(spec: str) -> str:
    """Return the name of the package that a match spec is about, in lower case."""
    return _read(spec, urls=True).name


def channel_of(spec: str) -> str:
    """Return the channel that a match spec insists on, a name, URL or path; empty if it leaves that open."""
    return _read(spec, urls=True).channel


def _read(text: str, urls: bool) -> _Spec:
    text = text.strip()
    _refuse_other_kinds(text)
    if re.match(r"[a-z+]+://[^\s\[]*$", text) and "::" not in text:
        if not urls:
            raise InvalidRequirement(f"“{shown(text)}” is a URL, and names are expected here.", hints=[_HINT])
        found = archive(text)
        return _Spec(name=found.name, channel=found.channel, subdir=found.subdir, url=text)
    head, keys = _bracket(text)
    channel, _, rest = head.rpartition("::")
    if "::" in head and (not channel or channel.endswith(":") or rest.startswith(":")):
        raise InvalidRequirement(f"“{shown(text)}” has a channel without a name.", hints=[_HINT])
    name = re.match(r"[^\s=<>!~]*", rest.lstrip())
    assert name is not None
    spec = _Spec(name=_name(name[0], text))
    spec.version, spec.build = _version(rest.lstrip()[name.end() :], text)
    if channel:
        spec.channel, spec.subdir = split_channel(channel.strip())
    _take_keys(spec, keys, text)
    if not urls and ("://" in spec.channel or spec.channel.startswith("/")):
        raise InvalidRequirement(
            f"“{shown(text)}” takes its channel by URL or path, and names are expected here.", hints=[_HINT]
        )
    return spec


def _refuse_other_kinds(text: str) -> None:
    """Raise for what people and files hand over instead of a match spec, with what to do about each."""
    label = f"“{shown(text)}”"
    if not text:
        raise InvalidRequirement("A match spec is empty.", hints=["Leave it out."])
    if len(text) > LONGEST or not text.isascii() or not text.isprintable():
        raise InvalidRequirement(
            f"The match spec {label} is too long, or has other characters in it than letters, digits and signs.",
            hints=["Write it on one line, in plain letters."],
        )
    if "${" in text or "{{" in text or "{%" in text:
        raise InvalidRequirement(
            f"{label} refers to a variable or is part of a template; neither is filled in here.",
            hints=["Write out what is meant."],
        )
    if text.startswith("-"):
        raise InvalidRequirement(
            f"{label} is an option, not a match spec.",
            hints=["Name packages only; channels and other options have fields of their own."],
        )
    if ";" in text or re.search(r"\s@\s|^[\w.-]+@", text) or re.match(r"[^\[=<>!~]+\[[^\[\]=]*\]", text):
        raise InvalidRequirement(
            f"{label} is written for pip: conda packages have no extras, no markers and no “@ URL”.",
            hints=["Write the bare name of the conda package, or give the line to pip in environment.yml."],
        )
    if "===" in text:
        raise InvalidRequirement(f"{label} has “===”, which conda does not know.", hints=["Write “==”."])
    if text.startswith((".", "/", "~", "@")) and "::" not in text:
        raise InvalidRequirement(f"{label} is a path or a file’s mark, not a match spec.", hints=[_HINT])


def _name(text: str, whole: str) -> str:
    if not _NAME.fullmatch(text) or len(text) > 128:
        raise InvalidRequirement(
            f"“{shown(whole)}” does not begin with the name of a package: “{shown(text)}” can not be one.",
            hints=[_HINT],
        )
    return text.lower()


def _version(text: str, whole: str) -> tuple[str, str]:
    """Return constraint and build of what follows the name, both canonical."""
    text = text.rstrip()
    if not text:
        return "", ""
    if re.match(r"\s+[A-Za-z_]", text):
        raise InvalidRequirement(
            f"“{shown(whole)}” has a space within the name, or a version that begins with a letter.",
            hints=["Give one package at a time; such a version is written like vc==abc."],
        )
    parts: list[tuple[str, str, str]] = []
    joints: list[str] = []
    position = 0
    while True:
        found = _CONSTRAINT.match(text, position)
        if not found or (found[4] and found[1] not in ("", "=")):
            raise InvalidRequirement(f"“{shown(whole)}” has no version after “{_tail(text, position)}”.", hints=[_HINT])
        parts.append((found[1], (found[2] or "*").lower(), found[3] or ""))
        position = found.end()
        joint = _JOINT.match(text, position)
        if not joint:
            break
        joints.append(joint[1])
        position = joint.end()
    build = _BUILD.fullmatch(text, position)
    if position < len(text) and not build:
        raise InvalidRequirement(
            f"“{shown(whole)}” has “{shown(text[position:].strip())}” after the version, which is no build.",
            hints=["Join constraints by a comma, as in numpy>=2,<3, and write a build like py311* or *_cp311."],
        )
    alone = len(parts) == 1 and build is not None
    words = [_constraint(*part, alone=alone, whole=whole) for part in parts]
    version = words[0] + "".join(joint + word for joint, word in zip(joints, words[1:], strict=True))
    return "" if version == "*" else version, "" if not build or build[1] == "*" else build[1]


def _tail(text: str, position: int) -> str:
    return shown(re.split(r"[,|]", text[position:].strip())[0].strip() or text.strip())


def _constraint(operator: str, version: str, star: str, *, alone: bool, whole: str) -> str:
    """Return one constraint in canonical form; *alone* with a build, ``=1.2`` means exactly 1.2, as for conda."""
    if len(version) > 100 or re.search(r"[0-9]{19}", version):
        raise InvalidRequirement(f"“{shown(whole)}” has a version that is too long.", hints=["Correct the version."])
    if version == "*":
        return version
    if (star and operator in (">", "<=", "~=")) or (operator == "~=" and not re.search(r"[._]", version)):
        raise InvalidRequirement(
            f"“{shown(whole)}” can be understood in two ways: “{operator}” with this version has no clear bound.",
            hints=["Write the bound out, for example >=1.2,<2."],
        )
    if operator in ("", "=", "=="):
        prefix = bool(star) or (operator == "=" and not alone)
        if prefix and version[0].isalpha():
            raise InvalidRequirement(
                f"“{shown(whole)}” has a version that begins with a letter; only “==” is possible with it.",
                hints=[f"Write =={version}, or leave it out."],
            )
        return f"{version}.*" if prefix else f"=={version}"
    return operator + version + (".*" if star and operator == "!=" else "")


def _bracket(text: str) -> tuple[str, dict[str, str]]:
    """Return what stands before the bracket, and the pairs in it."""
    head, bracket, inside = text.partition("[")
    if not bracket:
        if "]" in text:
            raise InvalidRequirement(f"“{shown(text)}” has a bracket that does not begin.", hints=[_HINT])
        return text, {}
    if not inside.endswith("]"):
        raise InvalidRequirement(
            f"“{shown(text)}” has a bracket that does not end, or something after it.", hints=[_HINT]
        )
    pairs: dict[str, str] = {}
    inside, position, more = inside[:-1], 0, True
    while more:
        pair = _PAIR.match(inside, position)
        if not pair or pair[1] in pairs:
            raise InvalidRequirement(
                f"“{shown(text)}” has no list of pairs in its bracket, or one of them twice.",
                hints=["Write it like numpy[version='>=2', build=py311*]."],
            )
        pairs[pair[1]] = (pair[2] or pair[3] or pair[4] or "").strip()
        position, more = pair.end(), pair[5] == ","
    return head, pairs


def _take_keys(spec: _Spec, keys: dict[str, str], whole: str) -> None:
    """Put the pairs of a bracket into *spec*."""
    label = f"“{shown(whole)}”"
    for key, value in keys.items():
        if key in ("version", "build", "channel", "subdir"):
            if getattr(spec, key):
                raise InvalidRequirement(f"{label} says its {key} twice.", hints=["Say it once."])
        elif key not in ("md5", "sha256", "build_number"):
            raise InvalidRequirement(
                f"{label} has the key “{key}” in its bracket, which is not supported.",
                hints=["Possible are version, build, build_number, channel, subdir, md5 and sha256."],
            )
        if key == "version":
            spec.version, beside = _version(f" {value}" if value[:1].isalnum() else value, whole)
            wrong = bool(beside) or not value
        elif key == "build":
            spec.build, wrong = "" if value == "*" else value, not _BUILD.fullmatch(f"={value}")
        elif key == "channel":
            spec.channel, inner = split_channel(value)
            wrong = bool(inner and spec.subdir)
            spec.subdir = spec.subdir or inner
        elif key == "subdir":
            spec.subdir, wrong = value, value not in SUBDIRS
        elif key == "build_number":
            number = re.fullmatch(r"(==|!=|<=|>=|<|>|=|)\s*([0-9]{1,18})", value)
            wrong = not number
            spec.others[key] = f"{(number[1] if number[1] != '=' else '') or '=='}{number[2]}" if number else ""
        else:
            wrong = not re.fullmatch(rf"[0-9a-fA-F]{{{_DIGESTS[key]}}}", value)
            spec.others[key] = value.lower()
        if wrong:
            raise InvalidRequirement(f"{label} has no valid {key}: “{shown(value)}”.", hints=[_HINT])
    if spec.channel:
        check_channel(spec.channel)
