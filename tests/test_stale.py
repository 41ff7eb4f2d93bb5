"""Pages whose sources are gone leave the built book; everything else stays."""

from types import SimpleNamespace

import pytest
import sgdbook_stale as stale

KEPT = {
    "index.html", "genindex.html", "search.html", "book/index.html", "notebooks/02-new.html",
    "_sources/notebooks/02-new.ipynb", "_static/old.html", "lite/notebooks/index.html",
    "plain/01-old.ipynb", "_images/old.svg", "searchindex.js",
}  # fmt: skip
GONE = {"notebooks/01-old.html", "_sources/notebooks/01-old.ipynb", "book/old.html", "_print.html"}


@pytest.fixture
def site(tmp_path):
    for name in KEPT | GONE:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return SimpleNamespace(
        outdir=tmp_path,
        builder=SimpleNamespace(name="html"),
        env=SimpleNamespace(found_docs={"book/index", "notebooks/02-new"}),
    )


def files(site):
    return {p.relative_to(site.outdir).as_posix() for p in site.outdir.rglob("*") if p.is_file()}


def test_the_page_and_the_source_of_a_renamed_chapter_go(site):
    stale._remove(site, None)
    assert files(site) == KEPT


def test_nothing_goes_after_a_build_that_failed(site):
    stale._remove(site, RuntimeError())
    assert files(site) == KEPT | GONE
