from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import Rectangle

from eyetune.analysis.ranking import non_dominated_trials, rank_trials
from eyetune.analysis.study_summary import best_so_far, count_states
from eyetune.records.study import Objective
from eyetune.records.trial import Rung, TrialState
from eyetune.report.figures import study_figures
from eyetune.report.figures.picture import Picture, svg_bytes
from eyetune.report.figures.study_axes import Scale, name_lines, short, shown_range
from eyetune.report.figures.study_figures import (
    best_curve,
    importance_bars,
    learning_curves,
    parallel_coordinates,
    pareto_picture,
    slices,
)
from eyetune.report.figures.study_space import MAX_AXES, MAX_LINES
from eyetune.report.figures.study_timeline import MAX_NAMED_ROWS, timeline, training_parts
from eyetune.space.hyperparameters import Choice, Range
from eyetune.space.space import Space
from eyetune.testing.studies import (
    ACCURACY,
    PARAMETERS,
    SECONDS,
    FabricatedStudy,
    fabricated_space,
    fabricated_study,
)
from eyetune.values.numbers import quantity

LOSS = Objective(name="val_loss", direction="min")
LONG_NAME = "a/very/long/name/of_what_somebody/calls_a_hyperparameter"
LONG_NAMES = Space.make(
    [
        *fabricated_space(3).distributions,
        Choice(
            name=LONG_NAME,
            values=("re$lu", "leaky relu " * 4),
        ),
        Choice(name="blocks.0.kind", values=tuple("abcdefghijklmnop")),
        Range(name="fixed", low=3, high=3, whole=True),
        Range(name="momentum", low=0.5, high=0.999, sampling="reverse_log", whole=False),
    ]
)
STUDIES = {
    "none": fabricated_study(0),
    "single": fabricated_study(1, failing=0),
    "three, unfinished": fabricated_study(3, complete=False),
    "typical": fabricated_study(26, failing=0.1, infeasible=0.2),
    "many": fabricated_study(300),
    "failed": fabricated_study(5, failing=1),
    "infeasible": fabricated_study(5, infeasible=1),
    "twelve hyperparameters": fabricated_study(30, space=fabricated_space(12)),
    "long names": fabricated_study(30, space=LONG_NAMES),
    "loss": fabricated_study(30, objectives=(LOSS,)),
    "final training": fabricated_study(8, infeasible=0.2, final_training=True),
    "two objectives": fabricated_study(60, objectives=(ACCURACY, PARAMETERS)),
    "three objectives": fabricated_study(60, objectives=(ACCURACY, PARAMETERS, SECONDS)),
    "fixed": fabricated_study(4, space=Space.make([Choice(name="constant", values=(1,))])),
}
DRAWINGS: dict[str, Callable[[FabricatedStudy], Picture]] = {
    "best": lambda study: best_curve(study.record, study.trials),
    "curves": lambda study: learning_curves(study.record, study.trials, study.histories),
    "parallel": lambda study: parallel_coordinates(study.record, study.trials),
    "slices": lambda study: slices(study.record, study.trials),
    "pareto": lambda study: pareto_picture(study.record, study.trials),
    "timeline": lambda study: timeline(study.record, study.trials, study.histories, study.starts),
}
TYPICAL, MANY = STUDIES["typical"], STUDIES["many"]


def lines(axes: Axes, **style: Any) -> list[Any]:
    return [
        line
        for line in axes.lines
        if all(getattr(line, f"get_{name}")() == value for name, value in style.items())
    ]


def legend(figure: Picture) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


@pytest.mark.parametrize("drawn", DRAWINGS)
@pytest.mark.parametrize("study", STUDIES)
def test_every_study_can_be_drawn(study: str, drawn: str) -> None:
    assert svg_bytes(DRAWINGS[drawn](STUDIES[study])).startswith(b"<?xml")


@pytest.mark.parametrize("drawn", DRAWINGS)
@pytest.mark.parametrize("study", ["none", "failed", "infeasible"])
def test_figures_without_a_result_hold_a_message(study: str, drawn: str) -> None:
    figure = DRAWINGS[drawn](STUDIES[study])
    assert [text.get_text()[:8] for text in figure.texts] == ["No trial"]
    assert not any(axes.has_data() for axes in figure.axes)


@pytest.mark.parametrize("drawn", DRAWINGS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_diverged_training_does_not_compress_the_rest(drawn: str, value: float) -> None:
    trained = [trial for trial in TYPICAL.trials if trial.rungs]
    by_size = sorted(trained, key=lambda trial: trial.network["parameters"])
    # The largest networks: the smallest are on the Pareto front, whatever their accuracy.
    stopped = {"state": TrialState.STOPPED}
    diverged = by_size[-1].with_(rungs=(Rung(epochs=2, values=(value,)),), **stopped)
    far = by_size[-2].with_(rungs=(Rung(epochs=2, values=(-1e9,)),), **stopped)
    changed = {trial.number: trial for trial in (diverged, far)}
    trials = tuple(changed.get(trial.number, trial) for trial in TYPICAL.trials)
    study = FabricatedStudy(TYPICAL.record, trials, TYPICAL.histories, TYPICAL.starts)
    figure = DRAWINGS[drawn](study)
    FigureCanvasAgg(figure).draw()  # type: ignore[no-untyped-call]
    low, high = figure.axes[0].get_ylim()
    assert -0.5 < low < high < 1.5


def test_best_curve_is_a_staircase_over_dots_of_each_state() -> None:
    figure = best_curve(TYPICAL.record, TYPICAL.trials)
    (axes,) = figure.axes
    steps = best_so_far(TYPICAL.record, TYPICAL.trials)
    (staircase,) = lines(axes, drawstyle="steps-post")
    assert list(staircase.get_ydata())[:-1] == [step.best for step in steps]
    assert list(staircase.get_xdata()) == [
        *(step.epochs for step in steps),
        sum(t.epochs for t in TYPICAL.trials),
    ]
    drawn = {
        (x, y)
        for line in lines(axes, linestyle="None")
        for x, y in zip(*line.get_data(), strict=True)
    }
    assert {(step.epochs, step.value) for step in steps} <= drawn
    best = steps[-1].best
    assert [text.get_text().partition(": ")[2] for text in axes.texts] == [f"{best:.2%}"]
    assert legend(figure)[0] == "best so far"
    counted = [
        sum(t.state is state for t in TYPICAL.trials)
        for state in (TrialState.COMPLETE, TrialState.FAILED)
    ]
    assert f"trained to the end ({counted[0]})" in legend(figure)
    assert f"failed ({counted[1]})" in legend(figure)
    assert len(
        {(line.get_marker(), line.get_markerfacecolor()) for line in lines(axes, linestyle="None")}
    ) == len(count_states(TYPICAL.trials))


def test_best_curve_of_a_loss_falls() -> None:
    study = STUDIES["loss"]
    (axes,) = best_curve(study.record, study.trials).axes
    (staircase,) = lines(axes, drawstyle="steps-post")
    assert all(np.diff(staircase.get_ydata()) <= 0)
    assert axes.texts[0].get_verticalalignment() == "top"
    assert "lower is better" in axes.get_ylabel()


def test_learning_curves_mark_the_best_and_the_rungs() -> None:
    figure = learning_curves(MANY.record, MANY.trials, MANY.histories, best=3)
    (axes,) = figure.axes
    order = rank_trials((ACCURACY,), MANY.trials)
    labels = legend(figure)
    assert [label.partition(" (")[0] for label in labels[:3]] == [
        f"trial {trial.number}" for trial in order[:3]
    ]
    assert labels[3] == f"the other {len(MANY.histories) - 3}"
    best = MANY.histories[order[0].run or ""]
    thickest = max(
        axes.lines, key=lambda line: line.get_linewidth() if line.get_linestyle() == "-" else 0
    )
    assert np.asarray(thickest.get_ydata()).tolist() == [epoch.val_accuracy for epoch in best]
    dotted = lines(axes, linestyle=":")
    assert [np.asarray(line.get_xdata())[0] for line in dotted] == [2, 4, 10]
    reached = [
        sum(any(rung.epochs == epochs for rung in t.rungs) for t in MANY.trials)
        for epochs in (2, 4, 10)
    ]
    assert [text.get_text() for text in axes.texts] == [f"{count} reached" for count in reached]
    assert sum(len(bundle.get_paths()) for bundle in axes.collections) == len(MANY.histories) - 3


def test_learning_curves_of_many_trials_are_those_of_the_best(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    order = rank_trials(MANY.record.settings.objectives, MANY.trials)
    monkeypatch.setattr(study_figures, "MAX_CURVES", 10)
    assert study_figures.curve_trials(MANY.record, MANY.trials) == order[:10]
    (axes,) = learning_curves(MANY.record, MANY.trials, MANY.histories, best=3).axes
    (others,) = axes.collections
    assert len(others.get_paths()) == 7


def test_learning_curves_leave_out_runs_without_epochs() -> None:
    assert not any(
        axes.has_data() for axes in learning_curves(TYPICAL.record, TYPICAL.trials, {}).axes
    )
    some = dict(list(TYPICAL.histories.items())[:2])
    assert len(legend(learning_curves(TYPICAL.record, TYPICAL.trials, some))) == 2


def test_learning_curves_use_an_objective_that_is_measured() -> None:
    study = fabricated_study(8, objectives=(PARAMETERS, ACCURACY))
    (axes,) = learning_curves(study.record, study.trials, study.histories).axes
    assert axes.get_ylabel().startswith("validation accuracy")


def test_learning_curves_of_failed_trials_are_drawn() -> None:
    failed = [trial.with_(state=TrialState.FAILED, rungs=()) for trial in TYPICAL.trials]
    (axes,) = learning_curves(TYPICAL.record, failed, TYPICAL.histories).axes
    assert axes.has_data()


def test_learning_curves_of_an_objective_at_the_end_show_the_accuracy() -> None:
    score = Objective(name="my_score", direction="min")
    settings = TYPICAL.record.settings.model_copy(update={"objectives": (score,)})
    record = TYPICAL.record.model_copy(update={"settings": settings})
    histories = {
        run: (*history[:-1], replace(history[-1], others={"my_score": 1.0}))
        for run, history in TYPICAL.histories.items()
    }
    (axes,) = learning_curves(record, TYPICAL.trials, histories).axes
    assert axes.get_ylabel().startswith("validation accuracy")


def test_parallel_coordinates_axes_and_gaps() -> None:
    figure = parallel_coordinates(TYPICAL.record, TYPICAL.trials)
    (axes,) = figure.axes
    texts = [text.get_text() for text in axes.texts]
    for name in TYPICAL.record.space.names:
        assert name_lines(name, 14) in texts
    assert {"relu", "tanh", "gelu", "1e-5", "0.01"} <= set(texts)
    tried = rank_trials((ACCURACY,), TYPICAL.trials)
    bundle, _, best = axes.collections
    assert len(bundle.get_paths()) == len(tried) - 1
    broken = [
        np.count_nonzero(np.asarray(path.codes) == path.MOVETO) > 2
        for path in reversed(bundle.get_paths())
    ]
    assert broken == ["filters_2" not in trial.values for trial in tried[1:]]
    assert any(broken)
    assert best.get_zorder() > bundle.get_zorder()
    scale = Scale(TYPICAL.record.space["learning_rate"])
    position = scale.position(tried[0].values["learning_rate"])
    assert np.asarray(best.get_paths()[0].vertices)[0, 1] == pytest.approx(position)


def test_lines_through_a_category_are_spread_by_rank() -> None:
    (axes,) = parallel_coordinates(MANY.record, MANY.trials).axes
    column = MANY.record.space.names.index("activation")
    bundle = axes.collections[0]
    tried = rank_trials((ACCURACY,), MANY.trials)[1:]
    crossings_by_value: dict[Any, list[float]] = {}
    for path, trial in zip(reversed(bundle.get_paths()), tried, strict=True):
        vertices = np.asarray(path.vertices)
        crossing = float(vertices[vertices[:, 0] == column][-1, 1])
        crossings_by_value.setdefault(trial.values["activation"], []).append(crossing)
    for crossings in crossings_by_value.values():
        assert crossings == sorted(set(crossings), reverse=True)
    ranges = sorted((min(group), max(group)) for group in crossings_by_value.values())
    assert ranges[0][1] < ranges[1][0] < ranges[1][1] < ranges[2][0]


def test_parallel_coordinates_note_what_is_not_drawn() -> None:
    wide = fabricated_study(3, space=fabricated_space(MAX_AXES + 4), failing=0)
    assert (
        legend(parallel_coordinates(wide.record, wide.trials))[-1]
        == "4 more hyperparameters are not drawn"
    )
    long = fabricated_study(MAX_LINES + 100, failing=0, space=fabricated_space(2))
    figure = parallel_coordinates(long.record, long.trials)
    assert legend(figure)[-1] == f"the best {MAX_LINES} of {MAX_LINES + 100} are drawn"
    assert len(figure.axes[0].collections[0].get_paths()) == MAX_LINES - 1


def test_importance_bars_have_the_largest_on_top() -> None:
    (axes,) = importance_bars({"a": 0.1, "b": 0.7, "c": 0.2, "d": math.nan, "e": 0.004}).axes
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["e", "a", "c", "b"]
    assert [bar.get_width() for bar in axes.patches if isinstance(bar, Rectangle)] == [
        0.004,
        0.1,
        0.2,
        0.7,
    ]
    assert [text.get_text() for text in axes.texts] == ["<1%", "10%", "20%", "70%"]
    assert "Too few" in importance_bars({}).texts[0].get_text()


def test_slices_have_a_panel_per_hyperparameter() -> None:
    figure = slices(TYPICAL.record, TYPICAL.trials)
    assert [axes.get_title() for axes in figure.axes] == list(TYPICAL.record.space.names)
    tried = rank_trials((ACCURACY,), TYPICAL.trials)
    for axes, name in zip(figure.axes, TYPICAL.record.space.names, strict=True):
        dots: list[float] = []
        for line in axes.lines:
            if line.get_marker() != "*":
                dots += np.asarray(line.get_ydata()).tolist()
        values = [
            trial.objectives[0] for trial in tried if name in trial.values and trial.objectives
        ]
        assert sorted(dots) == sorted(values)
        ends = [label.get_text() for label in axes.get_xticklabels()]
        hyperparameter = TYPICAL.record.space[name]
        if isinstance(hyperparameter, Choice):
            expected = [short(value) for value in hyperparameter.values]
        else:
            expected = [short(hyperparameter.low), short(hyperparameter.high)]
        assert set(expected) <= set(ends)
        stars = lines(axes, marker="*")
        assert len(stars) == (name in tried[0].values)


def test_constant_hyperparameter_has_no_axis() -> None:
    study = STUDIES["long names"]
    assert "fixed" not in [axes.get_title() for axes in slices(study.record, study.trials).axes]
    assert (
        "nothing that varies"
        in slices(STUDIES["fixed"].record, STUDIES["fixed"].trials).texts[0].get_text()
    )


@pytest.mark.parametrize("name", ["two objectives", "three objectives"])
def test_pareto_front_is_ringed_in_each_pair_of_objectives(name: str) -> None:
    study = STUDIES[name]
    objectives = study.record.settings.objectives
    best = non_dominated_trials(objectives, study.trials)
    figure = pareto_picture(study.record, study.trials)
    pairs = list(combinations(range(len(objectives)), 2))
    assert len(figure.axes) == len(pairs)
    for axes, (up, along) in zip(figure.axes, pairs, strict=True):
        (rings,) = [line for line in axes.lines if line.get_markersize() == 10]
        expected = sorted(
            (trial.objectives[along], trial.objectives[up]) for trial in best if trial.objectives
        )
        x, y = map(np.asarray, rings.get_data())
        assert list(zip(x.tolist(), y.tolist(), strict=True)) == expected
        name_on_axis = objectives[up].name.replace("val_", "validation ").replace("_", " ")
        assert name_on_axis in axes.get_ylabel()
        left, right = axes.get_xlim()
        assert all(left <= x <= right for x, _ in expected)
    assert legend(figure)[0] == f"beaten by none ({len(best)})"


def test_limits_near_the_values_are_drawn() -> None:
    study = STUDIES["two objectives"]
    sizes = [trial.objectives[1] for trial in study.trials if trial.objectives]
    near, far = 1.2 * max(sizes), 100 * max(sizes)
    (axes,) = pareto_picture(study.record, study.trials, {"parameters": near}).axes
    (line,) = lines(axes, gid="limit")
    assert list(line.get_xdata()) == [near, near]
    assert axes.get_xlim()[1] > near
    assert f"at most {quantity(near)}" in axes.get_xlabel()
    (axes,) = pareto_picture(study.record, study.trials, {"parameters": far}).axes
    assert not lines(axes, gid="limit")
    assert axes.get_xlim()[1] < far
    assert f"at most {quantity(far)}" in axes.get_xlabel()


def with_objectives(
    study: FabricatedStudy, objectives: tuple[Objective, ...], values: Mapping[int, Any]
) -> FabricatedStudy:
    """Return a study with other objectives, and with the values of some trials' last rungs."""
    trials = [
        trial.with_(
            rungs=(
                *trial.rungs[:-1],
                trial.rungs[-1].model_copy(update={"values": values[trial.number]}),
            )
        )
        if trial.number in values
        else trial
        for trial in study.trials
    ]
    settings = study.record.settings.model_copy(update={"objectives": objectives})
    return replace(
        study, record=study.record.model_copy(update={"settings": settings}), trials=tuple(trials)
    )


def test_front_shows_times_of_every_magnitude() -> None:
    objectives = (ACCURACY, Objective(name="latency_ms", direction="min"))
    study = fabricated_study(20, objectives=(ACCURACY, PARAMETERS), failing=0)
    times = {trial.number: (0.5 + trial.number / 100, 1.5**trial.number) for trial in study.trials}
    study = with_objectives(study, objectives, times)
    (axes,) = pareto_picture(study.record, study.trials).axes
    left, right = axes.get_xlim()
    assert axes.get_xscale() == "log"
    assert all(left < time < right for _, time in times.values())
    assert "not shown" not in axes.get_xlabel() + axes.get_ylabel()


def test_front_counts_trials_that_are_far_worse() -> None:
    study = fabricated_study(20, objectives=(ACCURACY, PARAMETERS), failing=0)
    values = {trial.number: (0.6 + trial.number / 200, 1000) for trial in study.trials}
    bad = dict.fromkeys((3, 5), (0.1, 2000))
    study = with_objectives(study, (ACCURACY, PARAMETERS), values | bad)
    (axes,) = pareto_picture(study.record, study.trials).axes
    assert axes.get_ylim()[0] > 0
    assert axes.get_ylabel().endswith("(higher is better; 2 far worse trials not shown)")


def test_front_counts_no_trial_in_the_margin_of_its_axes() -> None:
    study = fabricated_study(5, objectives=(ACCURACY, PARAMETERS), failing=0)
    accuracies = (0.80, 0.78, 0.78, 0.721, 0.719)
    assert shown_range(ACCURACY, accuracies) == (0.721, 0.80)
    values = {number: (value, 1000) for number, value in enumerate(accuracies)}
    study = with_objectives(study, (ACCURACY, PARAMETERS), values)
    (axes,) = pareto_picture(study.record, study.trials).axes
    assert axes.get_ylim()[0] < 0.719
    assert axes.get_ylabel().endswith("(higher is better)")


def test_pareto_of_one_objective_uses_the_network_size() -> None:
    (axes,) = pareto_picture(MANY.record, MANY.trials).axes
    assert axes.get_xlabel().startswith("parameters")
    assert axes.get_xscale() == "log"


def test_timeline_has_a_row_for_each_trained_trial() -> None:
    study = STUDIES["final training"]
    figure = timeline(study.record, study.trials, study.histories, study.starts)
    above, below = figure.axes
    assert above.get_ylabel().endswith("(higher is better)")  # first epochs are no trials
    trained = [trial for trial in study.trials if trial.run]
    assert any(trial.state is TrialState.INFEASIBLE for trial in study.trials)
    names = [label.get_text() for label in below.get_yticklabels()]
    assert names == [*(f"trial {trial.number}" for trial in trained[:-1]), "final training"]
    results = [text.get_text() for text in below.texts]
    assert results[:-1] == [f"{trial.rungs[-1].values[0]:.2%}" for trial in trained[:-1]]
    final = study.histories[trained[-1].run or ""]
    assert results[-1] == f"{final[-1].val_accuracy:.2%}, {len(final)} epochs"
    (curve,) = above.lines
    assert np.asarray(curve.get_ydata()).tolist() == [epoch.val_accuracy for epoch in final]
    minutes = np.asarray(curve.get_xdata())
    assert minutes[-1] == pytest.approx(study.record.seconds / 60)
    assert np.diff(minutes) == pytest.approx([epoch.duration_seconds / 60 for epoch in final[1:]])


@pytest.mark.parametrize("name", ["typical", "many", "final training", "three, unfinished"])
def test_timeline_parts_hold_each_epoch_once(name: str) -> None:
    study = STUDIES[name]
    parts = training_parts(study.record, study.trials, study.histories, study.starts)
    for trial in study.trials:
        mine = [part for part in parts if part.trial.number == trial.number]
        epochs = [epoch for part in mine for epoch in part.epochs]
        assert tuple(epochs) == study.histories.get(trial.run or "", ())
        assert all(before.end <= after.start + 1e-6 for before, after in pairwise(mine))
    num_workers = study.record.settings.workers
    assert sum(part.seconds for part in parts) <= num_workers * max(part.end for part in parts)


def test_timeline_leaves_out_an_interruption() -> None:
    study = STUDIES["final training"]
    night = timedelta(hours=8)
    final = study.trials[-1].run or ""
    later = {**study.starts, final: study.starts[final] + night}
    usual = training_parts(study.record, study.trials, study.histories, study.starts)
    moved = training_parts(study.record, study.trials, study.histories, later)
    assert [part.start for part in moved] == pytest.approx([part.start for part in usual])


def test_timeline_of_many_trials_names_none() -> None:
    assert len(MANY.trials) > MAX_NAMED_ROWS
    _, below = timeline(MANY.record, MANY.trials, MANY.histories, MANY.starts).axes
    assert not below.get_yticklabels()
    assert not below.texts


def test_long_study_is_drawn_as_pixels() -> None:
    trials = [trial.with_(number=n) for n, trial in enumerate(MANY.trials * 5)]
    assert len(svg_bytes(best_curve(MANY.record, trials))) < 400_000
    assert len(svg_bytes(learning_curves(MANY.record, trials, MANY.histories))) < 400_000


@pytest.mark.parametrize(
    ("hyperparameter", "value", "position"),
    [
        (Range(name="a", low=1e-4, high=1e-2, sampling="log", whole=False), 1e-3, 0.5),
        (Range(name="a", low=0, high=10, whole=True), 10, 1.0),
        (Range(name="a", low=0.9, high=0.99, sampling="reverse_log", whole=False), 0.99, 1.0),
        (Range(name="a", low=0.9, high=0.99, sampling="reverse_log", whole=False), 0.9, 0.0),
        (Range(name="a", low=4, high=4, whole=True), 4, 0.5),
        (Range(name="a", low=0, high=10, whole=True), 11, None),
        (Choice(name="a", values=("x", "y")), "y", 0.75),
        (Choice(name="a", values=(True, False)), 1, None),
    ],
)
def test_scale_returns_the_position_of_a_value(
    hyperparameter: Choice | Range, value: Any, position: float | None
) -> None:
    expected = None if position is None else pytest.approx(position)
    assert Scale(hyperparameter).position(value) == expected


def test_name_lines_break_after_separators_and_are_cut() -> None:
    assert name_lines("learning_rate", 11) == "learning_\nrate"
    broken = name_lines(LONG_NAME, 13).split("\n")
    assert len(broken) == 3
    assert max(map(len, broken)) <= 14
    assert broken[1].endswith("…")
    assert broken[2].endswith("…")


def test_shown_range_holds_the_best_and_no_outliers() -> None:
    assert shown_range(LOSS, [1.0, 1.1, 1.2, 1e9]) == (1.0, 1.2)
    assert shown_range(ACCURACY, [0.5]) == (0.5, 0.5)


def test_learning_curves_show_a_metric_of_a_train_step() -> None:
    histories = {
        run: tuple(
            replace(
                epoch, loss=None, accuracy=None, val_loss=None, val_accuracy=None, others=others
            )
            for epoch in history
        )
        for run, history in TYPICAL.histories.items()
        for others in ({"twice": 2.0},)
    }
    (axes,) = learning_curves(TYPICAL.record, TYPICAL.trials, histories).axes
    assert axes.has_data()
    without = {
        run: tuple(replace(epoch, others={}) for epoch in history)
        for run, history in histories.items()
    }
    assert not any(
        axes.has_data() for axes in learning_curves(TYPICAL.record, TYPICAL.trials, without).axes
    )
