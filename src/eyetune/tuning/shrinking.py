"""Chooses how many channels a smaller network has, so that it meets limits and loses little.

Channels are removed a few at a time from the group where that costs least: the importance of the
removed channels, divided by what they contribute to the costs that are too high. Then those that no
limit forbids are restored. Nothing is trained here.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from eyetune.device.boards.profiles import Board
from eyetune.device.estimate.arena import alive_bytes
from eyetune.device.estimate.esp_nn import with_scratch
from eyetune.errors import UsageError
from eyetune.models.channels import Channels, Floats, channels_of
from eyetune.recipe import Recipe
from eyetune.recipe.channels import ChannelGroup, channel_groups, with_channels
from eyetune.records.study import Constraint
from eyetune.training.prepared_network import costs_on, obstacles_in
from eyetune.tuning.objectives import violations

if TYPE_CHECKING:
    import keras

    from eyetune.device.estimate.footprint import Footprint

MAX_CUT = 0.3  # of each cost that is too high, in one step: what is left still works
_PORTION = 16  # a group loses a sixteenth of its channels at a time
# The arena is the largest sum of tensors in use. A norm of these sums also falls if one of several
# equally large sums does.
_ARENA_NORM = 8.0
_ARENA, _FLASH = "arena_bytes", "flash_bytes"
_TIMES = {"latency_ms", "fps"}
_MAX_CONVERSIONS = 5  # until the converted network meets the limits


@dataclass(frozen=True)
class Candidate:
    """A network that may be trained.

    Attributes:
        recipe: Its recipe.
        network: It, with random weights.
        channels: Its channels.
        costs: Its costs by name, those on the board if there is one.
        loads: What falls with each channel that contributes to a cost, by the name of the cost.
        obstacles: Why no board can run it, or why it cannot be judged, as sentences.
    """

    recipe: Recipe
    network: keras.Model
    channels: Channels
    costs: Mapping[str, float]
    loads: Mapping[str, float]
    obstacles: tuple[str, ...]


@dataclass(frozen=True)
class Shapes:
    """What networks are built for.

    Attributes:
        image_shape: Height and width in pixels, and channels.
        num_classes: Number of classes.
        board: The board that costs are for; None for any.
    """

    image_shape: tuple[int, int, int]
    num_classes: int
    board: Board | None = None

    def candidate(self, recipe: Recipe) -> Candidate:
        """Return the network of a recipe with its costs; one that was just built is kept."""
        return _candidate(recipe, self)

    def measured_costs(
        self, candidate: Candidate, limits: Sequence[Constraint]
    ) -> Mapping[str, float]:
        """Return the costs; if limits name a size, those of the network after a conversion to int8.

        The time depends on the arena, too: whether it lies in internal RAM.
        """
        if not {limit.name for limit in limits} & {_FLASH, _ARENA}:
            return candidate.costs
        from eyetune.device.export.measured_footprint import measured_footprint

        needed = measured_footprint(candidate.network)
        sizes = {_FLASH: needed.flash_bytes, _ARENA: needed.arena_bytes}
        return {**candidate.costs, **sizes, **(costs_on(self.board, needed) if self.board else {})}


@lru_cache(maxsize=64)
def _candidate(recipe: Recipe, shapes: Shapes) -> Candidate:
    from eyetune.device.estimate.footprint import footprint
    from eyetune.models.build import build

    network = build(recipe.model, shapes.image_shape, shapes.num_classes)
    needed = footprint(network)
    costs: dict[str, float] = {
        "parameters": needed.parameters,
        "trainable_parameters": sum(math.prod(v.shape) for v in network.trainable_variables),
        "macs": needed.macs,
        "multiply_adds": needed.macs,
        _FLASH: needed.flash_bytes,
        _ARENA: needed.arena_bytes,
    }
    if shapes.board is not None:
        costs |= costs_on(shapes.board, needed)
    loads = {**costs, _ARENA: _arena_load(needed, shapes.board)}
    if "fps" in costs:
        loads["fps"] = costs["latency_ms"]
    obstacles = obstacles_in(needed)
    return Candidate(recipe, network, channels_of(network), costs, loads, obstacles)


def _arena_load(needed: Footprint, board: Board | None) -> float:
    graph = with_scratch(needed.graph, board.kernel_versions) if board else needed.graph
    powers = (float(size) ** _ARENA_NORM for size in alive_bytes(graph))
    return float(math.fsum(powers) ** (1 / _ARENA_NORM)) + needed.tail_bytes


def num_steps(candidate: Candidate, limits: Sequence[Constraint]) -> int:
    """Return in how many steps a network reaches limits if none removes too much; 0 if it has.

    Example:
        >>> from eyetune.tuning.objectives import read_constraint
        >>> resnet8 = Shapes((32, 32, 3), 10).candidate(Recipe().with_({"model": "resnet8"}))
        >>> limits = [read_constraint(text) for text in ("macs < 20M", "macs < 6M", "macs < 1.5M")]
        >>> [num_steps(resnet8, [limit]) for limit in limits]
        [0, 3, 6]
    """
    ratios = [_ratio(limit, candidate.costs) for limit, _ in violations(limits, candidate.costs)]
    return max((math.ceil(math.log(ratio) / -math.log(1 - MAX_CUT)) for ratio in ratios), default=0)


def _ratio(limit: Constraint, costs: Mapping[str, float]) -> float:
    """Return how many times too high a cost is, above 1."""
    cost = costs[limit.name]
    ratio = cost / limit.limit if limit.is_upper else limit.limit / cost
    return max(ratio, 1 + 1e-9)


def step_limits(
    candidate: Candidate, limits: Sequence[Constraint], steps_left: int
) -> tuple[Constraint, ...]:
    """Return limits for the next of several steps, each of which divides costs by the same.

    Args:
        candidate: The network before the step.
        limits: The limits after the last step.
        steps_left: Number of steps, this one included.
    """
    if steps_left == 1:
        return tuple(limits)
    result = []
    for limit in limits:
        cost = candidate.costs[limit.name]
        is_violated = limit.excess(cost) > 0
        between = cost * (limit.limit / cost) ** (1 / steps_left) if is_violated else limit.limit
        result.append(limit.model_copy(update={"limit": between}))
    return tuple(result)


def smaller(
    candidate: Candidate,
    importance: Mapping[int, Floats],
    limits: Sequence[Constraint],
    shapes: Shapes,
) -> Candidate:
    """Return a network with fewer channels that meets limits.

    Args:
        candidate: The trained network, with `model.width` 1.
        importance: Importance of each of its channels, by group.
        limits: The limits.
        shapes: What it is built for.

    Raises:
        UsageError: No number of channels is small enough.
    """
    losses = {group: _sums(values) for group, values in importance.items()}
    image_channels = shapes.image_shape[-1]
    original = channel_groups(candidate.recipe.model, image_channels)
    current = candidate
    queue = [(0.0, index) for index in range(len(original))]  # in the order of their prices
    while violated := violations(limits, current.costs):
        names = [limit.name for limit, _ in violated]
        while queue:
            _, index = heapq.heappop(queue)
            proposed = _fewer(current.recipe, index, original[index], image_channels)
            if proposed is None:  # the group is as small as it can be
                continue
            narrower = shapes.candidate(proposed)
            price = _price(current, narrower, names, losses)
            # Prices rise as channels become rare. If this one is still the lowest, it is taken.
            heapq.heappush(queue, (price, index))
            if queue[0][1] == index:
                current = narrower
                break
        else:
            raise _too_small(violated, current)
    return _restored(current, original, losses, limits, shapes)


def _restored(
    current: Candidate,
    original: Sequence[ChannelGroup],
    losses: Mapping[int, Sequence[float]],
    limits: Sequence[Constraint],
    shapes: Shapes,
) -> Candidate:
    """Return the network with channels restored where limits allow it, the most important first.

    The arena is the largest of many sums, so removing channels of one group may save nothing before
    another group has lost some, too. And on the ESP32-S3, 60 channels can need more memory than 64.
    """
    image_channels = shapes.image_shape[-1]

    def wider(index: int, narrow: Candidate) -> Candidate | None:
        more = _more(narrow.recipe, index, original[index], image_channels)
        proposed = shapes.candidate(more) if more else None
        return proposed if proposed and not violations(limits, proposed.costs) else None

    everywhere = list(range(len(original)))
    tried = everywhere
    while True:
        restored = {index: after for index in tried if (after := wider(index, current))}
        if not restored and tried == everywhere:
            return current
        by_importance = sorted(
            restored, key=lambda index: _lost(current, restored[index], losses)
        )  # what is restored is lost less than nothing
        for index in by_importance:
            current = wider(index, current) or current
        tried = list(restored) or everywhere


def smaller_when_converted(
    candidate: Candidate,
    importance: Mapping[int, Floats],
    limits: Sequence[Constraint],
    shapes: Shapes,
) -> tuple[Candidate, Mapping[str, float]]:
    """Return a network that meets limits after its conversion to int8, and its costs then.

    The computed sizes are off by up to a few percent. Where the converted network exceeds a limit,
    channels are chosen again for a limit that is tighter by as much. Where only the arena of the
    converted network needs the board's external RAM, which is slower, the arena gets a limit.

    Args:
        candidate: The same as for `smaller`.
        importance: The same.
        limits: The limits.
        shapes: What it is built for.

    Raises:
        UsageError: No number of channels is small enough.
        BoardError: The network cannot be converted.
    """
    chosen_by, in_internal_ram = list(limits), list[Constraint]()
    for _ in range(_MAX_CONVERSIONS):
        result = smaller(candidate, importance, [*chosen_by, *in_internal_ram], shapes)
        costs = shapes.measured_costs(result, limits)
        exceeded = {limit.name for limit, _ in violations(limits, costs)}
        if not exceeded:
            return result, costs
        internal_bytes = shapes.board.arena_bytes if shapes.board else math.inf
        if result.costs[_ARENA] <= internal_bytes < costs[_ARENA] and exceeded & _TIMES:
            limit = internal_bytes * result.costs[_ARENA] / costs[_ARENA]
            in_internal_ram = [Constraint(name=_ARENA, sign="<=", limit=limit)]
            exceeded -= _TIMES
        chosen_by = [
            chosen.model_copy(
                update={"limit": result.costs[limit.name] * limit.limit / costs[limit.name]}
            )
            if limit.name in exceeded
            else chosen
            for chosen, limit in zip(chosen_by, limits, strict=True)
        ]
    missed, _ = violations(limits, costs)[0]
    raise UsageError(
        f"The converted network does not meet {missed.text}, although it does as computed.",
        expected=missed.text,
        received=f"{costs[missed.name]:,.10g} after the conversion",
        fix="Relax the limit slightly.",
    )


def check_reachable(candidate: Candidate, limits: Sequence[Constraint], shapes: Shapes) -> None:
    """Refuse limits that a network cannot meet with a channel in each layer.

    Raises:
        UsageError: No number of channels is small enough.
    """
    recipe, image_channels = candidate.recipe, shapes.image_shape[-1]
    for group in channel_groups(recipe.model, image_channels):
        counts = range(1, group.count)
        recipe = _with_first_possible(recipe, group, counts, image_channels) or recipe
    smallest = shapes.candidate(recipe)
    violated = violations(limits, smallest.costs)
    if violated:
        raise _too_small(violated, smallest)


def _fewer(
    recipe: Recipe, index: int, original: ChannelGroup, image_channels: int
) -> Recipe | None:
    """Return a recipe with a portion fewer channels in one group; None if it has too few."""
    group = channel_groups(recipe.model, image_channels)[index]
    first = max(group.count - _portion(original), min(1, group.count - 1))
    return _with_first_possible(recipe, group, range(first, 0, -1), image_channels)


def _more(recipe: Recipe, index: int, original: ChannelGroup, image_channels: int) -> Recipe | None:
    """Return a recipe with a portion more channels in one group; None if it has all of them."""
    group = channel_groups(recipe.model, image_channels)[index]
    if group.count == original.count:
        return None
    first = min(group.count + _portion(original), original.count)
    return _with_first_possible(recipe, group, range(first, original.count + 1), image_channels)


def _portion(original: ChannelGroup) -> int:
    return max(1, original.count // _PORTION)


def _with_first_possible(
    recipe: Recipe, group: ChannelGroup, counts: Iterable[int], image_channels: int
) -> Recipe | None:
    """Return a recipe with the first number of channels that keeps its layers, if any does."""
    changed = (with_channels(recipe, group, count, image_channels) for count in counts)
    return next((recipe for recipe in changed if recipe is not None), None)


def _price(
    before: Candidate, after: Candidate, names: Sequence[str], losses: Mapping[int, Sequence[float]]
) -> float:
    """Return the importance of the channels that a change removes, for what it saves."""
    saved = sum(math.log(before.loads[name] / after.loads[name]) for name in names)
    return _lost(before, after, losses) / saved if saved > 0 else math.inf


def _lost(before: Candidate, after: Candidate, losses: Mapping[int, Sequence[float]]) -> float:
    """Return the importance of the channels that a change removes."""
    return sum(
        losses[group][len(losses[group]) - 1 - size]
        - losses[group][len(losses[group]) - 1 - before.channels.sizes[group]]
        for group, size in after.channels.sizes.items()
    )


def _sums(importance: Floats) -> list[float]:
    """Return the importance of the least important channels together, for 0 to all of them."""
    sums = [0.0]
    for value in sorted(map(float, importance)):
        sums.append(sums[-1] + value)
    return sums


def _too_small(violated: Sequence[tuple[Constraint, float]], smallest: Candidate) -> UsageError:
    limit, _ = violated[0]
    fix = "Relax the limit, or train a network with fewer blocks and shrink that."
    if limit.name == _ARENA:
        fix = "Relax the limit, or train with smaller images or an earlier stride and shrink that."
    return UsageError(
        f"No number of channels meets {limit.text}.",
        expected=f"a limit that this network can reach with a channel in each layer ({limit.name})",
        received=f"{smallest.costs[limit.name]:,.10g} with as few channels as possible",
        fix=fix,
    )
