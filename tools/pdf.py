"""The whole book as one PDF, printed by the browser that reads it in the tests.

    python -m tools.pdf _build/html book.pdf

The pages are put one after the other in one page: folded code and solutions open,
links between chapters lead to their place in it, and a contents list stands first. The
browser sets the equations and breaks the pages. What it cannot do is done after it: the
page numbers of the contents, and bookmarks that name their equations.
"""

import re
import sys
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from bs4 import BeautifulSoup
from playwright.sync_api import sync_playwright
from pypdf import PageObject, PdfWriter
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject, TextStringObject

from tools.browser import FLAGS, find_browser

STYLE = """
@page { size: A4; }
html, body { background: white; color: black; font-size: 10pt; }
body { display: block; margin: 0; }
.chapter { break-before: page; }
.chapter, #contents { width: auto; max-width: none; padding: 0; }
img, figure, mjx-container[display="true"], .cell_output { break-inside: avoid; }
.cell_output img { max-height: 85mm; width: auto; }
pre { white-space: pre-wrap; overflow: visible !important; }
mjx-container { overflow: visible !important; }
.headerlink, button, .copybtn, .toggle-button, .prev-next-footer { display: none !important; }
details > summary { list-style: none; }
#contents ol, #contents ul { list-style: none; padding-left: 0; }
#contents .caption { font-weight: bold; margin: 1em 0 0.2em; }
"""
UNSET = """() => [...document.querySelectorAll(".math")]
  .some((equation) => !equation.querySelector("mjx-container"))"""
HEADINGS = """() => [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")].map((heading) => {
  const words = heading.cloneNode(true);
  for (const equation of words.querySelectorAll("mjx-container"))
    equation.replaceWith(equation.querySelector("mjx-assistive-mml").textContent);
  return words.textContent.trim().replace(/\\s+/g, " ");
})"""
NUMBER = '<span class="pageNumber"></span>'
FOOTER = f'<p style="font-size: 8px; width: 100%; text-align: center;">{NUMBER}</p>'
EDGE = 18  # mm
MARGIN = dict.fromkeys(("top", "bottom", "left", "right"), f"{EDGE}mm")


def slug(page, fragment=""):
    """The id that a place of a page has in the whole."""
    name = re.sub(r"\W+", "-", page.removesuffix(".html"))
    return f"{name}--{fragment}" if fragment else name


def resolve(page, address):
    """A relative address on `page` as one from the folder of the book."""
    if not address:
        return page
    parts = []
    for part in (PurePosixPath(page).parent / address).parts:
        if part == ".." and parts:
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)


def contents(root_page, soup):
    """The captions and the pages of the book in reading order, as (page or None, words)."""
    found = [(root_page, soup.select_one("article h1").get_text().strip().rstrip("#"))]
    for entry in soup.select("nav.bd-links p.caption, nav.bd-links li > a.reference.internal"):
        words = " ".join(entry.get_text().split())
        page = resolve(root_page, urlsplit(entry["href"]).path) if entry.name == "a" else None
        if page != root_page:
            found.append((page, words))
    return found


def chapter(page, html, pages):
    """The text of one page, with its ids and addresses as they are in the whole."""
    article = BeautifulSoup(html, "html.parser").select_one("article")
    article.name, article["class"], article["id"] = "section", ["chapter"], slug(page)
    for element in article.select("script, .headerlink"):
        element.decompose()
    for element in article.select("details"):
        element["open"] = ""
    for element in article.select("[id]"):
        element["id"] = slug(page, element["id"])
    for element in article.select("[src]"):
        if not urlsplit(element["src"]).scheme:
            element["src"] = resolve(page, element["src"])
    for element in article.select("a[href]"):
        address = urlsplit(element["href"])
        if address.scheme:
            continue
        target = resolve(page, address.path)
        if target in pages:
            element["href"] = "#" + slug(target, address.fragment)
        else:
            del element["href"]  # a file that is not in the print
    return str(article)


def whole(html):
    """The whole book as one page, for the folder `html`."""
    root_page = "book/index.html"
    soup = BeautifulSoup((html / root_page).read_text("utf8"), "html.parser")
    entries = contents(root_page, soup)
    pages = {page for page, _ in entries if page}
    # The browser styles and the equations of the pages, and none of their other scripts.
    head = []
    for element in soup.select('head link[rel="stylesheet"], script'):
        address = element.get("href") or element.get("src") or ""
        if element.name == "link" or "mathjax" in address.lower() or "MathJax" in element.text:
            for key in ("href", "src"):
                if element.get(key) and not urlsplit(element[key]).scheme:
                    element[key] = resolve(root_page, urlsplit(element[key]).path)
            head.append(str(element))
    listed = "".join(
        f'<li><a href="#{slug(page)}">{words}</a></li>'
        if page
        else f'<li class="caption">{words}</li>'
        for page, words in entries
    )
    text = "".join(
        chapter(page, (html / page).read_text("utf8"), pages) for page, _ in entries if page
    )
    title = entries[0][1]
    return (
        f'<!DOCTYPE html><html lang="en" data-theme="light" data-mode="light"><head>'
        f'<meta charset="utf-8"><title>{title}</title>{"".join(head)}<style>{STYLE}</style>'
        f'</head><body><section id="contents"><h1>{title}</h1><ul>{listed}</ul></section>'
        f"{text}</body></html>"
    )


def bookmarks(outline):
    """The items of a PDF's outline, in reading order."""
    item = outline.get("/First")
    while item is not None:
        item = item.get_object()
        yield item
        yield from bookmarks(item)
        item = item.get("/Next")


def number(page, places):
    """Write at the right edge of each link of a page of the contents where it leads."""
    width, height = page.mediabox[2:]
    lines = []
    for link in page.annotations or ():
        rectangle, place = link.get_object()["/Rect"], link.get_object()["/Dest"]
        right = float(width) - EDGE * 72 / 25.4
        # Figures of Helvetica are 5 points wide at 9 points.
        text = str(places[place] + 1)
        left, bottom = right - 5.004 * len(text), float(rectangle[1]) + 2.5
        lines.append(f"BT /F 9 Tf {left:.2f} {bottom:.2f} Td ({text}) Tj ET")
    above = PageObject.create_blank_page(width=width, height=height)
    font = {"/Type": "/Font", "/Subtype": "/Type1", "/BaseFont": "/Helvetica"}
    font = DictionaryObject({NameObject(key): NameObject(name) for key, name in font.items()})
    fonts = DictionaryObject({NameObject("/F"): font})
    above[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
    above[NameObject("/Contents")] = DecodedStreamObject()
    above["/Contents"].set_data("\n".join(["/Artifact BMC", *lines, "EMC"]).encode())
    page.merge_page(above)


def finish(pdf, headings):
    """Number the contents of the printed book, and name its bookmarks as its headings."""
    book = PdfWriter(pdf, incremental=True)
    items = list(bookmarks(book.root_object["/Outlines"].get_object()))
    for item, words in zip(items, headings, strict=True):
        item[NameObject("/Title")] = TextStringObject(words)
    found = book.named_destinations
    places = {name: book.get_destination_page_number(place) for name, place in found.items()}
    for page in book.pages[: min(places.values())]:
        number(page, places)
    book.write(pdf)


def print_book(browser, html, pdf):
    """Print the book that is built in the folder `html` into the file `pdf`."""
    file = html / "_print.html"
    file.write_text(whole(html), "utf8")
    page = browser.new_page()
    page.set_default_timeout(600_000)
    try:
        page.goto(file.as_uri())
        page.evaluate("() => MathJax.startup.promise.then(() => null)")
        if page.evaluate(UNSET):
            raise RuntimeError("the browser did not set every equation")
        page.pdf(
            path=str(pdf), format="A4", margin=MARGIN, outline=True, tagged=True,
            print_background=True, display_header_footer=True, header_template="<p></p>",
            footer_template=FOOTER,
        )  # fmt: skip
        finish(pdf, page.evaluate(HEADINGS))
    finally:
        page.close()
        file.unlink()


def main(html, pdf):
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=FLAGS)
        print_book(browser, Path(html).resolve(), Path(pdf).resolve())
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
