"""The printed book is the whole book: every page once, in order, open, with links that arrive."""

import pytest
from bs4 import BeautifulSoup
from pypdf import PdfReader

from tools import pdf

PAGE = """<html><head><link rel="stylesheet" href="../_static/book.css?digest=1">
<script>window.MathJax = {{}};</script><script src="../_static/mathjax/tex-svg.js?v=1"></script>
<script src="../_static/book.js"></script></head>
<body><nav class="bd-links"><ul><li><a class="reference internal" href="#">Start</a></li></ul>
<p class="caption">I. Beginnings</p>
<ul><li><a class="reference internal" href="../notebooks/01-one.html">1. One</a></li></ul></nav>
<article class="bd-article">{}</article></body></html>"""
ROOT_PAGE = (
    '<h1>The book<a class="headerlink" href="#t">#</a></h1><a href="../notebooks/01-one.html">'
)
CHAPTER = """<h1 id="one">One <span class="math">\\(x\\)</span></h1><img src="../_images/a.svg">
<details><summary>s</summary>x</details>
<a href="#one">here</a> <a href="../book/index.html#t">there</a>
<a href="https://example.org">out</a>
<a href="../plain/01-one.ipynb">file</a><script>no()</script>"""


@pytest.fixture
def html(tmp_path):
    for name, text in (("book/index", ROOT_PAGE), ("notebooks/01-one", CHAPTER)):
        path = tmp_path / f"{name}.html"
        path.parent.mkdir()
        path.write_text(PAGE.format(text), "utf8")
    return tmp_path


@pytest.fixture
def soup(html):
    return BeautifulSoup(pdf.whole(html), "html.parser")


def test_every_page_stands_once_and_in_order_after_the_contents(soup):
    assert [s["id"] for s in soup.select("section")] == [
        "contents", "book-index", "notebooks-01-one"
    ]  # fmt: skip
    listed = [(li.get_text(), li.a and li.a["href"]) for li in soup.select("#contents li")]
    assert listed == [
        ("The book", "#book-index"), ("I. Beginnings", None), ("1. One", "#notebooks-01-one")
    ]  # fmt: skip


def test_links_lead_to_their_place_in_the_whole(soup):
    hrefs = {a.get_text(): a.get("href") for a in soup.select("#notebooks-01-one a")}
    assert hrefs == {
        "here": "#notebooks-01-one--one",
        "there": "#book-index--t",
        "out": "https://example.org",
        "file": None,
    }
    assert soup.select("#notebooks-01-one--one")


def test_what_is_folded_stands_open_and_pictures_are_found(soup):
    assert all(details.has_attr("open") for details in soup.select("details"))
    assert soup.img["src"] == "_images/a.svg"


def test_of_the_scripts_only_the_equations_run(soup):
    scripts = [script.get("src") or script.text for script in soup.select("script")]
    assert scripts == ["window.MathJax = {};", "_static/mathjax/tex-svg.js"]
    assert [link["href"] for link in soup.select("link")] == ["_static/book.css"]


def test_the_browser_prints_it_and_leaves_nothing_behind(browser, html, tmp_path):
    script = html / "_static" / "mathjax" / "tex-svg.js"
    script.parent.mkdir(parents=True)
    equation = "<mjx-container><mjx-assistive-mml>x</mjx-assistive-mml></mjx-container>"
    code = f"document.querySelector('.math').innerHTML = '{equation}';"
    ready = "MathJax.startup = {promise: Promise.resolve()};"
    script.write_text(f"{ready} onload = () => {{{code}}}")
    out = tmp_path / "book.pdf"
    pdf.print_book(browser, html, out)
    printed = PdfReader(out)
    contents, *pages = [page.extract_text() for page in printed.pages]
    assert " ".join(contents.split()) == "The book The book I. Beginnings 1. One 1 2 3"
    assert len(pages) == 2
    assert [mark.title for mark in printed.outline] == ["The book", "The book", "One x"]
    assert [printed.get_destination_page_number(mark) for mark in printed.outline] == [0, 1, 2]
    assert not (html / "_print.html").exists()
    script.write_text(ready)
    with pytest.raises(RuntimeError, match="did not set every equation"):
        pdf.print_book(browser, html, out)
