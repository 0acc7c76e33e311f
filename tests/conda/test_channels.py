"""Which URLs the names of channels come to, and which of them nobody may use.

What is expected of names follows conda's documentation:
https://docs.conda.io/projects/conda/en/stable/user-guide/configuration/settings.html (channel_alias, custom_channels,
custom_multichannels, default_channels, allowlist_channels, denylist_channels).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from jupyter_hpcenv.errors import BrokenConfiguration, Forbidden, HpcenvError, InvalidRequest, Refused
from jupyter_hpcenv.managers.conda.addresses import below, licensed, tidy
from jupyter_hpcenv.managers.conda.channels import resolve
from jupyter_hpcenv.managers.conda.credentials import auth_hint, bare, holds_secret, shown
from jupyter_hpcenv.managers.conda.settings import REQUEST, Settings

ALIAS = "https://conda.anaconda.org"
MAIN, R = "https://repo.anaconda.com/pkgs/main", "https://repo.anaconda.com/pkgs/r"
FORGE = f"{ALIAS}/conda-forge"
FILE = "/home/me/.condarc"
ETC = "/etc/conda/.condarc"


def configured(*channels: str, **more: Any) -> Settings:
    """Settings as `load` would give them for one file of the user's own."""
    places = more.pop("where", {})
    return Settings(channels=list(channels), where={**dict.fromkeys(("channels", *more), FILE), **places}, **more)


def asked(*channels: str, **more: Any) -> Settings:
    places = more.pop("where", {})
    return configured(*channels, where={"channels": REQUEST, **places}, **more)


def urls(name: str, **more: Any) -> list[str]:
    return resolve(configured(name, **more)).urls


CUSTOM: dict[str, Any] = {
    "custom_channels": {"cc": "https://cc.example/base/", "folder": "/srv/conda", "word": "nothing", "none": ""},
    "custom_multichannels": {
        "m": ["https://mirror.example/channel", "conda-forge", f"{ALIAS}/zz", "cc", "/srv/conda/x"],
        "empty": [],
    },
    "default_channels": ["https://mirror.example/conda/deep", "rel/x"],
    "migrated_channel_aliases": ["https://old.example"],
}

NAMES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "conda-forge": ({}, [FORGE]),
    "conda-forge/label/dev": ({}, [f"{FORGE}/label/dev"]),
    "conda-forge/": ({}, [FORGE]),
    "conda-forge/linux-64": ({}, [FORGE]),
    "conda-forge/NOARCH": ({}, [FORGE]),
    " conda-forge ": ({}, [FORGE]),
    "main": ({}, [f"{ALIAS}/main"]),
    "defaults": ({}, [MAIN, R]),
    "defaults/linux-64": ({}, [MAIN, R]),
    "pkgs/main": ({}, [MAIN]),
    "pkgs/r/label/x": ({}, [f"{R}/label/x"]),
    "pkgs/pro": ({}, ["https://repo.anaconda.com/pkgs/pro"]),
    "x": ({"channel_alias": "https://my.example:8080/conda/"}, ["https://my.example:8080/conda/x"]),
    "y": ({"channel_alias": "file:///srv/mirrors"}, ["file:///srv/mirrors/y"]),
    # maps
    "cc": (CUSTOM, ["https://cc.example/base/cc"]),
    "cc/label/x": (CUSTOM, ["https://cc.example/base/cc/label/x"]),
    "ccc": (CUSTOM, [f"{ALIAS}/ccc"]),
    "folder": (CUSTOM, ["file:///srv/conda/folder"]),
    "m": (
        CUSTOM,
        ["https://mirror.example/channel", FORGE, f"{ALIAS}/zz", f"{ALIAS}/cc", "file:///srv/conda/x"],
    ),
    "channel": (CUSTOM, ["https://mirror.example/channel"]),
    "conda/deep": (CUSTOM, ["https://mirror.example/conda/deep"]),
    "deep": (CUSTOM, [f"{ALIAS}/deep"]),
    "https://old.example/y": (CUSTOM, [f"{ALIAS}/y"]),
    "https://old.example.org/y": (CUSTOM, ["https://old.example.org/y"]),
    # URLs and paths
    "https://h.example/x/": ({}, ["https://h.example/x"]),
    "https://h.example/x/linux-64": ({}, ["https://h.example/x"]),
    "https://h.example": ({}, ["https://h.example"]),
    "http://h.example:8080/x": ({}, ["http://h.example:8080/x"]),
    "HTTPS://H.Example.:443//x//y": ({}, ["https://h.example/x/y"]),
    "https://h.example/%63onda-forge/%7Ex": ({}, ["https://h.example/conda-forge/~x"]),
    "https://[::1]:8443/x": ({}, ["https://[::1]:8443/x"]),
    "file:///srv/c": ({}, ["file:///srv/c"]),
    "file://localhost/srv/c/noarch": ({}, ["file:///srv/c"]),
    "file:///srv/a b": ({}, ["file:///srv/a%20b"]),
    "file:///srv/a%20b": ({}, ["file:///srv/a%20b"]),
    "/srv/../srv/c/linux-64": ({}, ["file:///srv/c"]),
    "//srv/c": ({}, ["file:///srv/c"]),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_stands_for_urls(name: str) -> None:
    """As the page on settings has it, channel by channel."""
    more, expected = NAMES[name]
    assert urls(name, **more) == expected


def test_a_path_below_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert urls("~/channel") == ["file:///home/me/channel"]


def test_defaults_may_be_defined_as_a_collection() -> None:
    more = {"custom_multichannels": {"defaults": ["https://a.example/x"]}, "default_channels": ["https://b.example/x"]}
    assert urls("defaults", **more) == ["https://a.example/x"]


@pytest.mark.parametrize(
    "name",
    [
        *(
            "a b",
            "a\nb",
            "a/../b",
            "../a",
            "./a",
            "",
            "a//b?c",
            "a#b",
            "a:b",
            "café",
            "a\\b",
            "-/..",
            "%2e%2e/x",
            "*",
            "$V/x",
        ),
        *(
            "https:///x",
            "https://",
            "https://h.example/a/../b",
            "https://h.example/%2e%2e/b",
            "https://h.example/a%2Fb",
        ),
        *(
            "https://h.example:99999/x",
            "https://h.example:x/y",
            "https://h exa/x",
            "https://h.example/a b",
            "https://[zz]/x",
        ),
        *(
            "ftp://h.example/x",
            "s3://bucket/x",
            "javascript://x",
            "file://other/x",
            "file:srv",
            "https://h.example\\x/y",
        ),
        *("https://h.example/x/foo-1-0.conda", "/srv/foo-1-0.tar.bz2", "https://h.example/%ff", "https://ｈ.example/x"),
        *("https:/h.example/x", "https://h.example/x#y", "~nobody-has-this-name/x"),
    ],
)
def test_what_makes_no_sense_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequest):
        resolve(asked("conda-forge", name))
    with pytest.raises(BrokenConfiguration, match=FILE):
        resolve(configured("conda-forge", name))


@pytest.mark.parametrize("name", ["word", "none", "empty"])
def test_a_name_that_is_defined_as_nothing_is_not_looked_for_elsewhere(name: str) -> None:
    """Else somebody could publish a channel of that name where the alias points to."""
    with pytest.raises(BrokenConfiguration, match=name):
        urls(name, **CUSTOM)


@pytest.mark.parametrize("alias", ["https://", "ftp://h.example", "https://h.example/x?y", "https://h.example/../x"])
def test_an_alias_that_makes_no_sense_is_named(alias: str) -> None:
    with pytest.raises(BrokenConfiguration, match=f"channel_alias.*{FILE}"):
        urls("x", channel_alias=alias)


def test_each_channel_once_and_in_order() -> None:
    resolved = resolve(configured("b", f"{ALIAS}/a/", "a", "B", "defaults", "pkgs/r"))
    assert resolved.urls == [f"{ALIAS}/b", f"{ALIAS}/a", f"{ALIAS}/B", MAIN, R]
    assert resolved.names == ["b", f"{ALIAS}/a/", "B", "defaults"]
    assert {channel.where for channel in resolved.channels} == {FILE}


def test_conda_forge_where_nobody_says_anything() -> None:
    assert resolve(Settings()).urls == [FORGE]
    assert resolve(Settings(), default=["x", "y"]).urls == [f"{ALIAS}/x", f"{ALIAS}/y"]
    assert resolve(configured("a"), default=["x"]).urls == [f"{ALIAS}/a"]
    assert resolve(configured("nodefaults"), default=["x"]).urls == [f"{ALIAS}/x"]
    assert resolve(configured("a", "nodefaults", "<unknown>", "None")).urls == [f"{ALIAS}/a"]


def test_local_channels_are_named_by_folder() -> None:
    resolved = resolve(configured("local", "a"))
    assert resolved.urls == [f"{ALIAS}/a"]
    assert "local" in resolved.warnings[0]
    assert FILE in resolved.warnings[0]


def test_only_local_channels_are_not_replaced_by_others() -> None:
    with pytest.raises(HpcenvError, match="local"):
        resolve(configured("local"))


# -- rules --------------------------------------------------------------------

DENIED: dict[str, tuple[list[str], str]] = {
    "by name": (["x"], "x"),
    "by URL": ([f"{ALIAS}/x"], "x"),
    "by URL of a platform": ([f"{ALIAS}/x/linux-64"], "x"),
    "as URL": (["x"], f"{ALIAS}/x"),
    "in capitals": (["x"], "HTTPS://Conda.Anaconda.ORG:443/x"),
    "by http": (["x"], "http://conda.anaconda.org/x"),
    "encoded": (["x"], f"{ALIAS}/%78"),
    "with slashes": (["x"], f"{ALIAS}//x/"),
    "a label of it": (["x"], "x/label/y"),
    "all of a host": ([ALIAS], "x"),
    "a collection": (["defaults"], "defaults"),
    "a part of a collection": ([R], "defaults"),
    "by a collection": (["defaults"], MAIN),
    "by its name in a collection": (["pkgs/main"], "defaults"),
    "with credentials in the rule": (["https://u:p@conda.anaconda.org/t/tok/x"], "x"),
    "a folder": (["/srv/c"], "file:///srv/./c"),
    "and allowed": (["x"], "x"),
}


@pytest.mark.parametrize("case", DENIED)
def test_a_denied_channel_is_refused(case: str) -> None:
    """As the page on settings has it, under allowlist_channels and denylist_channels; a label counts, too."""
    rules, name = DENIED[case]
    with pytest.raises(Refused) as caught:
        resolve(
            asked("a", name, denylist_channels=rules, allowlist_channels=["a", name], where={"denylist_channels": ETC})
        )
    assert ETC in caught.value.message
    assert REQUEST in caught.value.message
    assert caught.value.hints


@pytest.mark.parametrize("name", ["xx", "y", "y/x", "http://other.example/x", "/x"])
def test_other_channels_are_not_denied(name: str) -> None:
    assert urls(name, denylist_channels=["x", "https://other.example/y", "/srv"])


def test_only_what_is_allowed_passes() -> None:
    more = {"allowlist_channels": ["x", "defaults"]}
    assert urls("x", **more) == [f"{ALIAS}/x"]
    assert urls("pkgs/main", **more) == [MAIN]
    for name in ("y", "http://conda.anaconda.org/x", "x/label/y"):
        with pytest.raises(Refused) as caught:
            urls(name, **more)
        assert FILE in caught.value.message
        assert any("x, defaults" in hint for hint in caught.value.hints)


def test_the_built_in_channel_must_be_allowed_too() -> None:
    settings = Settings(allowlist_channels=["x"], where={"allowlist_channels": ETC})
    with pytest.raises(Refused, match=f"conda-forge.*built-in.*{ETC}"):
        resolve(settings)


@pytest.mark.parametrize("rule", ["a b", "https://h.example/../x", "ftp://h.example/x"])
@pytest.mark.parametrize("name", ["denylist_channels", "allowlist_channels"])
def test_a_rule_that_makes_no_sense_stops_everything(name: str, rule: str) -> None:
    with pytest.raises(BrokenConfiguration, match=f"{name}.*{FILE}"):
        urls("x", **{name: ["x", rule] if name == "allowlist_channels" else [rule]})


def test_the_site_decides_after_conda() -> None:
    settings = configured("a", channel_alias="https://mirror.example")
    assert resolve(settings, allowed=["a", "b"]).urls == ["https://mirror.example/a"]
    assert resolve(settings, allowed=["https://mirror.example/a/noarch"]).urls == ["https://mirror.example/a"]
    with pytest.raises(Refused, match=f"does not allow.*{FILE}") as caught:
        resolve(settings, allowed=[f"{ALIAS}/a"])
    assert any(ALIAS in hint for hint in caught.value.hints)
    with pytest.raises(Refused, match="does not allow"):
        resolve(Settings(), allowed=["a"])
    assert resolve(Settings(), allowed=["a"], default=["a"]).urls == [f"{ALIAS}/a"]
    with pytest.raises(Refused):
        resolve(configured("a", denylist_channels=["a"]), allowed=["a"])


# -- credentials ------------------------------------------------------------------

SECRET = "hunter2-s3cret"
WITH_SECRETS = [
    f"https://me:{SECRET}@h.example/x",
    f"https://{SECRET}@h.example/x",
    f"https://me:a%2F{SECRET}@h.example/x",
    f"https://me%3A{SECRET}%40h.example/x",
    f"https://me:/{SECRET}@h.example/x",
    f"https://me:{SECRET}/@h.example/x",
    f"HTTPS://me:{SECRET}@h.example",
    f"http://me:{SECRET}@[::1]:80/x",
    f"https://h.example/t/{SECRET}/x",
    f"https://h.example/t/{SECRET}",
    f"https://h.example/conda/t/{SECRET}/x",
    f"https://h.example/%74/{SECRET}/x",
    f"https://h.example/t%2F{SECRET}/x",
    f"https://h.example/x?token={SECRET}",
    f"t/{SECRET}/x",
    f"file://me:{SECRET}@h.example/x",
    f"s3://me:{SECRET}@h.example/x",
    f" https://me:{SECRET}@h.example/x",
]
#: Neither URL nor name, but somebody may have meant one.
MEANT_SO = [
    f"https:/me:{SECRET}@h.example/x",
    f"me:{SECRET}@h.example/x",
    f"https://me:{SECRET}?@h.example/x",
    f"https://me:{SECRET}＠h.example/x",
    f"//me:{SECRET}@h.example/\x01",
    f"/https://me:{SECRET}@h.example/x",
    f"~https://me:{SECRET}@h.example/x",
]


def _said(error: HpcenvError) -> str:
    return (
        str(error.body())
        + str(error)
        + repr(error.__cause__)
        + repr(error.__context__ if not error.__suppress_context__ else "")
    )


@pytest.mark.parametrize("channel", WITH_SECRETS)
def test_credentials_are_refused_and_never_repeated(channel: str) -> None:
    with pytest.raises(Refused, match=FILE) as caught:
        resolve(configured("conda-forge", channel))
    assert SECRET not in _said(caught.value)
    assert any("RATTLER_AUTH_FILE" in hint for hint in caught.value.hints)


@pytest.mark.parametrize("channel", MEANT_SO)
def test_what_may_be_credentials_is_not_repeated_either(channel: str) -> None:
    with pytest.raises(HpcenvError) as caught:
        resolve(configured(channel))
    assert SECRET not in _said(caught.value)


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("x", {"channel_alias": f"https://h.example/t/{SECRET}/"}),
        ("x", {"channel_alias": f"https://me:{SECRET}@h.example"}),
        ("x", {"custom_channels": {"x": f"https://me:{SECRET}@h.example"}}),
        ("x", {"custom_multichannels": {"x": ["a", f"https://h.example/t/{SECRET}/y"]}}),
        ("defaults", {"default_channels": [f"https://me:{SECRET}@h.example/y"]}),
    ],
)
def test_credentials_behind_a_name_are_refused_where_they_stand(name: str, more: dict[str, Any]) -> None:
    where = dict.fromkeys(more, ETC)
    with pytest.raises(Refused, match=ETC) as caught:
        resolve(asked(name, **more, where=where))
    assert SECRET not in _said(caught.value)
    assert any("h.example" in hint for hint in caught.value.hints)
    assert resolve(asked("https://other.example/y", **more, where=where)).urls == ["https://other.example/y"]


def test_rules_are_not_repeated_with_their_credentials() -> None:
    with pytest.raises(Refused) as caught:
        resolve(asked("y", allowlist_channels=[f"https://me:{SECRET}@h.example/x"]))
    assert SECRET not in _said(caught.value)


@pytest.mark.parametrize("channel", ["conda-forge", "https://h.example/t", "/srv/a@b/t/x", "file:///srv/t/x", "at/x"])
def test_not_everything_is_a_secret(channel: str) -> None:
    assert not holds_secret(channel)
    assert bare(channel) == channel


def test_the_hint_says_where_credentials_belong() -> None:
    hint = auth_hint(f"https://me:{SECRET}@h.example:8443/t/{SECRET}/x")
    assert '{"h.example": {"BearerToken"' in hint
    assert "~/.netrc" in hint
    assert SECRET not in hint
    assert SECRET not in auth_hint(f"t/{SECRET}/x")


@hypothesis_settings(deadline=None)
@given(
    st.text(max_size=30),
    st.sampled_from(["https://me:{}{}@h.example/x", "https://h.example/t/{1}/{0}", "{0}https://{1}@h/"]),
)
def test_no_channel_tells_its_secret(noise: str, shape: str) -> None:
    channel = shape.format(noise, SECRET)
    assert SECRET not in shown(channel)
    try:
        told = str(resolve(configured(channel)))
    except HpcenvError as error:
        told = _said(error)
    assert SECRET not in told


@hypothesis_settings(deadline=None)
@given(
    st.text(max_size=20), st.sampled_from(["{}", "https://h.example/{}", "https://{}/x", "file:///{}", "/{}", "a/{}"])
)
def test_a_channel_becomes_one_url_or_is_refused(text: str, shape: str) -> None:
    """A URL that was made is written in one way only, so that a rule can not be got around by another."""
    try:
        made = resolve(configured(shape.format(text))).urls
    except HpcenvError:
        return
    for url in made:
        assert tidy(url) == url
        assert url.isascii()
        assert url.isprintable()


# -- advice -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "channel",
    [
        *("defaults", "main", "r", "msys2", "anaconda", "free", "pkgs/main", "pkgs/msys2", "anaconda/label/x"),
        *(
            MAIN,
            "http://repo.continuum.io/pkgs/free",
            "https://repo.anaconda.cloud/repo/main",
            "https://anaconda.org/main",
        ),
        *("https://conda-static.anaconda.org/anaconda", "https://Conda.Anaconda.org:443/R"),
    ],
)
def test_anacondas_channels_come_with_a_hint(channel: str) -> None:
    [hint] = resolve(configured(channel)).warnings
    assert channel in hint
    assert "licence" in hint


@pytest.mark.parametrize(
    "channel",
    [
        *(
            "conda-forge",
            "nvidia",
            "pytorch",
            "mains",
            "https://repo.anaconda.cloud/repo/conda-forge",
            "file:///srv/main",
        ),
        *(
            "https://mirror.example/pkgs/main",
            "https://conda.anaconda.org.example/main",
            "https://notanaconda.org/main",
        ),
    ],
)
def test_other_channels_come_without(channel: str) -> None:
    assert resolve(configured(channel)).warnings == []


def test_a_collection_that_is_a_mirror_comes_without() -> None:
    assert resolve(configured("defaults", default_channels=[FORGE])).warnings == []


def test_what_is_not_asked_for_is_not_added() -> None:
    assert not any(licensed(url) for url in resolve(configured("bioconda", "conda-forge")).urls)
    assert not any(licensed(url) for url in resolve(Settings()).urls)


@pytest.mark.parametrize(
    ("channels", "advice"),
    [
        (["bioconda", "conda-forge"], True),
        (["https://mirror.example/bioconda", "x", "https://mirror.example/conda-forge"], True),
        (["bioconda"], True),
        (["conda-forge", "bioconda"], False),
        (["conda-forge"], False),
        (["bioconda/label/x", "conda-forge"], False),
    ],
)
def test_the_order_of_bioconda(channels: list[str], advice: bool) -> None:
    warnings = resolve(configured(*channels)).warnings
    assert [("conda-forge, bioconda" in each) for each in warnings] == ([True] if advice else [])


def test_below_compares_whole_names() -> None:
    assert below("https://h/a/b", "http://h/a")
    assert not below("https://h/ab", "https://h/a")
    assert not below("file:///h/a", "https:///h/a")


def test_the_policy_goes_by_what_a_name_stands_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's configuration can let any name stand for any address, so the rule compares addresses."""
    file = tmp_path / "policy.toml"
    file.write_text('version = 1\n[enforced]\nchannels = ["conda-forge", "https://mirror.example/ours"]\n')
    monkeypatch.setenv("HPCENV_POLICY", str(file))
    assert resolve(configured("conda-forge")).urls == [FORGE]
    assert resolve(configured("https://mirror.example/ours/")).urls == ["https://mirror.example/ours"]
    elsewhere = {"custom_channels": {"conda-forge": "https://trap.example"}}
    for settings in (
        configured("bioconda"),
        configured("conda-forge", **elsewhere),
        configured("conda-forge", channel_alias="https://trap.example"),
        configured("conda-forge", custom_multichannels={"conda-forge": ["https://trap.example/x"]}),
        asked("defaults"),
    ):
        with pytest.raises(Forbidden, match="the channel"):
            resolve(settings)
