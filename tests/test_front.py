"""The front page names every chapter, and no chapter needs a later one."""

import re
from pathlib import Path

import pytest
import sgdbook_front as front
import sgdbook_ledger as ledger
import yaml

ROOT = Path(__file__).parents[1]
TOLD = yaml.safe_load((ROOT / "book" / "chapters.yml").read_text("utf8"))
PARTS = front.read_parts(ROOT)


def test_every_chapter_of_the_contents_has_its_sentence():
    assert {n.stem for n in ledger.chapters(ROOT)} <= {entry["file"] for entry in TOLD}
    assert [c["file"] for _, part in PARTS for c in part] == [n.stem for n in ledger.chapters(ROOT)]


@pytest.mark.parametrize("entry", TOLD, ids=lambda e: e["file"])
def test_a_chapter_needs_only_earlier_ones(entry):
    assert all(1 <= need < int(entry["file"][:2]) for need in entry["needs"])
    assert 30 <= len(entry["says"]) <= 200


def test_the_map_has_a_box_and_a_link_for_each_chapter_and_a_line_for_each_need():
    svg = front.draw(PARTS, lambda chapter: f"to-{chapter['file']}")
    chapters = [c for _, part in PARTS for c in part]
    assert re.findall(r'href="to-([^"]+)"', svg) == [c["file"] for c in chapters]
    numbers = {c["number"] for c in chapters}
    assert svg.count("<path") == sum(len(numbers & set(c["needs"])) for c in chapters)
    boxes = re.findall(r'<rect[^>]* x="([\d.]+)" y="([\d.]+)"', svg)
    assert len(set(boxes)) == len(chapters)
