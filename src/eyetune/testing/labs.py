"""Labs that nobody trained: whole records with invented figures, for tests and for looking at
pictures and pages.

Techniques and values are those of the ladder and recipes are real; accuracies are drawn, so that
some are surely better, some surely worse and most neither.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from eyetune.errors import RecipeError
from eyetune.recipe import Recipe
from eyetune.records import RunState, Workspace
from eyetune.records.lab import Effect, Final, Interaction, LabRecord, Skipped, Step, Trained
from eyetune.records.run import DataRecord, Results
from eyetune.techniques import techniques
from eyetune.values.history import Epoch, History
from eyetune.values.network import Layer, Network

BASELINE = 0.68
PARAMETERS, MACS = 167_562, 3_200_000
_DATA = DataRecord(
    "cifar10", "cifar10", "abc", tuple("abcdefghij"), (32, 32, 3), 40_000, 10_000, 10_000
)
_COSTLY = ("model.", "fit.epochs")


def fabricated_lab(
    num_effects: int = 6,
    *,
    seeds: Sequence[int] = (0, 1),
    workspace: Workspace | None = None,
    lab_id: str = "lab-1",
    combine: bool = True,
) -> LabRecord:
    """Make the record of a lab on CIFAR-10.

    Args:
        num_effects: Values of techniques to have tried, up to about 100.
        seeds: Of the comparisons.
        workspace: Where runs with matching histories are recorded; without one the runs' ids lead
            nowhere.
        lab_id: Name of its folder.
        combine: Whether some techniques helped, so that there is a combination.

    Example:
        >>> lab = fabricated_lab(12)
        >>> len(lab.techniques), lab.leaderboard[0].label
        (12, 'combination')
    """
    return _Fabrication(tuple(seeds), workspace).lab(num_effects, lab_id, combine=combine)


class _Fabrication:
    def __init__(self, seeds: tuple[int, ...], workspace: Workspace | None) -> None:
        self._seeds = seeds
        self._workspace = workspace
        self._generator = np.random.default_rng(0)
        self._num_runs = 0

    def lab(self, num_effects: int, lab_id: str, *, combine: bool) -> LabRecord:
        base = Recipe()
        baseline = self._trained("baseline", base, BASELINE)
        effects, skipped = self._effects(base, num_effects, baseline)
        steps = self._steps(effects, baseline) if combine else ()
        kept = [step.effect for step in steps if step.kept]
        combination = None
        if kept:
            last = kept[-1]
            combination = self._effect(
                "combination", "", "combination", last.recipe, baseline, last.validation_accuracy
            )
        best = combination or baseline
        finals = (
            self._final("baseline", base, BASELINE - 0.008),
            self._final(best.label, best.recipe, best.validation_accuracy),
        )
        gain = finals[1].test_accuracy - finals[0].test_accuracy
        return LabRecord(
            id=lab_id,
            created_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
            data="cifar10",
            num_train=40_000,
            num_validation=10_000,
            num_test=10_000,
            seeds=self._seeds,
            epochs=base.fit.epochs,
            workers=2,
            seconds=5025.0,
            baseline=baseline,
            techniques=tuple(effects),
            skipped=tuple(skipped),
            steps=tuple(steps),
            interactions=self._interactions(kept),
            combination=combination,
            final_baseline=finals[0],
            final=finals[1],
            test_difference=gain,
            test_interval=(gain - 0.009, gain + 0.009),
            answer=_answer(effects, combination, finals[1]),
            complete=True,
            versions={"eyetune": "0.1.0", "keras": "3.15.0", "numpy": "2.3.0", "python": "3.13.1"},
        )

    def _effects(
        self, base: Recipe, count: int, baseline: Trained
    ) -> tuple[list[Effect], list[Skipped]]:
        effects: list[Effect] = []
        skipped: list[Skipped] = []
        for technique in (one for one in techniques() if not one.needs and not one.file):
            for value in technique.values:
                if len(effects) == count:
                    return effects, skipped
                try:
                    recipe = technique.apply(base, value)
                except RecipeError as error:
                    skipped.append(Skipped(name=technique.name, value=value, reason=error.what))
                    continue
                if recipe.fingerprint == base.fingerprint:
                    skipped.append(
                        Skipped(
                            name=technique.name,
                            value=value,
                            reason="It is the baseline's own value.",
                        )
                    )
                    continue
                gain = float(self._generator.normal(0.004, 0.02))
                gain = -0.5 if value == 1e-2 else gain  # one that diverged
                label = (
                    f"{technique.name}={str(value).lower() if isinstance(value, bool) else value}"
                )
                effects.append(
                    self._effect(technique.name, value, label, recipe, baseline, BASELINE + gain)
                )
        return effects, skipped

    def _steps(self, effects: Sequence[Effect], baseline: Trained) -> list[Step]:
        before: Trained = baseline
        steps = []
        best = sorted(
            (one for one in effects if one.difference > 0), key=lambda one: -one.difference
        )[:5]
        for place, one in enumerate(best):
            kept = place % 3 != 2
            accuracy = before.validation_accuracy + (
                (0.6 if place else 1.0) * one.difference if kept else -0.002
            )
            recipe = before.recipe.with_(
                {
                    path: new
                    for path, (_, new) in Recipe().difference(one.recipe).items()
                    if path in before.recipe.values() and new is not None
                }
            )
            effect = self._effect(one.name, one.value, one.label, recipe, before, accuracy)
            steps.append(Step(effect=effect, kept=kept))
            before = effect if kept else before
        return steps

    def _interactions(self, kept: Sequence[Effect]) -> tuple[Interaction, ...]:
        pairs = [(first, second) for place, second in enumerate(kept) for first in kept[:place]]
        differences = self._generator.normal(0, 0.008, len(pairs))
        return tuple(
            Interaction(
                first=first.label,
                second=second.label,
                difference=float(value),
                interval=(float(value) - 0.008, float(value) + 0.008),
                finding="no difference that we can be sure of"
                if abs(value) < 0.008
                else _direction(float(value)),
            )
            for (first, second), value in zip(pairs, differences, strict=True)
        )

    def _effect(
        self, name: str, value: object, label: str, recipe: Recipe, before: Trained, accuracy: float
    ) -> Effect:
        trained = self._trained(label, recipe, accuracy)
        difference = trained.validation_accuracy - before.validation_accuracy
        p_value = min(1.0, 2 * math.exp(-((abs(difference) / 0.0055) ** 2)))
        return Effect(
            **dict(trained),
            name=name,
            value=value,
            difference=difference,
            interval=(difference - 0.009, difference + 0.009),
            p_value=p_value,
            finding=_direction(difference)
            if p_value < 0.05
            else "no difference that we can be sure of",
            at_equal_epochs=difference - 0.001,
            at_equal_seconds=difference - 0.004,
        )

    def _trained(self, label: str, recipe: Recipe, accuracy: float) -> Trained:
        cost = self._cost(recipe)
        runs = tuple(self._run(recipe, seed, accuracy, cost) for seed in self._seeds)
        return Trained(
            label=label,
            recipe=recipe,
            runs=runs,
            validation_accuracy=accuracy,
            seed_deviation=0.004 if len(self._seeds) > 1 else None,
            seconds=75.0 * cost * recipe.fit.epochs / 10,
            parameters=round(PARAMETERS * cost),
            macs=round(MACS * cost),
        )

    def _final(self, label: str, recipe: Recipe, accuracy: float) -> Final:
        cost = self._cost(recipe)
        accuracies = tuple(accuracy + 0.002 * place for place, _ in enumerate(self._seeds))
        return Final(
            label=label,
            recipe=recipe.with_(data__train_on_validation=True),
            runs=tuple(self._run(recipe, seed, accuracy, cost) for seed in self._seeds),
            test_accuracies=accuracies,
            test_accuracy=float(np.mean(accuracies)),
            test_deviation=float(np.std(accuracies, ddof=1)) if len(accuracies) > 1 else None,
            seconds=95.0 * cost,
            parameters=round(PARAMETERS * cost),
            macs=round(MACS * cost),
        )

    def _cost(self, recipe: Recipe) -> float:
        """Return how much more than the baseline a network costs: the same for equal networks."""
        changed = [path for path in Recipe().difference(recipe) if path.startswith("model.")]
        return (
            1.0
            if not changed
            else float(np.exp(np.random.default_rng(len(str(recipe.model))).normal(0, 0.6)))
        )

    def _run(self, recipe: Recipe, seed: int, accuracy: float, cost: float) -> str:
        self._num_runs += 1
        if self._workspace is None:
            return f"{self._num_runs:08x}"
        layer = Layer(
            "dense",
            "Dense",
            "softmax",
            (10,),
            round(PARAMETERS * cost),
            round(MACS * cost),
            10,
        )
        network = Network((32, 32, 3), (layer,), layer.parameters)
        record = self._workspace.runs.create(
            recipe=recipe, data=_DATA, network=network, seed=seed, precision="float32"
        )
        for epoch in fabricated_history(recipe.fit.epochs, accuracy, seconds=7.5 * cost, seed=seed):
            self._workspace.runs.save_epochs(record.id, [epoch])
        self._workspace.runs.set_state(
            record.id, RunState.COMPLETE, results=Results(recipe.fit.epochs, 1.0, accuracy)
        )
        return record.id


def fabricated_history(
    num_epochs: int, accuracy: float, *, seconds: float = 1.0, seed: int = 0
) -> History:
    """Make epochs that rise to an accuracy.

    Example:
        >>> [round(epoch.val_accuracy, 2) for epoch in fabricated_history(3, 0.7)]
        [0.5, 0.65, 0.7]
    """
    generator = np.random.default_rng(seed)
    epochs = []
    for number in range(1, num_epochs + 1):
        share = (1 - math.exp(-3.0 * number / num_epochs)) / (1 - math.exp(-3.0))
        noise = 0.0 if number == num_epochs else float(generator.normal(0, 0.006))
        reached = 0.1 + (accuracy - 0.1) * share + noise
        epochs.append(
            Epoch(
                number,
                2.3 - 1.9 * share,
                reached + 0.05,
                2.3 - 1.5 * share,
                reached,
                0.001,
                seconds,
                5000.0,
            )
        )
    return tuple(epochs)


def _direction(difference: float) -> str:
    return "better" if difference > 0 else "worse"


def _answer(effects: Sequence[Effect], combination: Effect | None, final: Final) -> str:
    if not effects or combination is None:
        return "No technique was surely better than the baseline. The baseline stays."
    best = max(effects, key=lambda one: one.difference)
    return (
        f"The best single technique was {best.label}, {100 * best.difference:+.1f} points of validation accuracy. "
        f"The best combination reached {combination.validation_accuracy:.1%} on validation and "
        f"{final.test_accuracy:.1%} on test."
    )
