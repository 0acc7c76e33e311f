"""The pages are built without a warning, and every link leads somewhere.

Links to other sites are looked at for their form alone: nothing is fetched, because a test that depends on other
people's servers fails for no reason of ours.
"""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
DOCS = CHECKOUT / "docs"
#: Pages that code hosts show and Sphinx does not build.
OUTSIDE = [*CHECKOUT.glob("*.md"), *(CHECKOUT / "binder").glob("*.md")]


class Page(HTMLParser):
    """What a page has that others lead to, where it leads, and what it loads."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        if "id" in said:
            self.anchors.add(said["id"])
        if tag == "a" and "href" in said:
            self.links.append(said["href"])
        elif tag == "link" and said.get("rel") in ("stylesheet", "preload", "icon"):
            self.loads.append(said["href"])
        if tag in ("img", "script", "iframe") and "src" in said:
            self.loads.append(said["src"])


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that a web server would serve."""
    out = tmp_path_factory.mktemp("html")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"]
    done = subprocess.run(
        [*command, "-d", str(tmp_path_factory.mktemp("read")), str(DOCS), str(out)], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return out


@pytest.fixture(scope="module")
def built(out: Path) -> dict[Path, Page]:
    """All pages, as they are built for readers."""
    return {path.relative_to(out): Page(path) for path in out.rglob("*.html")}


def test_each_page_is_there_and_the_first_one_leads_to_it(built: dict[Path, Page]) -> None:
    for source in DOCS.rglob("*.md"):
        page = source.relative_to(DOCS).with_suffix(".html")
        assert page in built
        assert page.name == "index.html" or str(page) in built[Path("index.html")].links, page


def test_the_first_page_shows_the_figure(built: dict[Path, Page]) -> None:
    assert [load for load in built[Path("index.html")].loads if load.endswith("questions.svg")]


def test_each_link_and_anchor_leads_somewhere(built: dict[Path, Page], out: Path) -> None:
    known = {path.as_posix(): page for path, page in built.items()}
    assert len(known) > 30
    for path, page in built.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or path.name in ("genindex.html", "search.html"):
                continue
            target = (Path("/") / path.parent / unquote(parts.path)).resolve().relative_to("/").as_posix()
            target = target if parts.path else path.as_posix()
            assert target in known or (out / target).is_file(), f"{path}: {link}"
            anchor = unquote(parts.fragment)
            assert not anchor or anchor in known[target].anchors, f"{path}: {link}"


def test_pages_outside_lead_to_anchors_that_are_there(built: dict[Path, Page]) -> None:
    for page in OUTSIDE:
        for target, anchor in re.findall(r"\]\(([^)#:]+)(?:#([^)]+))?\)", page.read_text()):
            there = (page.parent / target).resolve()
            assert there.exists(), f"{page.name}: {target}"
            if anchor:
                assert anchor in built[there.relative_to(DOCS).with_suffix(".html")].anchors, f"{page.name}: {anchor}"


def test_the_readme_leads_to_each_page() -> None:
    text = (CHECKOUT / "README.md").read_text()
    for page in DOCS.rglob("*.md"):
        assert page.name == "index.md" or f"]({page.relative_to(CHECKOUT)})" in text, page


def test_a_page_loads_nothing_from_elsewhere(built: dict[Path, Page]) -> None:
    """A centre without internet can serve them, and nobody is told who reads them."""
    for path, page in built.items():
        assert page.loads
        assert [load for load in page.loads if urlsplit(load).netloc] == [], path


def test_the_hosted_pages_are_built_as_here() -> None:
    said = yaml.safe_load((CHECKOUT / ".readthedocs.yaml").read_text())
    assert said["sphinx"]["fail_on_warning"] is True
    assert (CHECKOUT / said["sphinx"]["configuration"]).is_file()
    (extra,) = said["python"]["install"][0]["extra_requirements"]
    assert re.search(rf'^{extra} = \[.*"sphinx', (CHECKOUT / "pyproject.toml").read_text(), re.MULTILINE)


def test_links_to_other_sites_have_a_whole_form() -> None:
    found = []
    for page in [*DOCS.rglob("*.md"), *OUTSIDE]:
        prose = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(), flags=re.DOTALL)
        for link in re.findall(r"\]\((\w+:[^)]*)\)", prose):
            parts = urlsplit(link)
            found.append(link)
            assert parts.scheme == "https", f"{page.name}: {link}"
            assert re.fullmatch(r"([a-z0-9-]+\.)+[a-z]{2,}", parts.netloc), f"{page.name}: {link}"
            assert not re.search(r"\s|[.,;]$", link), f"{page.name}: {link}"
    assert found
