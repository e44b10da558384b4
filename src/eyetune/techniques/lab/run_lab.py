"""The lab: which technique, which combination gives the best result, and how sure can we be?

A baseline; each technique's values, one change at a time; the winners stacked greedily; each pair
of the stack by itself; then the best recipe, and the baseline beside it, on training and validation
images together, and only then on test, once. Everything that is trained is a run like any other:
what is recorded already is not trained again, so a lab that was killed goes on where it stopped.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import combinations, count

import numpy as np

from eyetune._files import LockedError, acquire_lock
from eyetune.analysis.comparison import CONFIDENCE, compare, holm, interaction
from eyetune.errors import RecipeError, RunBusyError, TrainingError, WorkspaceError
from eyetune.recipe import Recipe
from eyetune.records import Workspace
from eyetune.records.lab import Effect, Interaction, LabRecord, Skipped, Step
from eyetune.records.run import require_results
from eyetune.report.progress.training_progress import WorkersDisplay
from eyetune.techniques.lab.findings import Findings, Result, candidate, effect_of, record
from eyetune.techniques.lab.plan import Choice, LabPlan
from eyetune.tuning.executors import LocalExecutor
from eyetune.tuning.runner import Done, Plan, Runner

SHARE_OF_SINGLES = 0.5  # of a limited time, for the techniques by themselves
MAX_ADDITIONS = 12  # winners that the combination tries to stack: each costs a training
MAX_SECOND_CHANCES = 6  # of what did not help alone
MAX_PAIRED = 6  # parts of the combination that are tried in pairs: 15 pairs
KEPT_FROM = (
    0.9  # how likely an addition must be to help: by what is merely lucky the stack would get worse
)


@dataclass(frozen=True)
class _Part:
    """A choice that the combination keeps, and what it changed when it was added."""

    choice: Choice
    changed: dict[str, object]


@dataclass
class _LabRun:
    """A lab under way."""

    plan: LabPlan
    runner: Runner
    workspace: Workspace
    display: WorkersDisplay
    started_at: float = field(default_factory=time.monotonic)
    skipped: list[Skipped] = field(default_factory=list)
    longest_seconds: float = 0.0
    trained: set[str] = field(default_factory=set)

    def train(
        self, recipes: Sequence[tuple[str, Recipe]], *, share: float | None = 1.0
    ) -> list[Result | str]:
        """Train recipes with every seed; in place of one that has no result stands why.

        Args:
            recipes: With what to call them.
            share: Of the time that may have passed when a training begins (None: it begins in any
                case).
        """
        seeds = self.plan.seeds
        plans = [Plan(label, recipe, seed) for label, recipe in recipes for seed in seeds]
        done = iter(
            self.runner.train(plans, may_start=lambda: self._has_time(share), on_done=self.on_done)
        )
        self.trained |= {recipe.fingerprint for _, recipe in recipes}
        results: list[Result | str] = []
        for label, recipe in recipes:
            group = [next(done) for _ in seeds]
            reason = next((one.reason for one in group if one.reason), "")
            runs = tuple(one.run for one in group if one.run is not None)
            results.append(
                reason
                or Result(label, recipe, runs, candidate(label, self.workspace, runs, "validation"))
            )
        return results

    def knows(self, recipe: Recipe) -> bool:
        """Tell whether a recipe has been trained before, with every seed."""
        return self.runner.knows([Plan("", recipe, seed) for seed in self.plan.seeds])

    def skip(self, choice: Choice, reason: str) -> None:
        """List a choice that is not tried."""
        self.skipped.append(Skipped(name=choice.technique.name, value=choice.value, reason=reason))

    def seconds_left(self, share: float = 1.0) -> float:
        """Return how long the lab may still take until so large a share of its time has passed."""
        if self.plan.seconds is None:
            return math.inf
        return share * self.plan.seconds - (time.monotonic() - self.started_at)

    def on_done(self, done: Done) -> None:
        """Remember how long a training took, from which follows how long others will."""
        if done.run is not None:
            self.longest_seconds = max(self.longest_seconds, done.run.duration_seconds)

    def _has_time(self, share: float | None) -> bool:
        """Tell whether one more training leaves time for the last ones, whose test results all is
        for.
        """
        if share is None:
            return True
        last = math.ceil(2 / self.plan.workers) * self.longest_seconds
        return self.seconds_left(share) > self.longest_seconds + last


def run_lab(plan: LabPlan, workspace: Workspace, display: WorkersDisplay) -> LabRecord:
    """Do a lab from wherever it stands and return its record.

    Raises:
        RunBusyError: Another lab is at work in the workspace.
        TrainingError: The baseline cannot be trained.
    """
    workspace.prepare()
    with _alone(workspace), LocalExecutor(plan.workers) as executor:
        lab = _LabRun(
            plan, Runner(workspace, executor, display, lab_id=plan.id), workspace, display
        )
        baseline, tried = _try_each(lab)
        effects = _effects(baseline, tried)
        steps, parts, best = _stack(lab, baseline, effects)
        last_baseline, last = _finals(lab, baseline, best)
        # The exam comes before the pairs, which change nothing in it: they take what time is left.
        pairs = _pairs(lab, baseline, {choice.label: result for choice, result in tried}, parts)
        found = Findings(
            baseline=baseline,
            techniques=tuple(effect for _, effect in effects),
            skipped=tuple(lab.skipped),
            steps=tuple(steps),
            interactions=tuple(pairs),
            best=best,
            last_baseline=last_baseline,
            last=last,
            seconds=time.monotonic() - lab.started_at,
        )
        return record(plan, found)


@contextmanager
def _alone(workspace: Workspace) -> Iterator[None]:
    try:
        lock = acquire_lock(workspace.folder / "lab.lock")
    except LockedError:
        raise RunBusyError(
            f"Another lab is at work in {workspace.folder}.",
            fix="Wait for it to end, or name another workspace with --workspace.",
        ) from None
    except OSError as error:
        raise WorkspaceError(
            f"The workspace {workspace.folder} cannot be written.",
            received=error.strerror or error,
            fix="Check the folder's permissions, or name another one with --workspace.",
        ) from None
    with lock:
        yield


def _try_each(lab: _LabRun) -> tuple[Result, list[tuple[Choice, Result]]]:
    """Train the baseline and each choice by itself."""
    plan = lab.plan
    recipes: list[tuple[Choice, Recipe]] = []
    for choice in plan.choices:
        try:
            recipe = choice.apply(plan.baseline)
        except RecipeError as error:
            lab.skip(choice, error.what)
            continue
        reason = _cannot_be_compared(recipe, plan.baseline)
        if reason:
            lab.skip(choice, reason)
        else:
            recipes.append((choice, recipe))
    lab.display.note(
        f"The baseline and {len(recipes)} changes of it, one at a time, seeds {_words(plan.seeds)}"
    )
    named = [(choice.label, recipe) for choice, recipe in recipes]
    start = [("baseline", plan.baseline)]
    if plan.seconds is None:
        baseline, *others = lab.train([*start, *named])
    else:  # by itself first: from it follows how much there is time for
        (baseline,) = lab.train(start, share=None)
        others = lab.train(named, share=SHARE_OF_SINGLES)
    if isinstance(baseline, str):
        raise TrainingError(
            "The lab's baseline has no result.", received=baseline, fix="Try it: eyetune train"
        )
    tried = []
    for (choice, _), result in zip(recipes, others, strict=True):
        if isinstance(result, str):
            lab.skip(choice, result)
        else:
            tried.append((choice, result))
    return baseline, tried


def _cannot_be_compared(recipe: Recipe, baseline: Recipe) -> str:
    if recipe.data != baseline.data:
        return "it changes the images, so nothing could be compared"
    return (
        "it is what the baseline does already" if recipe.fingerprint == baseline.fingerprint else ""
    )


def _words(seeds: Sequence[int]) -> str:
    return ", ".join(map(str, seeds))


def _effects(
    baseline: Result, tried: Sequence[tuple[Choice, Result]]
) -> list[tuple[Choice, Effect]]:
    if not tried:
        return []
    differences = compare(baseline.candidate, [result.candidate for _, result in tried])
    return [
        (choice, effect_of(choice.technique.name, choice.value, result, difference))
        for (choice, result), difference in zip(tried, differences, strict=True)
    ]


def _additions(
    baseline: Result, effects: Sequence[tuple[Choice, Effect]]
) -> tuple[list[Choice], list[Choice]]:
    """Return the best value of each technique in as many epochs: those that did better, the best
    first, and others.
    """
    best: dict[str, tuple[Choice, Effect]] = {}
    for choice, effect in sorted(effects, key=lambda one: -one[1].difference):
        if effect.recipe.fit.total_epochs == baseline.recipe.fit.total_epochs:
            best.setdefault(effect.name, (choice, effect))
    winners = [choice for choice, effect in best.values() if effect.difference > 0]
    others = [choice for choice, effect in best.values() if effect.difference <= 0]
    return winners[:MAX_ADDITIONS], others[:MAX_SECOND_CHANCES]


def _stack(
    lab: _LabRun, baseline: Result, effects: Sequence[tuple[Choice, Effect]]
) -> tuple[list[Step], list[_Part], Result]:
    """Add winners one after another, and keep each addition only where it helps what was kept
    before it.

    What did not help alone gets a second chance on top: a larger network, for one, often pays only
    once something keeps it from learning by heart.
    """
    winners, others = _additions(baseline, effects)
    if winners:
        names = ", ".join(choice.label for choice in winners)
        lab.display.note(f"Stacking what helped, the best first: {names}")
    steps: list[Step] = []
    parts: list[_Part] = []
    current = baseline
    for choice in (*winners, *others):
        if choice in others and not parts:
            break  # on top of the baseline it has been tried
        added = _added(lab, current.recipe, parts, choice)
        if added is None:
            continue
        label = " + ".join([*(part.choice.label for part in parts), choice.label])
        # An addition has to wait for the one before it: meanwhile other workers train pairs.
        fillers = [] if lab.knows(added) else _fillers(lab, parts)
        result, *_ = lab.train([(label, added), *fillers])
        if isinstance(result, str):
            lab.skip(choice, f"stacked: {result}")
            continue
        (difference,) = compare(current.candidate, [result.candidate])
        kept = difference.chance_of_better >= KEPT_FROM
        steps.append(
            Step(
                effect=effect_of(choice.technique.name, choice.value, result, difference), kept=kept
            )
        )
        if kept:
            parts.append(_Part(choice, _changes(current.recipe, added)))
            current = result
    return steps, parts, current


def _fillers(lab: _LabRun, parts: Sequence[_Part]) -> list[tuple[str, Recipe]]:
    """Return the pairs that will be asked for at the end and that workers without work can train
    meanwhile.
    """
    if lab.plan.workers <= len(lab.plan.seeds):
        return []
    return [
        (label, recipe)
        for label, recipe, _ in _pair_recipes(lab, parts)
        if recipe.fingerprint not in lab.trained
    ]


def _pair_recipes(
    lab: _LabRun, parts: Sequence[_Part]
) -> Iterator[tuple[str, Recipe, tuple[Choice, Choice]]]:
    for one, other in combinations([part.choice for part in parts[:MAX_PAIRED]], 2):
        try:
            recipe = other.apply(one.apply(lab.plan.baseline))
        except RecipeError:
            continue  # only the parts between them make the two go together
        yield f"{one.label} + {other.label}", recipe, (one, other)


def _added(lab: _LabRun, recipe: Recipe, parts: Sequence[_Part], choice: Choice) -> Recipe | None:
    """Return the recipe with a choice added; None where that changes nothing, or undoes a part that
    was kept.
    """
    try:
        added = choice.apply(recipe)
    except RecipeError as error:
        lab.skip(choice, f"stacked: {error.what}")
        return None
    values = added.values()
    undone = next(
        (
            part
            for part in parts
            if any(values.get(path) != new for path, new in part.changed.items())
        ),
        None,
    )
    if undone is not None:
        lab.skip(choice, f"stacked: it would undo {undone.choice.label}")
        return None
    return None if added.fingerprint == recipe.fingerprint else added


def _changes(before: Recipe, after: Recipe) -> dict[str, object]:
    return {path: new for path, (_, new) in before.difference(after).items()}


def _pairs(
    lab: _LabRun, baseline: Result, alone: dict[str, Result], parts: Sequence[_Part]
) -> list[Interaction]:
    """Train each pair of the combination's parts by itself, and see whether they are worth more
    together.
    """
    pairs = list(_pair_recipes(lab, parts))
    if pairs:
        lab.display.note(f"How {len(pairs)} pair(s) of what was kept get on")
    results = lab.train([(label, recipe) for label, recipe, _ in pairs])
    trained = []
    for (label, _, (one, other)), both in zip(pairs, results, strict=True):
        if isinstance(both, str):
            lab.skipped.append(Skipped(name="pair", value=label, reason=both))
            continue
        quartet = (baseline, alone[one.label], alone[other.label], both)
        trained.append((one, other, interaction(*(result.candidate for result in quartet))))
    corrected = holm([found.p_value for _, _, found in trained])
    return [
        Interaction(
            first=one.label,
            second=other.label,
            difference=found.difference,
            interval=found.interval,
            p_value=p_value,
            finding=_finding(found.difference, p_value),
        )
        for (one, other, found), p_value in zip(trained, corrected, strict=True)
    ]


def _finding(difference: float, p_value: float) -> str:
    if p_value >= 1 - CONFIDENCE:
        return "not sure"
    return "they help each other" if difference > 0 else "in part they do the same"


def _finals(lab: _LabRun, baseline: Result, best: Result) -> tuple[Result, Result]:
    """Train the baseline and the best recipe on training and validation images, and try them on
    test.
    """
    lab.display.note(
        "Every choice is made: the baseline and the best on training and validation images, then test"
    )
    sides = {"baseline": baseline} if best is baseline else {"baseline": baseline, "best": best}
    recipes = {name: _last(result) for name, result in sides.items()}
    plans = [
        Plan(f"{name}, for test", recipe, seed, ("validation", "test"))
        for seed in range(lab.plan.final_seeds)
        for name, recipe in recipes.items()
    ]
    begun = count()
    done = lab.runner.train(
        plans,
        may_start=lambda: (
            next(begun) < len(recipes) or lab.seconds_left() > 1.3 * lab.longest_seconds
        ),
        on_done=lab.on_done,
    )
    rounds = [done[start : start + len(recipes)] for start in range(0, len(done), len(recipes))]
    whole = [
        one for one in rounds if not any(side.reason for side in one)
    ]  # both are compared seed by seed
    if not whole:
        raise TrainingError(
            "None of the last trainings has a result.",
            received="; ".join(side.reason for one in rounds for side in one if side.reason),
            fix="All before them is recorded: do the lab again with more --final-seeds, or with a calmer baseline.",
        )
    last = []
    for (name, result), group in zip(sides.items(), zip(*whole, strict=True), strict=True):
        runs = tuple(side.run for side in group if side.run is not None)
        last.append(
            Result(
                result.label,
                recipes[name],
                runs,
                candidate(result.label, lab.workspace, runs, "test"),
            )
        )
    return last[0], last[-1]


def _last(result: Result) -> Recipe:
    """Return a recipe for the last training, in which nothing validates: it ends when it was best
    before.
    """
    recipe = result.recipe.with_({"data.train_on_validation": True})
    if not recipe.fit.early_stopping:
        return recipe
    epochs = round(float(np.mean([require_results(run).kept_epoch for run in result.runs])))
    least = math.floor(recipe.optimizer.warmup_epochs) + 1
    return recipe.with_({"fit.early_stopping": 0, "fit.epochs": max(epochs, least)})
