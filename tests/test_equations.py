"""Equations are set where the reader looks first, and all of them in the end and in print."""

import shutil
from pathlib import Path

import pytest
import sgdbook_offline

ROOT = Path(__file__).parents[1]
PAGE = """<!DOCTYPE html><meta charset="utf-8">
<script>window.MathJax = {{}};
const turns = []; // what was set together
new MutationObserver((changes) => {{
  const nodes = changes.flatMap((change) => [...change.addedNodes]);
  const set = nodes.filter((node) => node.nodeName === "MJX-CONTAINER");
  if (set.length) turns.push(set.map((node) => node.closest(".math").id));
}}).observe(document, {{subtree: true, childList: true}});
{before}
</script>
<script src="equations.js"></script><script defer src="tex-svg.js"></script>
<details><summary>s</summary>{folded}</details>{open}<h2 id="end">The end</h2>
<div style="height: 3000px"></div>"""
SET = "() => [...document.querySelectorAll('.math')].every((e) => e.querySelector('svg path'))"
STILL = "window.requestIdleCallback = () => {};"  # the browser never has time


def equations(kind, count):
    # A fraction is higher than the line of text that stands in its place before.
    text = "<p><span class='math' id='{0}{1}'>\\(\\frac{{{1}}}{{x}}\\)</span>"
    return "".join(text.format(kind, i) for i in range(count))


@pytest.fixture
def opened(browser, tmp_path):
    """Opens a page of 5 folded and 200 other equations."""
    shutil.copy(ROOT / "book" / "static" / "equations.js", tmp_path)
    shutil.copy(sgdbook_offline.mathjax(), tmp_path)
    context = browser.new_context(viewport={"width": 800, "height": 600})

    def open_page(before="", anchor=""):
        page = tmp_path / "page.html"
        folded, text = equations("folded", 5), equations("open", 200)
        page.write_text(PAGE.format(before=before, folded=folded, open=text), "utf8")
        tab = context.new_page()
        tab.goto(page.as_uri() + anchor)
        return tab

    yield open_page
    context.close()


def finished(tab):
    tab.wait_for_function("() => window.MathJax?.startup?.promise")
    tab.evaluate("() => MathJax.startup.promise.then(() => true)")


def numbers(turn, kind="open"):
    return sorted(int(name.removeprefix(kind)) for name in turn)


def test_what_is_in_view_comes_first_and_what_is_folded_last(opened):
    tab = opened()
    finished(tab)
    assert tab.evaluate(SET)
    first, *later = tab.evaluate("turns")
    assert 5 < len(first) < 40
    assert numbers(first) == list(range(len(first)))
    rest = [name for turn in later for name in turn]
    assert len(first) + len(rest) == 205
    assert set(later[-1]) >= {f"folded{i}" for i in range(5)}


def test_where_an_address_leads_down_the_page_that_place_comes_first_and_stays(opened):
    tab = opened(anchor="#open120")
    finished(tab)
    assert numbers(tab.evaluate("turns")[0])[0] == 120
    tab.wait_for_function(f"scrollY > 0 && ({SET})()")
    place = "document.getElementById('open120').getBoundingClientRect().top"
    assert abs(tab.evaluate(place)) < 40


def test_no_reader_waits_for_what_is_out_of_view(opened):
    tab = opened(STILL)
    tab.wait_for_function("turns.length > 0")
    tab.wait_for_timeout(300)
    assert len(tab.evaluate("turns")) == 1
    assert not tab.evaluate(SET)


def test_a_print_has_every_equation(opened):
    tab = opened(STILL)
    tab.wait_for_function("turns.length > 0")
    tab.evaluate("() => dispatchEvent(new Event('beforeprint'))")
    assert tab.evaluate(SET)
