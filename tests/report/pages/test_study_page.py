"""The page of a study: in order, with the record's figures, nothing from elsewhere, and nobody's
words as markup.
"""

from __future__ import annotations

import re

import pytest

from eyetune.analysis.ranking import rank_trials
from eyetune.analysis.study_summary import summary_sentences, value_words, warnings
from eyetune.records.study import Budget, SchedulerSettings, StudyState, TrialState
from eyetune.report.pages.study_page import (
    HEADINGS,
    budget_words,
    commands,
    method,
    study_page,
    study_summary,
)
from eyetune.space.space import Choice, Space
from eyetune.testing.studies import (
    ACCURACY,
    LIMIT,
    PARAMETERS,
    FabricatedStudy,
    fabricated_space,
    fabricated_study,
)
from tests.report.pages.test_lab_page import EVIL, Element, Tree, rows, section

STUDY = fabricated_study(60, failing=0.15, infeasible=0.1)
SEVERAL = fabricated_study(40, objectives=(ACCURACY, PARAMETERS))


def page_of(study: FabricatedStudy) -> str:
    importances = {
        name: 0.5 / place for place, name in enumerate(study.record.space.names, start=1)
    }
    return study_page(study.record, study.trials, study.histories, importances)


@pytest.fixture(scope="module")
def page() -> str:
    return page_of(STUDY)


@pytest.fixture(scope="module")
def tree(page: str) -> Element:
    return Tree(page).root


def test_what_was_found_comes_first_and_the_rest_in_order(tree: Element) -> None:
    expected = [name for name in HEADINGS if name != "front"]
    assert [one.attributes["id"] for one in tree.all("h2")] == expected
    links = [one.attributes["href"] for nav in tree.all("nav") for one in nav.all("a")]
    assert links == [f"#{name}" for name in expected]
    before = tree.text.partition(HEADINGS["best"])[0]
    for words in summary_sentences(STUDY.record, STUDY.trials):
        assert words in before
    shown = section(tree, "warnings").text
    for words in warnings(STUDY.record, STUDY.trials):
        assert words in shown


def test_nothing_comes_from_elsewhere(tree: Element, page: str) -> None:
    for element in tree.all():
        for name, value in element.attributes.items():
            assert not re.search(r"//|url\((?!#)", value or ""), (element.tag, name, value)
    assert not {"link", "iframe", "object", "embed", "base"} & {one.tag for one in tree.all()}
    ids = [one.attributes["id"] for one in tree.all() if "id" in one.attributes]
    assert len(ids) == len(set(ids))
    assert len(list(tree.all("svg"))) == 5
    assert len(page.encode()) < 1_000_000


def test_the_best_hyperparameters_with_what_was_searched_and_where_they_lie_at_an_end(
    tree: Element,
) -> None:
    best = rank_trials((ACCURACY,), STUDY.trials)[0]
    shown = {row[0]: row[1:] for row in rows(tree, "best")}
    assert list(shown) == list(best.values)
    assert shown["conv_layers"] == ["3", "1 to 3", "the highest", "25%"]
    assert shown["units"][2] == ""


def test_every_trial_is_in_the_table_the_best_first_and_can_be_sorted(tree: Element) -> None:
    shown = rows(tree, "trials")
    assert len(shown) == len(STUDY.trials)
    order = rank_trials((ACCURACY,), STUDY.trials)
    assert [row[0] for row in shown[: len(order)]] == [str(one.number) for one in order]
    assert [row[1] for row in shown[: len(order)]] == [
        value_words("val_accuracy", one.objectives[0]) for one in order
    ]  # type: ignore[index]
    (table,) = section(tree, "trials").all("table")
    assert "sortable" in (table.attributes["class"] or "")
    headings = [one.text for one in table.all("th")]
    keys = [[cell.attributes["data-key"] for cell in row.all("td")] for row in table.all("tr")][1:]
    column = headings.index("learning_rate")
    assert [float(row[column] or "") for row in keys[: len(order)]] == [
        one.values["learning_rate"] for one in order
    ]
    column = headings.index("filters_2")
    assert [row[column] for row in shown if row[headings.index("conv_layers")] == "1"] == [
        ""
    ] * sum(one.values["conv_layers"] == 1 for one in STUDY.trials)


def test_failures_are_folded_with_their_tracebacks_and_reasons_of_infeasible_ones_are_counted(
    tree: Element,
) -> None:
    failed = [one for one in STUDY.trials if one.state is TrialState.FAILED]
    details = list(section(tree, "failures").all("details"))
    assert len(details) == len(failed) > 0
    for shown, one in zip(details, failed, strict=True):
        assert f"Trial {one.number}: ValueError" in next(shown.all("summary")).text
        assert one.error in next(shown.all("pre")).text
        assert "open" not in shown.attributes
    count = sum(one.state is TrialState.INFEASIBLE for one in STUDY.trials)
    assert rows(tree, "infeasible") == [[f"{LIMIT} is broken", str(count)]]


def test_how_it_was_searched_and_how_to_go_on(tree: Element) -> None:
    searched = section(tree, "method").text
    for words in (
        "val_accuracy (higher)",
        "TPE",
        "Hyperband",
        "parameters < 400000",
        "2 workers",
        "60 trials",
    ):
        assert words in searched
    best = rank_trials((ACCURACY,), STUDY.trials)[0]
    again = section(tree, "again").text
    for words in (
        "eyetune tune --resume --name first --trials 120",
        f"eyetune train {best.run}",
        "3.15.0",
    ):
        assert words in again
    paused = STUDY.record.model_copy(update={"state": StudyState.PAUSED, "name": "my study; rm"})
    assert commands(paused, [])[0] == "eyetune tune --resume --name 'my study; rm'"


@pytest.mark.parametrize("schedule", ["full", "halving", "hyperband", "median"])
@pytest.mark.parametrize(
    "sampler", ["random", "grid", "quasi-random", "tpe", "gp", "cma-es", "nsga2"]
)
def test_every_sampler_and_schedule_has_words(schedule: str, sampler: str) -> None:
    changes = {
        "sampler": sampler,
        "schedule": SchedulerSettings.model_validate({"name": schedule}),
        "board": "esp-eye",
    }
    record = STUDY.record.model_copy(
        update={"settings": STUDY.record.settings.model_copy(update=changes)}
    )
    words = " ".join(method(record, STUDY.trials))
    assert "up to 10 epochs" in words
    assert "esp-eye" in words


def test_budgets_in_words() -> None:
    for budget, words in (
        (Budget(), "the schedule's own end"),
        (Budget(trials=1, seconds=1800, target=0.8), "1 trial or 30 min or val_accuracy 80.00%"),
        (Budget(epochs=1000), "1,000 epochs"),
    ):
        settings = STUDY.record.settings.model_copy(update={"budget": budget})
        assert budget_words(STUDY.record.model_copy(update={"settings": settings})) == words


def test_several_objectives_are_drawn_against_each_other_and_the_front_is_bold() -> None:
    tree = Tree(page_of(SEVERAL)).root
    assert len(list(section(tree, "front").all("svg"))) == 1
    (table,) = section(tree, "trials").all("table")
    bold = [row for row in table.all("tr") if row.attributes.get("class") == "combination"]
    assert len(bold) > 1
    assert [one.text for one in table.all("th")][1:3] == ["val_accuracy", "parameters"]


def test_a_wide_space_is_one_column_of_words() -> None:
    study = fabricated_study(3, space=fabricated_space(20), failing=0)
    tree = Tree(page_of(study)).root
    (table,) = section(tree, "trials").all("table")
    headings = [one.text for one in table.all("th")]
    assert "hyperparameters" in headings
    assert "block_12/units=" in rows(tree, "trials")[0][headings.index("hyperparameters")]


@pytest.mark.parametrize(
    "study",
    [fabricated_study(0), fabricated_study(4, failing=1), fabricated_study(4, infeasible=1)],
)
def test_a_study_without_a_result_says_so(study: FabricatedStudy) -> None:
    tree = Tree(page_of(study)).root
    assert list(tree.all("svg")) == []
    assert summary_sentences(study.record, study.trials)[0] in tree.text
    assert {"curve", "best"} & {one.attributes["id"] for one in tree.all("h2")} == set()
    assert list(Tree(study_summary(study.record, study.trials)).root.all("img")) == []


def test_what_a_user_wrote_is_shown_and_never_run() -> None:
    space = Space.make([Choice(name=EVIL, values=(EVIL, "b", "c"), ordered=True)])
    best = STUDY.trials[1].with_(values={EVIL: EVIL}, more_values={f"late {EVIL}": EVIL}, number=0)
    failed = STUDY.trials[0].with_(
        number=1,
        state=TrialState.FAILED,
        error=f"{EVIL}\n{EVIL}",
        values={EVIL: "b"},
        rungs=(),
        infeasible=(EVIL,),
    )
    record = STUDY.record.model_copy(
        update={
            "name": EVIL,
            "data_name": EVIL,
            "ending": EVIL,
            "space": space,
            "versions": {EVIL: EVIL},
        }
    )
    study = FabricatedStudy(record, (best, failed), STUDY.histories)
    tree = Tree(page_of(study)).root
    clean = Tree(page_of(STUDY)).root
    assert [one.text for one in tree.all("script")] == [one.text for one in clean.all("script")]
    assert not [name for one in tree.all() for name in one.attributes if name.startswith("on")]
    for name in ("best", "warnings", "trials", "failures", "infeasible", "again"):
        assert EVIL in section(tree, name).text, name
    summary = Tree(study_summary(record, study.trials)).root
    assert list(summary.all("script")) == []
    assert EVIL in summary.text


def test_the_summary_for_a_notebook_is_short_and_holds_its_picture() -> None:
    tree = Tree(study_summary(STUDY.record, STUDY.trials, limit=5)).root
    (table,) = tree.all("table")
    assert len(list(table.all("tr"))) == 6
    assert f"and {len(STUDY.trials) - 5} more" in tree.text
    (image,) = tree.all("img")
    assert (image.attributes["src"] or "").startswith("data:image/png;base64,iVBOR")
