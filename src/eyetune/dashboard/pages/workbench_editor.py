"""The editor of a recipe in the workbench: its data, techniques, knobs and layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from nicegui import ui
from nicegui.elements.mixins.validation_element import ValidationElement

from eyetune.dashboard.knobs import KNOBS, OF_BLOCKS, Knob, knob, layer_meanings
from eyetune.dashboard.layout import Text, described, folded
from eyetune.data.load import KNOWN_SOURCES
from eyetune.errors import EyetuneError, RecipeError
from eyetune.recipe import Recipe
from eyetune.techniques import techniques
from eyetune.techniques.registry import Technique
from eyetune.values.display import one_line

CLOSED_GROUP = "Augmentation"  # of knobs, until it is opened


class RecipeEditor:
    """Knobs, for one client: their state is a recipe, which each turn of a knob replaces.

    Args:
        recipe: The first recipe.
        on_change: Called after every change, also to a value that the recipe refuses.
    """

    def __init__(self, recipe: Recipe, on_change: Callable[[], None]) -> None:
        self._recipe = recipe
        self._on_change = on_change
        self._refused: dict[str, tuple[Any, str]] = {}  # by path: the value, and why
        self._inputs: dict[str, Any] = {}  # the elements of the knobs, by path

    @property
    def recipe(self) -> Recipe:
        """The recipe, without the values that it refuses."""
        return self._recipe

    @property
    def refusals(self) -> str:
        """Why the values of some knobs are refused; empty if all are accepted."""
        return " ".join(text for _, text in self._refused.values())

    def show(self) -> None:
        """Show the data, the techniques and the knobs."""
        self._show_source()
        self._show_knobs()

    def _show_source(self) -> None:
        source = ui.input(
            "Data: a name or a path",
            value=self._recipe.data.source,
            autocomplete=list(KNOWN_SOURCES),
            on_change=lambda event: self._turn("data.source", event.value or "digits"),
        )
        source.props("debounce=600").classes("w-full")
        with ui.row().classes("w-full items-center gap-2"):
            found = {each.name: each for each in techniques()}
            names = ui.select(list(found), label="Technique", with_input=True).classes("grow")
            values = ui.select([], label="value").classes("w-28")

            def choose(event: Any) -> None:
                chosen = found.get(event.value)
                options = list(chosen.values) if chosen else []
                values.set_options(options, value=options[0] if options else None)
                why.set_text(one_line(chosen.why) if chosen else "")

            names.on_value_change(choose)
            ui.button("Apply", on_click=lambda: self._apply(found.get(names.value), values.value))
        why = Text("").classes("soft q-my-none")

    def _apply(self, technique: Technique | None, value: Any) -> None:
        """Apply a technique of the lab to the recipe."""
        if technique is None:
            ui.notify("Choose a technique first.", type="warning")
            return
        try:
            self._recipe = technique.apply(self._recipe, value)
        except EyetuneError as error:
            ui.notify(one_line(f"{error.message} {error.received or ''}"), type="warning")
            return
        self._show_knobs_again()

    def _show_knobs_again(self) -> None:
        """Show the values of the recipe, none of which is refused."""
        self._refused.clear()
        self._show_knobs.refresh()
        self._show_refusals()
        self._on_change()

    @ui.refreshable_method
    def _show_knobs(self) -> None:
        self._inputs.clear()
        for title, paths in KNOBS.items():
            show = partial(self._show_group, title, paths)
            if title == CLOSED_GROUP:
                folded(title, show)
                continue
            with ui.expansion(title, value=True).classes("w-full"):
                show()

    def _show_group(self, title: str, paths: Sequence[str]) -> None:
        if title == "Network":
            self._show_layers()
        with ui.grid().classes("w-full grid-cols-1 sm:grid-cols-2 gap-x-4"):
            for path in paths:
                self._show_knob(knob(path))
        of_layers = layer_meanings() if title == "Network" else {}
        meanings = of_layers | {each.label: each.description for each in map(knob, paths)}
        folded("What these values mean", lambda: _show_meanings(meanings))

    def _show_knob(self, each: Knob) -> None:
        value = each.value_in(self._recipe)

        def turned(event: Any) -> None:
            if event.value is not None:  # the field is empty while someone types
                self._turn(each.path, event.value, whole=each.kind == "whole number")

        element: Any
        if each.kind == "switch":
            element = ui.switch(each.label, value=value, on_change=turned)
        elif each.kind == "choice":
            element = ui.select(list(each.choices), label=each.label, value=value, on_change=turned)
        else:
            element = ui.number(
                each.label, value=value, min=each.minimum, max=each.maximum, on_change=turned
            ).props("debounce=400")
        if each.description:
            element.tooltip(each.description)
        model = self._recipe.model
        if each.path in OF_BLOCKS and (model.has_backbone or model.has_function):
            element.set_enabled(False)
        self._inputs[each.path] = element

    def _show_layers(self) -> None:
        """Show an editor of the blocks and dense layers."""
        model = self._recipe.model
        if model.has_backbone or model.has_function:
            Text("A pre-trained network, or a function, takes the place of the blocks.")
            return
        for position, block in enumerate(model.blocks):
            with ui.row().classes("items-center gap-2"):
                Text(f"block {position + 1}", "span").classes("text-caption")
                self._number("filters", block.filters, f"model.blocks.{position}.filters")
                self._number(
                    "convolutions", block.convolutions, f"model.blocks.{position}.convolutions"
                )
                self._activation(block.activation, f"model.blocks.{position}.activation")
                self._remove_button("blocks", position, is_last=len(model.blocks) == 1)
        for position, layer in enumerate(model.dense):
            with ui.row().classes("items-center gap-2"):
                Text(f"dense {position + 1}", "span").classes("text-caption")
                self._number("units", layer.units, f"model.dense.{position}.units")
                self._activation(layer.activation, f"model.dense.{position}.activation")
                self._remove_button("dense", position)
        with ui.row():
            for kind, title in (("blocks", "Add a block"), ("dense", "Add a dense layer")):
                button = ui.button(title, icon="add", on_click=lambda _, kind=kind: self._add(kind))
                button.props("flat dense color=accent")

    def _remove_button(self, kind: str, position: int, *, is_last: bool = False) -> None:
        button = ui.button(icon="remove", on_click=lambda: self._cut(kind, position))
        label = f"remove {'block' if kind == 'blocks' else 'dense layer'} {position + 1}"
        described(button.props("flat round dense color=accent"), label)
        button.set_enabled(not is_last)

    def _number(self, label: str, value: int, path: str) -> None:
        def turned(event: Any) -> None:
            if event.value is not None:
                self._turn(path, event.value, whole=True)

        element = ui.number(label, value=value, min=1, on_change=turned)
        self._inputs[path] = element.props("debounce=400").classes("w-20")

    def _activation(self, value: str | None, path: str) -> None:
        as_network = {"": "as the network's"}
        choices = {**as_network, **{name: name for name in knob("model.activation").choices}}
        ui.select(
            choices,
            label="activation",
            value=value or "",
            on_change=lambda event: self._turn(path, event.value or None),
        ).classes("w-36")

    def _add(self, kind: str) -> None:
        parts = [part.model_dump(exclude_unset=True) for part in getattr(self._recipe.model, kind)]
        parts.append(parts[-1] if parts else {"units": 64})
        self._edit_layers(kind, parts)

    def _cut(self, kind: str, position: int) -> None:
        parts = [part.model_dump(exclude_unset=True) for part in getattr(self._recipe.model, kind)]
        del parts[position]
        self._edit_layers(kind, parts)

    def _edit_layers(self, kind: str, parts: list[dict[str, Any]]) -> None:
        """Take other blocks or dense layers, unless the recipe refuses them."""
        try:
            self._recipe = self._recipe.with_({f"model.{kind}": parts})
        except RecipeError as error:
            ui.notify(one_line(error.message), type="warning")
            return
        self._show_knobs_again()

    def _turn(self, path: str, value: Any, *, whole: bool = False) -> None:
        """Change a value of the recipe.

        A value that the recipe refuses is explained beside its knob, and is tried again with the
        next turn of another one: some values exclude each other. Nothing is trained meanwhile.
        """
        base = self._recipe.model.base
        self._refused.pop(path, None)
        waiting = {name: each for name, (each, _) in self._refused.items()}
        try:
            if whole and value != int(value):
                raise RecipeError(f"{path} must be a whole number.", received=value)
            value = int(value) if whole else value
            try:
                self._recipe = self._recipe.with_({**waiting, path: value})
                self._refused.clear()
            except RecipeError:
                self._recipe = self._recipe.with_({path: value})
        except RecipeError as error:
            details = ", ".join(f"{name}: {text}" for name, text in error.details().items())
            self._refused[path] = value, one_line(f"{error.message} {details}")
        if base != self._recipe.model.base:
            self._show_knobs_again()
            return
        self._show_refusals()
        self._on_change()

    def _show_refusals(self) -> None:
        """Show what is refused beside its knob."""
        for path, element in self._inputs.items():
            if isinstance(element, ValidationElement):
                element.error = self._refused[path][1] if path in self._refused else None


def _show_meanings(meanings: Mapping[str, str]) -> None:
    """Show what values mean; the tip of a knob says it only to those who have a mouse."""
    with ui.element("dl").classes("q-my-none"):
        for name, meaning in meanings.items():
            Text(name, "dt").classes("text-weight-medium")
            Text(meaning, "dd").classes("soft q-mb-sm")
