"""Fabricated labs for tests, and for looking at pictures and pages.

The predictions of all networks are drawn instead of trained. Everything else is the product's: the
techniques and their recipes, the stages of the lab, the comparisons and the record.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache

import numpy as np
from numpy.typing import NDArray

from eyetune.analysis.comparison import Candidate
from eyetune.recipe import Recipe
from eyetune.records import RunRecord, RunState, Workspace
from eyetune.records.lab import LabRecord
from eyetune.records.run import DataRecord, Results
from eyetune.techniques.lab.plan import Choice, LabPlan, choose
from eyetune.techniques.lab.run_lab import run_stages
from eyetune.techniques.lab.trainer import LabTrainer, NoResult, RecipeResult
from eyetune.values.history import Epoch, History
from eyetune.values.network import Layer, Network

BASELINE_ACCURACY = 0.68
TEST_GAP = 0.008  # difference between validation and test accuracy
DIVERGED_GAIN = -0.5  # of a learning rate that is too large
PARAMETERS, MACS = 167_562, 3_200_000
SECONDS_PER_EPOCH = 7.5
FINAL_SEEDS = 2
DATA = DataRecord(
    "cifar10", "cifar10", "abc", tuple("abcdefghij"), (32, 32, 3), 4_000, 1_000, 2_000
)
_CREATED_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
_LAB_SECONDS = 5025.0
_SEED_SPREAD = 0.25  # of an image's difficulty between runs; its spread over images is 1
_MAX_GAIN = 0.12
_SALT = "5"  # chosen so that a few changes help, a few hurt and some help together


def fabricated_lab(
    num_effects: int = 6,
    *,
    seeds: Sequence[int] = (0, 1),
    workspace: Workspace | None = None,
    lab_id: str = "lab-1",
    combine: bool = True,
    techniques: Sequence[str] = (),
) -> LabRecord:
    """Return the record of a lab on CIFAR-10, the same one for the same arguments.

    Args:
        num_effects: Number of values of techniques that have a result, up to about 100.
        seeds: Seeds of the comparisons.
        workspace: Where runs with matching histories are recorded. Default: None, and the runs
            exist in the record only.
        lab_id: The lab's id.
        combine: Whether techniques help. If not, there is no combination.
        techniques: What to try, as for `eyetune lab`, instead of the first techniques that have a
            result.

    Example:
        >>> lab = fabricated_lab(12)
        >>> len(lab.techniques), lab.winner is lab.combination
        (12, True)
    """
    if workspace is None:
        record = _cached_lab(num_effects, tuple(seeds), combine, tuple(techniques))
    else:
        record = _lab(num_effects, tuple(seeds), combine, tuple(techniques), workspace, lab_id)
    return record.model_copy(update={"id": lab_id})


@cache
def _cached_lab(
    num_effects: int, seeds: tuple[int, ...], combine: bool, techniques: tuple[str, ...]
) -> LabRecord:
    return _lab(num_effects, seeds, combine, techniques, None, "")


def _lab(
    num_effects: int,
    seeds: tuple[int, ...],
    combine: bool,
    techniques: tuple[str, ...],
    workspace: Workspace | None,
    lab_id: str,
) -> LabRecord:
    choices = choose(techniques) if techniques else _first_choices(num_effects)
    plan = LabPlan(
        Recipe(), DATA.fingerprint, choices, seeds=seeds, final_seeds=FINAL_SEEDS, workers=2
    )
    record = run_stages(plan, _FabricatedTrainer(plan, workspace, lab_id, helps=combine))
    return record.model_copy(update={"created_at": _CREATED_AT, "seconds": _LAB_SECONDS})


def _first_choices(num_effects: int) -> tuple[Choice, ...]:
    """Return the first values of the catalog's techniques, then their second values, and so on.

    Args:
        num_effects: Number of choices that differ from the baseline; others are added.
    """
    baseline = Recipe()
    catalog = choose()
    ranks = [choice.technique.values.index(choice.value) for choice in catalog]
    chosen: set[Choice] = set()
    num_compared = 0
    for _, choice in sorted(zip(ranks, catalog, strict=True), key=lambda pair: pair[0]):
        if num_compared == num_effects:
            break
        chosen.add(choice)
        if choice.apply(baseline).fingerprint != baseline.fingerprint:
            num_compared += 1
    return tuple(choice for choice in catalog if choice in chosen)


class _FabricatedTrainer(LabTrainer):
    """Draws the predictions of each recipe. The same recipe and seed give the same ones."""

    def __init__(
        self, plan: LabPlan, workspace: Workspace | None, lab_id: str, *, helps: bool
    ) -> None:
        self._plan = plan
        self._workspace = workspace
        self._lab_id = lab_id
        self._helps = helps
        self._tried: set[str] = set()
        self._runs: dict[tuple[str, int], RunRecord] = {}  # by fingerprint and seed

    @property
    def seconds(self) -> float:
        return _LAB_SECONDS

    def train(
        self,
        recipes: Sequence[tuple[str, Recipe]],
        *,
        time_share: float | None = 1.0,  # noqa: ARG002  fabricated labs have no time limit
    ) -> list[RecipeResult | NoResult]:
        self._tried |= {recipe.fingerprint for _, recipe in recipes}
        num_images = DATA.num_validation
        return [
            self._result(label, recipe, self._plan.seeds, num_images) for label, recipe in recipes
        ]

    def train_final(
        self, recipes: Sequence[tuple[str, Recipe]], *, extra_seeds: int = 0
    ) -> list[RecipeResult]:
        seeds = tuple(range(self._plan.final_seeds + extra_seeds))
        num_images = DATA.num_test
        return [
            self._result(label, recipe, seeds, num_images, gain=-TEST_GAP)
            for label, recipe in recipes
        ]

    def has_tried(self, recipe: Recipe) -> bool:
        return recipe.fingerprint in self._tried

    def is_recorded(self, recipe: Recipe) -> bool:  # noqa: ARG002
        return False

    def note(self, message: str) -> None:
        pass

    def _result(
        self,
        label: str,
        recipe: Recipe,
        seeds: Sequence[int],
        num_images: int,
        *,
        gain: float = 0.0,
    ) -> RecipeResult:
        accuracy = BASELINE_ACCURACY + gain + recipe_gain(recipe, helps=self._helps)
        network = fabricated_network(recipe)
        cost = network.parameters / PARAMETERS
        histories = [
            fabricated_history(
                recipe.fit.total_epochs, accuracy, seconds=SECONDS_PER_EPOCH * cost, seed=seed
            )
            for seed in seeds
        ]
        runs = []
        for seed, history in zip(seeds, histories, strict=True):
            key = (recipe.fingerprint, seed)
            if key not in self._runs:  # what is recorded is not trained again
                self._runs[key] = self._run(label, recipe, seed, network, history)
            runs.append(self._runs[key])
        candidate = Candidate(
            label=label,
            right=fabricated_answers(recipe, seeds, accuracy, num_images),
            histories=tuple(histories),
            parameters=network.parameters,
            macs=network.macs,
        )
        return RecipeResult(label, recipe, tuple(runs), candidate)

    def _run(
        self, label: str, recipe: Recipe, seed: int, network: Network, history: History
    ) -> RunRecord:
        last = history[-1]
        results = Results(last.epoch, last.val_loss, last.val_accuracy)
        if self._workspace is None:
            return RunRecord(
                id=f"{len(self._runs) + 1:08x}",
                name=label,
                state=RunState.COMPLETE,
                created_at=_CREATED_AT,
                seed=seed,
                own_recipe=recipe,
                data=DATA,
                network=network,
                precision="float32",
                results=results,
            )
        run = self._workspace.runs.create(
            recipe=recipe,
            data=DATA,
            network=network,
            seed=seed,
            precision="float32",
            name=label,
            lab_id=self._lab_id,
        )
        self._workspace.runs.save_epochs(run.id, history)
        self._workspace.runs.set_state(run.id, RunState.COMPLETE, results=results)
        return self._workspace.runs.get(run.id)


def recipe_gain(recipe: Recipe, *, helps: bool = True) -> float:
    """Return how much better than the default recipe a recipe is, as a share.

    Each changed value has a gain of its own; many gains together are worth less than their sum.

    Args:
        recipe: The recipe.
        helps: Whether gains can be above 0.
    """
    if recipe.optimizer.learning_rate >= 0.01 and recipe.optimizer.name == "adam":
        return DIVERGED_GAIN
    changes = Recipe().difference(recipe)
    changes.pop("data.train_on_validation", None)
    keys = [f"{path}={value}" for path, (_, value) in changes.items()]
    if sum(key.startswith("model.") for key in keys) > 2:  # another network is a single change
        keys = [key for key in keys if not key.startswith("model.")] + [str(recipe.model)]
    gains = []
    for key in keys:
        gain = float(_generator(key).normal(0.008, 0.02))
        gains.append(gain if helps else -abs(gain) - 0.001)
    return _MAX_GAIN * math.tanh(sum(gains) / _MAX_GAIN)


def fabricated_network(recipe: Recipe) -> Network:
    """Return a network whose costs depend on the recipe's model only."""
    changes = [path for path in Recipe().difference(recipe) if path.startswith("model.")]
    factor = math.exp(_generator(str(recipe.model)).normal(0, 0.6)) if changes else 1.0
    parameters, macs = round(PARAMETERS * factor), round(MACS * factor)
    layer = Layer("dense", "Dense", "softmax", (10,), parameters, macs, 10)
    return Network((32, 32, 3), (layer,), parameters)


def fabricated_answers(
    recipe: Recipe, seeds: Sequence[int], accuracy: float, num_images: int
) -> NDArray[np.bool_]:
    """Return whether each image is classified correctly, booleans of shape (seeds, images).

    Images that are difficult are difficult for every recipe, so that answers agree mostly.
    """
    difficulty = np.random.default_rng(num_images).normal(size=num_images)
    rows = []
    for seed in seeds:
        generator = _generator(f"{recipe.fingerprint} {seed}")
        seed_accuracy = float(np.clip(accuracy + generator.normal(0, 0.002), 0.0, 1.0))
        score = difficulty + _SEED_SPREAD * generator.normal(size=num_images)
        num_right = round(seed_accuracy * num_images)
        right = np.zeros(num_images, dtype=bool)
        right[np.argsort(score)[:num_right]] = True
        rows.append(right)
    return np.stack(rows)


def fabricated_history(
    num_epochs: int, accuracy: float, *, seconds: float = 1.0, seed: int = 0
) -> History:
    """Return epochs whose validation accuracy rises to `accuracy`.

    Args:
        num_epochs: Number of epochs, 1 or more.
        accuracy: Validation accuracy of the last epoch, 0 to 1.
        seconds: Duration of each epoch.
        seed: Random seed.

    Example:
        >>> [round(epoch.val_accuracy, 2) for epoch in fabricated_history(3, 0.7)]
        [0.5, 0.65, 0.7]
    """
    generator = np.random.default_rng(seed)
    epochs = []
    for number in range(1, num_epochs + 1):
        share = (1 - math.exp(-3.0 * number / num_epochs)) / (1 - math.exp(-3.0))
        noise = 0.0 if number == num_epochs else float(generator.normal(0, 0.006))
        val_accuracy = 0.1 + (accuracy - 0.1) * share + noise
        epoch = Epoch(
            epoch=number,
            loss=2.3 - 1.9 * share,
            accuracy=val_accuracy + 0.05,
            val_loss=2.3 - 1.5 * share,
            val_accuracy=val_accuracy,
            learning_rate=0.001,
            duration_seconds=seconds,
            images_per_second=5000.0,
        )
        epochs.append(epoch)
    return tuple(epochs)


def _generator(key: str) -> np.random.Generator:
    """Return a random generator that depends on a text only."""
    return np.random.default_rng(zlib.crc32(f"{_SALT} {key}".encode()))
