"""The page of a lab: its order, its figures, and that no user's text becomes markup."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

import pytest

from eyetune.analysis.correction import correction_note
from eyetune.recipe.changes import recipe_changes, value_text
from eyetune.records.lab import Effect, Explanation, LabRecord
from eyetune.report.pages.lab_page import HEADINGS, commands, lab_page, lab_summary
from eyetune.testing.labs import fabricated_history, fabricated_lab

EVIL = """<script>alert("x")</script> 'a' & "b" $c$ </svg> {{ 7 * 7 }} \x01"""
SHOWN = EVIL.replace("\x01", r"\x01")  # control characters become visible
EXPLANATION = Explanation(
    name="learning-rate", group="training", why="It is why.", hurts="It hurts.", link="https://x.y"
)
VOID = {"meta", "img", "br", "link", "input", "hr", "wbr"}


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
    histories = {
        run: fabricated_history(10, trained.validation_accuracy)
        for trained in record.leaderboard
        for run in trained.runs
    }
    return lab_page(record, histories, [EXPLANATION])


def tree_of(record: LabRecord) -> Element:
    return Tree(page_of(record)).root


@pytest.fixture(scope="module")
def record() -> LabRecord:
    return fabricated_lab(12)


@pytest.fixture(scope="module")
def page(record: LabRecord) -> str:
    return page_of(record)


@pytest.fixture(scope="module")
def tree(page: str) -> Element:
    return Tree(page).root


def section(tree: Element, name: str) -> Element:
    for element in tree.all("section"):
        if next(element.all("h2")).attributes["id"] == name:
            return element
    raise AssertionError(f"no section {name}")


def rows(tree: Element, name: str) -> list[list[str]]:
    """Return the cells of the last table of a section, without its headings."""
    table = list(section(tree, name).all("table"))[-1]
    return [[cell.text for cell in row.all("td")] for row in table.all("tr")][1:]


def test_page_starts_with_the_answer(tree: Element, record: LabRecord) -> None:
    headings = [heading.text for heading in tree.all("h2")]
    assert headings == list(HEADINGS.values())
    links = [link.attributes["href"] for nav in tree.all("nav") for link in nav.all("a")]
    assert links == [f"#{name}" for name in HEADINGS]
    before = tree.text.partition(headings[0])[0]
    assert record.answer in before
    assert f"{record.final.test_accuracy:.2%}" in before


def test_page_needs_no_other_file(tree: Element, page: str) -> None:
    for element in tree.all():
        for name, value in element.attributes.items():
            if element.tag == "a" and name == "href":
                continue
            if (value or "").startswith("data:image/png;base64,"):
                continue
            assert not re.search(r"//|url\((?!#)", value or ""), (element.tag, name, value)
            if name in ("src", "href", "xlink:href"):
                assert (value or "").startswith("#")
    tags = {element.tag for element in tree.all()}
    assert not {"link", "iframe", "object", "embed", "base"} & tags
    for style in tree.all("style"):
        assert "url(" not in style.text
        assert "@import" not in style.text
    assert len(page.encode()) < 3_000_000


def test_page_has_inline_pictures_with_ids_of_their_own(tree: Element) -> None:
    assert len(list(tree.all("svg"))) == len(list(tree.all("figure"))) == 6
    ids = [element.attributes["id"] for element in tree.all() if "id" in element.attributes]
    assert len(ids) == len(set(ids))
    targets: set[str] = set()
    for element in tree.all():
        for name, value in element.attributes.items():
            targets |= set(re.findall(r"url\(#([^)]+)\)", value or ""))
            if name in ("href", "xlink:href") and (value or "").startswith("#"):
                targets.add((value or "")[1:])
    assert targets <= set(ids)
    assert any(target.startswith("cost-") for target in targets)
    forest = next(section(tree, "effects").all("svg"))
    assert "learning-rate" in forest.text
    assert forest.attributes["aria-label"]


def test_leaderboard_holds_the_figures_of_the_record(tree: Element, record: LabRecord) -> None:
    shown = rows(tree, "leaderboard")
    assert len(shown) == 14
    for rank, (cells, trained) in enumerate(zip(shown, record.leaderboard, strict=True), start=1):
        assert cells[:2] == [str(rank), trained.label]
        deviation = 100 * (trained.seed_deviation or 0)
        assert cells[2] == f"{trained.validation_accuracy:.2%} ± {deviation:.2f}"
        assert cells[9] == f"{trained.seconds:,.0f}"
        if not isinstance(trained, Effect):
            assert cells[3:9] == [""] * 6
            continue
        low, high = (100 * end for end in trained.interval)
        assert cells[3:5] == [f"{100 * trained.difference:+.2f}", f"{low:+.2f} to {high:+.2f}"]
        assert cells[5] == f"{trained.p_value:.4f}"
        assert (cells[6] in ("better", "worse")) == trained.certain
        assert cells[7] == f"{100 * trained.at_equal_epochs:+.2f}"
        assert cells[8] == f"{100 * trained.at_equal_seconds:+.2f}"


def test_leaderboard_can_be_sorted(tree: Element, record: LabRecord) -> None:
    (table,) = section(tree, "leaderboard").all("table")
    assert "sortable" in (table.attributes["class"] or "")
    keys = [[cell.attributes["data-key"] for cell in row.all("td")] for row in table.all("tr")][1:]
    accuracies = [trained.validation_accuracy for trained in record.leaderboard]
    assert [float(row[2] or "") for row in keys] == accuracies
    parameters = [trained.parameters for trained in record.leaderboard]
    assert [float(row[10] or "") for row in keys] == parameters


def test_single_technique_combination_is_listed_once() -> None:
    record = fabricated_lab(3)
    assert record.combination is not None
    tree = tree_of(record)
    names = [cells[1] for cells in rows(tree, "leaderboard")]
    assert names.count(record.combination.label) == 1
    forest = next(section(tree, "effects").all("svg"))
    assert "combination" not in forest.text


def test_steps_are_counted_with_the_right_grammar() -> None:
    assert "1 was kept" in section(tree_of(fabricated_lab(3)), "combination").text
    assert "2 were kept" in section(tree_of(fabricated_lab(6)), "combination").text


def test_uncertain_interval_without_zero_is_explained(tree: Element, record: LabRecord) -> None:
    marked = [cells[1] for cells in rows(tree, "leaderboard") if cells[6].endswith("*")]
    expected = [
        effect.label
        for effect in record.techniques
        if not effect.certain and (effect.interval[0] > 0 or effect.interval[1] < 0)
    ]
    assert marked == expected != []
    assert correction_note(record.techniques) in section(tree, "leaderboard").text
    assert "Holm" in next(section(tree, "effects").all("svg")).text
    certain = record.model_copy(update={"techniques": record.techniques[:1]})
    assert "* The interval" not in section(tree_of(certain), "leaderboard").text


def test_other_sections_follow_the_record(tree: Element, record: LabRecord) -> None:
    finals = (record.final_baseline, record.final)
    test = rows(tree, "test")
    assert [row[0] for row in test] == [final.label for final in finals]
    for row, final in zip(test, finals, strict=True):
        assert row[2] == ", ".join(f"{accuracy:.2%}" for accuracy in final.test_accuracies)
    assert f"{100 * record.test_difference:+.2f} points" in section(tree, "test").text
    steps = [row[1:3] for row in rows(tree, "combination")]
    assert steps == [
        [step.effect.change, "kept" if step.kept else "dropped"] for step in record.steps
    ]
    pairs = [row[:2] for row in rows(tree, "interactions")]
    assert pairs == [[pair.first, pair.second] for pair in record.interactions]
    skipped = [[f"{skip.name}={value_text(skip.value)}", skip.reason] for skip in record.skipped]
    assert rows(tree, "skipped") == skipped


def test_recipes_are_toml_with_marked_differences(tree: Element, record: LabRecord) -> None:
    texts = list(section(tree, "recipes").all("pre"))
    recipes = (record.final_baseline.recipe, record.final.recipe)
    for shown, recipe, other in zip(texts, recipes, recipes[::-1], strict=True):
        assert shown.text.strip() == recipe.to_toml().strip()
        marked = {mark.text for mark in shown.all("mark")}
        assert marked >= set(recipe.to_toml().splitlines()) - set(other.to_toml().splitlines())
        assert marked
    paths = [row[0] for row in rows(tree, "recipes")]
    assert paths == [change.path for change in recipe_changes(*recipes)]


def test_method_and_commands_follow_the_record(tree: Element, record: LabRecord) -> None:
    measured = section(tree, "method").text
    for text in (f"{record.num_train:,} training", "12 comparisons", "seeds 0, 1"):
        assert text in measured
    repeated = section(tree, "again").text
    for text in (record.command, f"eyetune report {record.id}", record.final.runs[0]):
        assert text in repeated
    assert commands(record)[0] == record.command
    assert commands(record.model_copy(update={"command": ""}))[0].startswith("eyetune report")


def test_explanations_of_the_lab_take_precedence(record: LabRecord) -> None:
    own = EXPLANATION.model_copy(update={"why": "As the lab says.", "link": "javascript:alert(1)"})
    bare = record.model_copy(update={"explanations": ()})
    (details,) = section(tree_of(bare), "techniques").all("details")
    assert "It is why." in details.text
    assert next(details.all("a")).attributes["href"] == "https://x.y"
    recorded = record.model_copy(update={"explanations": (own,)})
    (details,) = section(tree_of(recorded), "techniques").all("details")
    assert "As the lab says." in details.text
    assert list(details.all("a")) == []


def test_page_escapes_what_users_wrote(record: LabRecord) -> None:
    effect = record.techniques[0].model_copy(update={"name": EVIL, "value": EVIL, "label": EVIL})
    explanation = Explanation(name=EVIL, group=EVIL, why=EVIL, hurts=EVIL, link=f"https://x/{EVIL}")
    interaction = record.interactions[0].model_copy(update={"first": EVIL, "finding": EVIL})
    changes = {
        "id": EVIL,
        "data": EVIL,
        "answer": EVIL,
        "command": EVIL,
        "versions": {EVIL: EVIL},
        "techniques": (effect, *record.techniques[1:]),
        "combination": effect,
        "steps": (record.steps[0].model_copy(update={"effect": effect}),),
        "interactions": (interaction,),
        "skipped": (record.skipped[0].model_copy(update={"reason": EVIL}),),
        "final": record.final.model_copy(update={"label": EVIL}),
        "explanations": (explanation,),
    }
    evil = record.model_copy(update=changes)
    tree, clean = tree_of(evil), tree_of(record)
    scripts = [script.text for script in tree.all("script")]
    assert scripts == [script.text for script in clean.all("script")]
    attributes = [name for element in tree.all() for name in element.attributes]
    assert not [name for name in attributes if name.startswith("on")]
    for name in (
        "leaderboard",
        "combination",
        "interactions",
        "skipped",
        "techniques",
        "recipes",
        "again",
    ):
        assert SHOWN in section(tree, name).text, name
    assert any('alert("x")' in svg.text for svg in tree.all("svg"))
    summary = Tree(lab_summary(evil)).root
    assert list(summary.all("script")) == []
    assert SHOWN in summary.text


def test_page_of_a_lab_in_which_nothing_helped() -> None:
    record = fabricated_lab(3, seeds=(0,), combine=False)
    tree = tree_of(record.model_copy(update={"complete": False}))
    assert len(rows(tree, "test")) == 1
    assert list(section(tree, "combination").all("table")) == []
    assert "interactions" not in [heading.attributes["id"] for heading in tree.all("h2")]
    assert "warning" in str([box.attributes.get("class") for box in tree.all("div")])


def test_summary_holds_the_answer_the_best_and_the_effects() -> None:
    record = fabricated_lab(16)
    tree = Tree(lab_summary(record)).root
    assert record.answer in tree.text
    (table,) = tree.all("table")
    names = [[cell.text for cell in row.all("td")] for row in table.all("tr")][1:]
    best = record.leaderboard[:15]
    assert [cells[1] for cells in names] == [trained.label for trained in best]
    assert f"{len(record.leaderboard) - 15} more" in tree.text
    (picture,) = tree.all("img")
    assert (picture.attributes["src"] or "").startswith("data:image/png;base64,iVBOR")
