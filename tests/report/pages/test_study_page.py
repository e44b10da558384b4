"""The page of a study: its order, its figures, and that no user's text becomes markup."""

from __future__ import annotations

import re
from typing import get_args

import pytest

from eyetune.analysis.ranking import rank_trials
from eyetune.analysis.study_summary import summary_sentences, warnings
from eyetune.analysis.trial_results import metric_text
from eyetune.recipe import Recipe
from eyetune.recipe.edits import parse_edits
from eyetune.records.study import Budget, Objective, SamplerName, SchedulerSettings, StudyState
from eyetune.records.trial import InfeasibleReason, Rung, TrialState
from eyetune.report.pages.study_method import SAMPLERS, budget_text, method
from eyetune.report.pages.study_page import (
    HEADINGS,
    commands,
    study_page,
    study_summary,
)
from eyetune.space.hyperparameters import Choice, Range
from eyetune.space.space import Space
from eyetune.testing.studies import (
    ACCURACY,
    LIMIT,
    PARAMETERS,
    FabricatedStudy,
    fabricated_space,
    fabricated_study,
)
from eyetune.values.int8_accuracy import Int8Accuracy
from tests.report.pages.test_lab_page import EVIL, SHOWN, Element, Tree, rows, section

STUDY = fabricated_study(60, failing=0.15, infeasible=0.1)
SEVERAL = fabricated_study(40, objectives=(ACCURACY, PARAMETERS))


def page_of(study: FabricatedStudy) -> str:
    importances = {
        name: 0.5 / place for place, name in enumerate(study.record.space.names, start=1)
    }
    sentences = warnings(study.record, study.trials)
    return study_page(
        study.record, study.trials, study.histories, study.starts, importances, sentences
    )


@pytest.fixture(scope="module")
def page() -> str:
    return page_of(STUDY)


@pytest.fixture(scope="module")
def tree(page: str) -> Element:
    return Tree(page).root


def test_study_page_starts_with_the_result(tree: Element) -> None:
    expected = [name for name in HEADINGS if name not in ("front", "timeline", "executions")]
    assert [one.attributes["id"] for one in tree.all("h2")] == expected
    links = [one.attributes["href"] for nav in tree.all("nav") for one in nav.all("a")]
    assert links == [f"#{name}" for name in expected]
    before = tree.text.partition(HEADINGS["best"])[0]
    for text in summary_sentences(STUDY.record, STUDY.trials):
        assert text in before
    shown = section(tree, "warnings").text
    for text in warnings(STUDY.record, STUDY.trials):
        assert text in shown


def test_study_page_needs_no_other_file(tree: Element, page: str) -> None:
    for element in tree.all():
        for name, value in element.attributes.items():
            assert not re.search(r"//|url\((?!#)", value or ""), (element.tag, name, value)
    assert not {"link", "iframe", "object", "embed", "base"} & {one.tag for one in tree.all()}
    ids = [one.attributes["id"] for one in tree.all() if "id" in one.attributes]
    assert len(ids) == len(set(ids))
    assert len(list(tree.all("svg"))) == 5
    assert len(page.encode()) < 1_000_000


def test_study_with_a_final_training_shows_its_timeline() -> None:
    tree = Tree(page_of(fabricated_study(8, failing=0, final_training=True))).root
    (shown,) = [one for one in tree.all("h2") if one.attributes["id"] == "timeline"]
    assert shown.text == HEADINGS["timeline"]
    assert len(list(section(tree, "timeline").all("svg"))) == 1


def test_best_hyperparameters_say_where_they_are_at_an_end(
    tree: Element,
) -> None:
    best = rank_trials((ACCURACY,), STUDY.trials)[0]
    shown = {row[0]: row[1:] for row in rows(tree, "best")}
    assert list(shown) == list(best.values)
    assert shown["conv_layers"] == ["3", "1 to 3", "the highest", "25%"]
    assert shown["units"][2] == ""


def test_best_hyperparameters_of_few_trials_name_no_end() -> None:
    study = fabricated_study(4, failing=0)
    best = rank_trials((ACCURACY,), study.trials)[0]
    assert study.record.space.on_the_edge(best.all_values)
    tree = Tree(page_of(study)).root
    assert {row[3] for row in rows(tree, "best")} == {""}


def test_page_describes_every_sampler() -> None:
    assert set(SAMPLERS) == set(get_args(SamplerName))


def test_table_of_trials_is_ranked_and_sortable(tree: Element) -> None:
    shown = rows(tree, "trials")
    assert len(shown) == len(STUDY.trials)
    order = rank_trials((ACCURACY,), STUDY.trials)
    assert [row[0] for row in shown[: len(order)]] == [str(one.number) for one in order]
    values = [trial.objectives[0] for trial in order if trial.objectives is not None]
    expected = [metric_text("val_accuracy", value) for value in values]
    assert [row[1] for row in shown[: len(order)]] == expected
    (table,) = section(tree, "trials").all("table")
    assert "sortable" in (table.attributes["class"] or "")
    headings = [one.text for one in table.all("th")]
    keys = [[cell.attributes["data-key"] for cell in row.all("td")] for row in table.all("tr")][1:]
    column = headings.index("learning_rate")
    assert [float(row[column] or "") for row in keys[: len(order)]] == [
        one.values["learning_rate"] for one in order
    ]
    column = headings.index("filters_2")
    shallow = [row for row in shown if row[headings.index("conv_layers")] == "1"]
    assert shallow
    assert {row[column] for row in shallow} == {""}


def test_failures_are_folded_and_infeasible_reasons_counted(tree: Element) -> None:
    failed = [one for one in STUDY.trials if one.state is TrialState.FAILED]
    details = list(section(tree, "failures").all("details"))
    assert len(details) == len(failed) > 0
    for shown, one in zip(details, failed, strict=True):
        assert f"Trial {one.number}: ValueError" in next(shown.all("summary")).text
        assert one.error in next(shown.all("pre")).text
        assert "open" not in shown.attributes
    count = sum(one.state is TrialState.INFEASIBLE for one in STUDY.trials)
    ((reason, shown_count),) = rows(tree, "infeasible")
    assert reason.startswith(str(LIMIT))
    assert shown_count == str(count)


def test_method_and_commands_follow_the_study(tree: Element) -> None:
    searched = section(tree, "method").text
    for text in (
        "val_accuracy",
        "TPE",
        "Hyperband",
        "parameters < 400,000",
        "2 workers",
        "60 trials",
    ):
        assert text in searched
    best = rank_trials((ACCURACY,), STUDY.trials)[0]
    again = section(tree, "again").text
    for text in (
        "eyetune tune --resume --name first --trials 120",
        f"eyetune train {best.run}",
        STUDY.record.versions["keras"],
    ):
        assert text in again
    paused = STUDY.record.model_copy(update={"state": StudyState.PAUSED, "name": "my study; rm"})
    assert commands(paused, [])[0] == "eyetune tune --resume --name 'my study; rm'"


def test_study_with_a_final_training_continues_with_more_time() -> None:
    study = fabricated_study(8, failing=0, final_training=True)
    final = study.trials[-1]
    assert final.is_final
    lines = commands(study.record, study.trials)
    assert lines[0] == "eyetune tune --resume --name first --time 7200s"
    assert lines[-1] == f"eyetune train {final.run} --set fit.seconds=7200"
    assert f"trial {final.number}" in method(study.record, study.trials)[-1]


def test_best_recipe_with_stages_is_trained_without_early_stopping() -> None:
    recipe = Recipe().with_({"fit.quantize": "int8"})
    settings = STUDY.record.settings.model_copy(update={"recipe": recipe})
    record = STUDY.record.model_copy(update={"settings": settings})
    edits = parse_edits([commands(record, STUDY.trials)[-1].partition("--set ")[2]])
    assert recipe.with_(edits).fit.keep_best
    assert commands(STUDY.record, STUDY.trials)[-1].endswith("--set fit.early_stopping=5")


@pytest.mark.parametrize("schedule", ["full", "halving", "hyperband", "median"])
@pytest.mark.parametrize(
    "sampler", ["random", "grid", "quasi-random", "tpe", "gp", "cma-es", "nsga2"]
)
def test_method_describes_every_sampler_and_scheduler(schedule: str, sampler: str) -> None:
    changes = {
        "sampler": sampler,
        "schedule": SchedulerSettings.model_validate({"name": schedule}),
        "board": "esp-eye",
    }
    record = STUDY.record.model_copy(
        update={"settings": STUDY.record.settings.model_copy(update=changes)}
    )
    text = " ".join(method(record, STUDY.trials))
    assert "10 epochs" in text
    assert "esp-eye" in text


def test_budget_text_names_every_limit() -> None:
    for budget, text in (
        (Budget(trials=1, seconds=1800, target=0.8), "1 trial or 30 min or val_accuracy 80.00%"),
        (Budget(epochs=1000), "1,000 epochs"),
    ):
        settings = STUDY.record.settings.model_copy(update={"budget": budget})
        assert budget_text(STUDY.record.model_copy(update={"settings": settings})) == text


def test_several_objectives_have_a_front_in_bold() -> None:
    tree = Tree(page_of(SEVERAL)).root
    assert len(list(section(tree, "front").all("svg"))) == 1
    (table,) = section(tree, "trials").all("table")
    bold = [row for row in table.all("tr") if row.attributes.get("class") == "combination"]
    assert len(bold) > 1
    headings = [heading.text for heading in table.all("th")]
    assert headings[1:3] == ["val_accuracy", "parameters"]
    assert headings.count("parameters") == 1


def test_long_names_may_break_in_the_headings() -> None:
    name = "model.blocks.0.filters_of_the_first_convolution"
    space = Space.make([Range(name=name, low=8, high=64, whole=True)])
    tree = Tree(page_of(fabricated_study(6, space=space))).root
    (table,) = section(tree, "trials").all("table")
    (heading,) = (cell for cell in table.all("th") if cell.text == name)
    assert len(list(heading.all("wbr"))) >= 5
    (style,) = tree.all("style")
    (rule,) = re.findall(r"^th \{([^}]*)\}", style.text, flags=re.MULTILINE)
    assert "overflow-wrap: break-word" in rule  # a name without separators breaks too


def test_wide_space_is_one_column() -> None:
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
def test_study_without_a_result_has_no_pictures(study: FabricatedStudy) -> None:
    tree = Tree(page_of(study)).root
    assert list(tree.all("svg")) == []
    assert summary_sentences(study.record, study.trials)[0] in tree.text
    assert {"curve", "best"} & {one.attributes["id"] for one in tree.all("h2")} == set()
    assert list(Tree(study_summary(study.record, study.trials, ())).root.all("img")) == []


def test_study_page_escapes_what_users_wrote() -> None:
    space = Space.make([Choice(name=EVIL, values=(EVIL, "b", "c"), ordered=True)])
    best = STUDY.trials[1].with_(values={EVIL: EVIL}, more_values={f"late {EVIL}": EVIL}, number=0)
    failed = STUDY.trials[0].with_(
        number=1,
        state=TrialState.FAILED,
        error=f"{EVIL}\n{EVIL}",
        values={EVIL: "b"},
        rungs=(),
        infeasible_reasons=(InfeasibleReason(rule=EVIL, text=EVIL),),
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
        assert SHOWN in section(tree, name).text, name
    summary = Tree(study_summary(record, study.trials, (EVIL,))).root
    assert list(summary.all("script")) == []
    assert SHOWN in summary.text


def test_study_summary_is_short_and_holds_a_picture() -> None:
    tree = Tree(study_summary(STUDY.record, STUDY.trials, (), limit=5)).root
    (table,) = tree.all("table")
    assert len(list(table.all("tr"))) == 6
    assert f"and {len(STUDY.trials) - 5} more" in tree.text
    (image,) = tree.all("img")
    assert (image.attributes["src"] or "").startswith("data:image/png;base64,iVBOR")


def test_study_page_explains_estimates() -> None:
    """The time on a board and the accuracy of int8 networks stand with their uncertainty."""
    objectives = (
        Objective(name="int8_accuracy", direction="max"),
        Objective(name="latency_ms", direction="min"),
    )
    rung = Rung(epochs=3, values=(0.8, 200.0), int8=Int8Accuracy(1600, 2000, "Micro 1.0"))
    costs = {"latency_ms": 200.0, "latency_error_ms": 70.0, "fps": 5.0}
    trials = [
        trial.with_(rungs=(rung,), network=costs, state=TrialState.COMPLETE)
        for trial in STUDY.trials[:3]
    ]
    settings = STUDY.record.settings.model_copy(update={"objectives": objectives})
    record = STUDY.record.model_copy(update={"settings": settings})
    text = study_page(record, trials, {}, {}, {}, ())
    assert "80.00% (78.2 to 81.7)" in text
    assert "200 ± 70 ms" in text
    paragraphs = " ".join(method(record, trials))
    for part in ("predicted, ± 35%", "2,000 validation images", "Micro 1.0", "95% interval"):
        assert part in paragraphs, part


def test_page_lists_the_executions_of_the_best_trials() -> None:
    study = fabricated_study(6, failing=0, executions=3, final_training=True)
    tree = Tree(page_of(study)).root
    listed = rows(tree, "executions")
    searched = [trial for trial in study.trials if not trial.is_final]
    assert len(listed) == 3 * len(searched)
    assert {(cells[0], cells[1]) for cells in listed} == {
        (str(trial.number), str(seed)) for trial in searched for seed in range(3)
    }
    assert "3 times, with the seeds 0 to 2" in section(tree, "method").text
