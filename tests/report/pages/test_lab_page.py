"""The page of a lab: in order, with the record's figures, nothing from elsewhere, and nobody's
words as markup.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

import pytest

from eyetune.recipe.changes import recipe_changes
from eyetune.records.lab import Explanation, LabRecord
from eyetune.report.pages.lab_page import HEADINGS, commands, lab_page, lab_summary
from eyetune.testing.labs import fabricated_history, fabricated_lab

EVIL = """<script>alert("x")</script> 'a' & "b" $c$ </svg> {{ 7 * 7 }} \x01"""
SHOWN = EVIL.replace("\x01", "�")
EXPLANATION = Explanation(
    name="learning-rate", group="training", why="It is why.", hurts="It hurts.", link="https://x.y"
)
VOID = {"meta", "img", "br", "link", "input", "hr"}


@dataclass
class Element:
    tag: str
    attributes: dict[str, str | None]
    children: list[Element | str] = field(default_factory=list)

    def all(self, tag: str = "") -> Iterator[Element]:
        for child in self.children:
            if isinstance(child, Element):
                if not tag or child.tag == tag:
                    yield child
                yield from child.all(tag)

    @property
    def text(self) -> str:
        return "".join(child if isinstance(child, str) else child.text for child in self.children)


class Tree(HTMLParser):
    """Parses a page into elements, and fails where tags do not close in order."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("root", {})
        self._open = [self.root]
        self.feed(page)
        self.close()
        assert self._open == [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, dict(attrs))
        self._open[-1].children.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open[-1].children.append(Element(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop().tag == tag

    def handle_data(self, data: str) -> None:
        self._open[-1].children.append(data)


def page_of(record: LabRecord) -> str:
    runs = {run: one.validation_accuracy for one in record.leaderboard for run in one.runs}
    return lab_page(
        record, {run: fabricated_history(10, value) for run, value in runs.items()}, [EXPLANATION]
    )


@pytest.fixture(scope="module")
def small() -> LabRecord:
    return fabricated_lab(6)


@pytest.fixture(scope="module")
def large() -> LabRecord:
    return fabricated_lab(100)


@pytest.fixture(scope="module")
def page(large: LabRecord) -> str:
    return page_of(large)


@pytest.fixture(scope="module")
def tree(page: str) -> Element:
    return Tree(page).root


def section(tree: Element, name: str) -> Element:
    (found,) = (one for one in tree.all("section") if next(one.all("h2")).attributes["id"] == name)
    return found


def rows(tree: Element, name: str) -> list[list[str]]:
    """The cells of the last table of a section, the heading left out."""
    table = list(section(tree, name).all("table"))[-1]
    return [[cell.text for cell in row.all("td")] for row in table.all("tr")][1:]


def test_the_answer_comes_first_and_the_rest_in_order(tree: Element, large: LabRecord) -> None:
    headings = [one.text for one in tree.all("h2")]
    assert headings == list(HEADINGS.values())
    links = [one.attributes["href"] for nav in tree.all("nav") for one in nav.all("a")]
    assert links == [f"#{name}" for name in HEADINGS]
    before = tree.text.partition(headings[0])[0]
    assert large.answer in before
    assert (
        f"{large.final.test_accuracy:.2%} ± {100 * (large.final.test_deviation or 0):.2f}" in before
    )


def test_nothing_comes_from_elsewhere(tree: Element, page: str) -> None:
    for element in tree.all():
        for name, value in element.attributes.items():
            if element.tag == "a" and name == "href":
                continue
            if (value or "").startswith("data:image/png;base64,"):
                continue
            assert not re.search(r"//|url\((?!#)", value or ""), (element.tag, name, value)
            if name in ("src", "href", "xlink:href"):
                assert (value or "").startswith("#")
    assert not {"link", "iframe", "object", "embed", "base"} & {one.tag for one in tree.all()}
    for style in tree.all("style"):
        assert "url(" not in style.text
        assert "@import" not in style.text
    assert len(page.encode()) < 3_000_000


def test_pictures_are_inline_and_their_ids_never_collide(tree: Element) -> None:
    assert len(list(tree.all("svg"))) == len(list(tree.all("figure"))) == 6
    ids = [one.attributes["id"] for one in tree.all() if "id" in one.attributes]
    assert len(ids) == len(set(ids))
    used = [value for one in tree.all() for value in one.attributes.values() if value]
    targets = {match for value in used for match in re.findall(r"url\(#([^)]+)\)", value)}
    targets |= {value[1:] for one in tree.all() for name, value in one.attributes.items()
                if name in ("href", "xlink:href") and value and value.startswith("#")}  # fmt: skip
    assert targets <= set(ids)
    assert any(target.startswith("cost-") for target in targets)
    words = next(section(tree, "effects").all("svg")).text
    assert "learning-rate" in words
    assert "surely better" in (
        next(section(tree, "effects").all("svg")).attributes["aria-label"] or ""
    )


def test_the_leaderboard_holds_every_figure_of_the_record(tree: Element, large: LabRecord) -> None:
    shown = rows(tree, "leaderboard")
    assert len(shown) == 102
    for place, (cells, one) in enumerate(zip(shown, large.leaderboard, strict=True), start=1):
        assert cells[:3] == [str(place), one.label, f"{one.validation_accuracy:.2%} ± 0.40"]
        assert cells[9] == f"{one.seconds:,.0f}"
    by_label = {cells[1]: cells for cells in shown}
    assert by_label["baseline"][3:9] == [""] * 6
    for effect in large.techniques:
        cells = by_label[effect.label]
        low, high = effect.interval
        assert cells[3:5] == [
            f"{100 * effect.difference:+.2f}",
            f"{100 * low:+.2f} to {100 * high:+.2f}",
        ]
        assert cells[5] == (f"{effect.p_value:.4f}" if effect.p_value >= 0.0001 else "<0.0001")
        assert cells[6] == (effect.finding if effect.certain else "not sure")
        assert cells[7:9] == [
            f"{100 * effect.at_equal_epochs:+.2f}",
            f"{100 * effect.at_equal_seconds:+.2f}",
        ]


def test_the_leaderboard_can_be_sorted_by_what_its_cells_stand_for(
    tree: Element, large: LabRecord
) -> None:
    (table,) = section(tree, "leaderboard").all("table")
    assert "sortable" in (table.attributes["class"] or "")
    keys = [[cell.attributes["data-key"] for cell in row.all("td")] for row in table.all("tr")][1:]
    assert [float(row[2] or "") for row in keys] == [
        one.validation_accuracy for one in large.leaderboard
    ]
    assert [float(row[10] or "") for row in keys] == [one.parameters for one in large.leaderboard]


def test_test_steps_interactions_and_what_was_skipped(tree: Element, large: LabRecord) -> None:
    test = rows(tree, "test")
    finals = (large.final_baseline, large.final)
    assert [row[0] for row in test] == [one.label for one in finals]
    assert [row[2] for row in test] == [
        ", ".join(f"{one:.2%}" for one in final.test_accuracies) for final in finals
    ]
    words = section(tree, "test").text
    assert f"surely better than the baseline: {100 * large.test_difference:+.2f} points" in words
    steps = rows(tree, "combination")
    assert [row[1:3] for row in steps] == [
        [s.effect.label, "kept" if s.kept else "dropped"] for s in large.steps
    ]
    pairs = rows(tree, "interactions")
    assert [row[:2] for row in pairs] == [[one.first, one.second] for one in large.interactions]
    skipped = rows(tree, "skipped")
    assert skipped == [[f"{one.name}={one.value}", one.reason] for one in large.skipped]


def test_recipes_are_toml_with_their_differences_marked(tree: Element, large: LabRecord) -> None:
    texts = list(section(tree, "recipes").all("pre"))
    finals = (large.final_baseline.recipe, large.final.recipe)
    for shown, recipe, other in zip(texts, finals, finals[::-1], strict=True):
        assert shown.text.strip() == recipe.to_toml().strip()
        marked = {mark.text for mark in shown.all("mark")}
        assert marked
        assert marked >= set(recipe.to_toml().splitlines()) - set(other.to_toml().splitlines())
    changes = rows(tree, "recipes")
    assert [row[0] for row in changes] == [change.path for change in recipe_changes(*finals)]


def test_how_it_was_measured_and_how_to_do_it_again(tree: Element, large: LabRecord) -> None:
    measured = section(tree, "method").text
    for words in (
        "40,000 training",
        "Holm",
        "100 comparisons",
        "paired bootstrap",
        "Test was touched once",
    ):
        assert words in measured
    assert "seeds 0, 1" in measured
    again = section(tree, "again").text
    for words in (f"eyetune report {large.id}", large.final.runs[0], "3.15.0"):
        assert words in again
    assert (
        commands(large.model_copy(update={"command": "eyetune lab --data x"}))[0]
        == "eyetune lab --data x"
    )


def test_techniques_are_explained_by_the_lab_itself_before_others(
    tree: Element, small: LabRecord
) -> None:
    (details,) = section(tree, "techniques").all("details")
    assert "It is why." in details.text
    assert next(details.all("a")).attributes["href"] == "https://x.y"
    own = EXPLANATION.model_copy(update={"why": "As the lab says.", "link": "javascript:alert(1)"})
    (details,) = Tree(page_of(small.model_copy(update={"explanations": (own,)}))).root.all(
        "details"
    )
    assert "As the lab says." in details.text
    assert list(details.all("a")) == []


def test_what_a_user_wrote_is_shown_and_never_run(small: LabRecord) -> None:
    effect = small.techniques[0].model_copy(update={"name": EVIL, "value": EVIL, "label": EVIL})
    told = Explanation(name=EVIL, group=EVIL, why=EVIL, hurts=EVIL, link=f"https://x/{EVIL}")
    record = small.model_copy(
        update={
            "id": EVIL,
            "data": EVIL,
            "answer": EVIL,
            "command": EVIL,
            "versions": {EVIL: EVIL},
            "techniques": (effect, *small.techniques[1:]),
            "combination": effect,
            "steps": (small.steps[0].model_copy(update={"effect": effect}),),
            "interactions": (
                small.interactions[0].model_copy(update={"first": EVIL, "finding": EVIL}),
            ),
            "skipped": (small.skipped[0].model_copy(update={"reason": EVIL}),),
            "final": small.final.model_copy(update={"label": EVIL}),
            "explanations": (told,),
        }
    )
    tree = Tree(page_of(record)).root
    clean = Tree(page_of(small)).root
    assert [one.text for one in tree.all("script")] == [one.text for one in clean.all("script")]
    assert not [name for one in tree.all() for name in one.attributes if name.startswith("on")]
    for name in (
        "leaderboard",
        "combination",
        "interactions",
        "skipped",
        "techniques",
        "recipes",
        "again",
    ):
        assert EVIL in section(tree, name).text, name
    assert any('alert("x")' in svg.text for svg in tree.all("svg"))
    summary = Tree(lab_summary(record)).root
    assert list(summary.all("script")) == []
    assert EVIL in summary.text


def test_a_lab_in_which_nothing_helped_says_so() -> None:
    record = fabricated_lab(3, seeds=(0,), combine=False)
    record = record.model_copy(update={"final": record.final_baseline, "complete": False})
    tree = Tree(page_of(record)).root
    assert "Nothing was surely better" in section(tree, "test").text
    assert "no combination" in section(tree, "combination").text
    assert "Time ran out" in tree.text
    assert "interactions" not in [one.attributes["id"] for one in tree.all("h2")]
    assert len(rows(tree, "test")) == 1
    assert "±" not in tree.text.replace("a ± is", "")


def test_a_notebook_gets_the_answer_the_best_and_the_forest_plot(large: LabRecord) -> None:
    tree = Tree(lab_summary(large)).root
    assert large.answer in tree.text
    (table,) = tree.all("table")
    assert [
        [cell.text for cell in row.all("td")][1] for row in table.all("tr") if list(row.all("td"))
    ] == [one.label for one in large.leaderboard[:15]]
    assert "87 more" in tree.text
    (picture,) = tree.all("img")
    assert (picture.attributes["src"] or "").startswith("data:image/png;base64,iVBOR")
