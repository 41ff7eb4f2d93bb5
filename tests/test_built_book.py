"""The built book in a real browser: whole, offline, readable by everyone.

Run after `python3 make.py book`. Without a build or a browser the tests are skipped,
with the reason; where CI is set, they fail instead.
"""

import functools
import json
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import sgdbook_ledger as ledger
import yaml
from axe_playwright_python.sync_playwright import Axe
from bs4 import BeautifulSoup
from conftest import give_up

ROOT = Path(__file__).parents[1]
HTML = ROOT / "_build" / "html"
LOCAL = ("file:", "data:", "blob:")
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}

LOOK = """() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const shown = (element) => element.outerHTML.slice(0, 200);
  const raw = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const node = texts.currentNode;
    if (node.parentElement.closest("pre, code, script, style, mjx-container")) continue;
    if (/\\\\\\(|\\\\\\[|\\$\\$/.test(node.data)) raw.push(node.data.trim().slice(0, 200));
  }
  return {
    unrendered: all(".math").filter((m) => !m.querySelector("mjx-container")).map(shown),
    broken: [...all("[data-mjx-error], mjx-merror, merror, [data-mml-node=merror]"),
      ...all("mtext").filter((text) => text.textContent.includes("\\\\"))].map(shown),
    raw,
    equations: all("mjx-container").length,
    images: all("img").map((image) => ({
      alt: image.alt.trim(), shown: shown(image), figure: Boolean(image.closest(".cell_output")),
      loaded: image.complete && image.naturalWidth > 0,
    })),
    nameless: all("svg[role=img], object, embed, iframe")
      .filter((e) => !e.closest("mjx-container, [aria-hidden=true]"))
      .filter((e) => !(e.getAttribute("aria-label") || e.getAttribute("aria-labelledby")
        || e.title || e.querySelector("title")?.textContent))
      .map(shown),
  };
}"""
UNFOLD = """() => {
  for (const box of document.querySelectorAll("details")) box.open = true;
  for (const box of document.querySelectorAll(".toggle-hidden")) {
    box.classList.remove("toggle-hidden");
  }
}"""
# The glyphs of an equation are hidden from assistive technology; its MathML is not.
# Without them axe needs half the time.
BLANK = """() => {
  for (const glyphs of document.querySelectorAll("mjx-container svg")) glyphs.replaceChildren();
}"""
SIDEWAYS = """() => {
  const page = document.documentElement;
  if (page.scrollWidth <= page.clientWidth) return [];
  const wide = [...document.querySelectorAll("body *")]
    .filter((e) => e.getBoundingClientRect().right > page.clientWidth + 1)
    .map((e) => e.outerHTML.slice(0, 120));
  return [`the page is ${page.scrollWidth} wide`, ...wide];
}"""


# The forms of a chapter, measured before anything is opened.
FORMS = """() => {
  const article = document.querySelector("article.bd-article");
  const seen = (e) => e.checkVisibility({contentVisibilityAuto: true, opacityProperty: true,
    visibilityProperty: true}) && !e.closest(".toggle-hidden");
  const all = (selector) => [...article.querySelectorAll(selector)].filter(seen);
  const pictures = all(".cell_output img, .explore-on canvas");
  const code = all("div.highlight pre");
  return {
    picture: Math.min(...pictures.map((p) => p.getBoundingClientRect().top + scrollY)),
    share: code.reduce((sum, pre) => sum + pre.getBoundingClientRect().height, 0)
      / article.getBoundingClientRect().height,
    lines: all("div.cell_input pre")
      .reduce((sum, pre) => sum + pre.textContent.trimEnd().split("\\n").length, 0),
    verdicts: all("details.verdict").length,
  };
}"""
# What a chapter must keep to, and the one place where exceptions are listed, with a reason.
MOST = {"picture": 900, "share": 0.25, "lines": 80, "verdicts": 8}
EXCEPTIONS = {}


def is_redirect(path):
    return bool(re.search(r"http-equiv=.?refresh", path.read_text("utf8"), re.IGNORECASE))


ALL = sorted(
    p for p in HTML.rglob("*.html") if p.relative_to(HTML).parts[0] not in ("_static", "lite")
)
PAGES = [p for p in ALL if not is_redirect(p)]


def name(page):
    return page.relative_to(HTML).with_suffix("").as_posix() if page else "nothing-built"


@pytest.fixture(autouse=True)
def built():
    if not PAGES:
        give_up("the book is not built: run python3 make.py book first")


@dataclass
class Visit:
    """A page, opened, with what happened on the way and what was seen."""

    tab: object
    seen: dict
    forms: dict
    requests: list
    errors: list


def served(url):
    """The file of the book that an address names."""
    return unquote(urlsplit(url).path).lstrip("/")


def typeset(tab):
    """Wait for the equations."""
    if tab.query_selector("script[src*=mathjax]"):
        tab.wait_for_function("() => window.MathJax?.startup?.promise")
        tab.evaluate("() => MathJax.startup.promise.then(() => true)")


# Of module scope and with parameters: all tests of one page follow each other.
@pytest.fixture(scope="module", params=PAGES or [None], ids=name)
def visit(request, browser):
    if request.param is None:
        yield None
        return
    context = browser.new_context(viewport=DESK, color_scheme="light", reduced_motion="reduce")
    tab, requests, errors = context.new_page(), [], []
    tab.on("request", lambda sent: requests.append(sent.url))
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.goto(request.param.as_uri())
    typeset(tab)
    chapter = request.param.parent.name == "notebooks"
    forms = tab.evaluate(FORMS) if chapter else {}
    tab.evaluate(UNFOLD)
    yield Visit(tab, tab.evaluate(LOOK), forms, requests, errors)
    context.close()


def test_a_page_opens_from_a_file_without_an_error(visit):
    assert visit.errors == []


def test_a_page_asks_nothing_of_the_network(visit):
    assert [url for url in visit.requests if not url.startswith(LOCAL)] == []


def test_every_equation_is_rendered(visit):
    assert visit.seen["unrendered"] == []
    assert visit.seen["broken"] == []
    assert visit.seen["raw"] == []


def test_every_image_loads_and_says_in_words_what_it_shows(visit):
    for image in visit.seen["images"]:
        assert image["loaded"], image
        assert len(image["alt"]) >= (40 if image["figure"] else 1), image
    assert visit.seen["nameless"] == []


@pytest.mark.parametrize("form", MOST)
def test_a_chapter_is_laid_out_for_its_reader(visit, request, form):
    page = request.node.callspec.params["visit"]
    if visit.forms and (page.stem, form) not in EXCEPTIONS:
        assert visit.forms[form] <= MOST[form]


def test_one_button_opens_all_code_and_remembers_it(visit, request, browser):
    if not visit.forms:
        return
    context = browser.new_context(viewport=DESK)
    # Chromium 156 loses what a page from a disk stores at every tenth reload, of any page.
    site = "http://book.invalid/"
    context.route(site + "**", lambda asked: asked.fulfill(path=HTML / served(asked.request.url)))
    tab = context.new_page()
    tab.goto(site + request.node.callspec.params["visit"].relative_to(HTML).as_posix())
    closed = "() => document.querySelectorAll('div.cell details.hide:not([open])').length"
    before = tab.evaluate(closed)
    assert before
    button = tab.get_by_role("button", name="Show all code")
    button.focus()
    tab.keyboard.press("Enter")
    assert tab.evaluate(closed) == 0
    tab.reload()
    assert tab.evaluate(closed) == 0
    tab.get_by_role("button", name="Hide all code").click()
    assert tab.evaluate(closed) == before
    context.close()


@pytest.mark.parametrize("scripts", [True, False])
def test_print_loses_neither_code_nor_solutions(visit, browser, scripts):
    if not visit.forms:
        return
    context = browser.new_context(viewport=DESK, java_script_enabled=scripts)
    tab = context.new_page()
    tab.goto(visit.tab.url.split("#")[0])
    tab.emulate_media(media="print")
    if scripts:
        tab.evaluate("() => dispatchEvent(new Event('beforeprint'))")
    lost = tab.evaluate("""() => [...document.querySelectorAll(
      "article div.cell_input, article details.verdict > p, " +
      "article .solution p:not(.admonition-title)")]
      .filter((e) => !e.getBoundingClientRect().height || !e.checkVisibility({
        contentVisibilityAuto: true, opacityProperty: true, visibilityProperty: true}))
      .map((e) => e.outerHTML.slice(0, 120))""")
    assert lost == []
    context.close()


def test_a_figure_that_can_move_is_alive(visit):
    dead = """() => [...document.querySelectorAll("[class*=tag_explore-]")]
      .filter((cell) => !cell.explorable?.readings || cell.querySelector("img")?.offsetParent)
      .map((cell) => cell.className)"""
    assert visit.tab.evaluate(dead) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(visit, scheme):
    visit.tab.set_viewport_size(DESK)
    visit.tab.emulate_media(color_scheme=scheme)
    visit.tab.wait_for_function(f"() => document.documentElement.dataset.theme === '{scheme}'")
    visit.tab.evaluate(BLANK)
    found = Axe().run(visit.tab).response["violations"]
    serious = [
        f"{rule['id']}: {rule['help']}: {node['target']} {node['html'][:200]}"
        for rule in found
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]
    assert serious == []


def test_a_telephone_shows_the_page_without_sideways_scroll(visit):
    visit.tab.set_viewport_size(PHONE)
    visit.tab.wait_for_timeout(100)
    assert visit.tab.evaluate(SIDEWAYS) == []
    visit.tab.set_viewport_size(DESK)


# What needs no browser.


@functools.cache
def soup(page):
    return BeautifulSoup(page.read_text("utf8"), "html.parser")


@functools.cache
def anchors(page):
    named = soup(page).find_all(lambda tag: tag.get("id") or tag.get("name"))
    return {tag.get(key) for tag in named for key in ("id", "name")}


def local_links(page):
    """Every address in a page that points into the book."""
    for tag in soup(page).find_all(True):
        for key in ("href", "src"):
            address = tag.get(key)
            if not address or (tag.name == "link" and "canonical" in tag.get("rel", ())):
                continue
            parts = urlsplit(address)
            if not parts.scheme and not parts.netloc:
                yield address, parts


@pytest.mark.parametrize("page", PAGES or [None], ids=name)
def test_every_link_within_the_book_arrives(page):
    for address, parts in local_links(page):
        target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
        assert target.is_file(), address
        if parts.fragment and target.suffix == ".html":
            assert unquote(parts.fragment) in anchors(target), address


@pytest.mark.parametrize("notebook", ledger.chapters(ROOT), ids=lambda p: p.stem)
def test_every_link_of_a_plain_notebook_arrives(notebook):
    plain = HTML / "plain" / notebook.name
    cells = json.loads(plain.read_text("utf8"))["cells"]
    text = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    addresses = re.findall(r"\]\(([^()\s]+)|(?:href|src)=\"([^\"]+)", text)
    for address in (markdown or html for markdown, html in addresses):
        parts = urlsplit(address)
        assert parts.scheme in ("", "https"), address
        if not parts.scheme:
            assert (plain.parent / unquote(parts.path)).is_file(), address


@pytest.mark.parametrize("page", PAGES or [None], ids=name)
def test_no_page_loads_a_script_or_a_style_from_elsewhere(page):
    for tag in soup(page).find_all(["script", "link", "img", "iframe"]):
        address = tag.get("src") or (tag.get("href") if "stylesheet" in tag.get("rel", ()) else "")
        assert not urlsplit(address or "").netloc, tag


@pytest.mark.parametrize("page", PAGES or [None], ids=name)
def test_a_chapter_to_come_is_not_a_link(page):
    for place in soup(page).find_all(string=re.compile("To come")):
        assert not place.find_parent("a")
        assert not place.parent.find_all("a")


def test_redirects_lead_to_pages():
    for page in set(ALL) - set(PAGES):
        target = re.search(r"url=([^\"'>]+)", page.read_text("utf8"), re.IGNORECASE)[1]
        assert (page.parent / target).resolve() in PAGES


def test_every_page_of_the_contents_is_built():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text("utf8"))
    files = [toc["root"], *(c["file"] for part in toc["parts"] for c in part["chapters"])]
    assert [file for file in files if HTML / f"{file}.html" not in PAGES] == []


@pytest.mark.parametrize("notebook", ledger.chapters(ROOT), ids=lambda p: p.stem)
def test_every_check_of_a_chapter_shows_its_verdict_in_a_box_of_its_own(notebook):
    page = soup(HTML / "notebooks" / f"{notebook.stem}.html")
    checks = ledger.read_checks(notebook)
    assert checks
    for check in checks:
        cell = page.find(id=check.anchor)
        assert cell, check.anchor
        box = cell.select_one(".cell_output")
        assert box, check.anchor
        summary = box.select_one("details.verdict > summary")
        assert summary.get_text().startswith(f"✓ {check.part('says')} {check.id}"), check.anchor
        page_of_row = "errata" if check.id.startswith("E") else "claims"
        assert not summary.a, "a link inside a button"
        link = box.select_one("details.verdict a.claim-link")["href"]
        assert f"book/{page_of_row}.html#" in link, check.anchor


@pytest.mark.parametrize("notebook", ledger.chapters(ROOT), ids=lambda p: p.stem)
def test_every_figure_of_a_chapter_is_in_the_page(notebook):
    shows = notebook.read_text("utf8").count("plt.show()")
    page = soup(HTML / "notebooks" / f"{notebook.stem}.html")
    assert len(page.select(".cell_output img")) == shows


def test_the_ledger_page_has_a_row_for_every_statement_and_the_errata_page_for_every_erratum():
    _, claims, errata, beyond = ledger.read_ledger(ROOT)
    assert {f"claim-{ledger.slug(c.id)}" for c in claims + beyond} <= anchors(
        HTML / "book/claims.html"
    )
    assert {f"erratum-{ledger.slug(e.id)}" for e in errata} <= anchors(HTML / "book/errata.html")
