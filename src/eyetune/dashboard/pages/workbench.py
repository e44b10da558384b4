"""The workbench: knobs of a recipe, the network that it makes, and its training, live."""

from __future__ import annotations

import asyncio
from functools import partial

from nicegui import ui

from eyetune.dashboard.board_table import show_boards
from eyetune.dashboard.inspector import augmented_images, network_of
from eyetune.dashboard.layout import Heading, Text, facts, page, route
from eyetune.dashboard.pages.workbench_editor import RecipeEditor
from eyetune.dashboard.pages.workbench_training import TrainingPanel
from eyetune.dashboard.services import Services
from eyetune.errors import EyetuneError
from eyetune.recipe import Recipe
from eyetune.values.display import one_line

SETTLED_SECONDS = 0.6  # after the last turn of a knob, before the network is built again


def register(services: Services) -> None:
    """Register the page."""
    live = services.live

    @route("/workbench")
    async def workbench_page(start: str = "") -> None:
        recipe = Recipe().with_({"data.source": "digits"})
        if start:
            try:
                record = await asyncio.to_thread(live.workspace.runs.find, start)
                recipe = record.recipe
            except EyetuneError as error:
                ui.notify(error.message, type="warning")
        with page("Workbench", "/workbench"):
            Heading("Workbench", 1)
            _Workbench(services, recipe).show()


class _Workbench:
    """The page, for one client."""

    def __init__(self, services: Services, recipe: Recipe) -> None:
        self._inspector = services.inspector
        self._editor = RecipeEditor(recipe, self._recipe_changed)
        self._training = TrainingPanel(services, lambda: self._editor.recipe)
        self._recipe = recipe  # whose network is shown, or will be shown soon
        self._problem = ""  # why the network cannot be built

    def show(self) -> None:
        """Build the page."""
        self._timers = ui.element("div")  # what shows the knobs is cleared, with its timers
        with ui.grid().classes("w-full grid-cols-1 lg:grid-cols-2 gap-6"):
            with ui.column().classes("w-full"):
                self._editor.show()
            with ui.column().classes("w-full"):
                Heading("Network")
                self._network = ui.column().classes("w-full").props('aria-live="polite"')
                with self._network:
                    Text("Loading Keras, to build the network ...").classes("soft")
                    ui.spinner()
                self._preview = ui.column().classes("w-full")
                Heading("Train")
                self._training.show()
        ui.timer(0, self._describe, once=True)  # once a browser shows the page

    def _recipe_changed(self) -> None:
        """Allow or refuse the training, and describe a new network once the knobs are at rest."""
        if self._editor.recipe is not self._recipe:
            self._recipe = self._editor.recipe
            with self._timers:
                ui.timer(SETTLED_SECONDS, partial(self._settle, self._recipe), once=True)
        self._allow_training()

    def _allow_training(self) -> None:
        """Allow the training, unless a value is refused or the network cannot be built."""
        self._training.set_problem(" ".join(filter(None, (self._editor.refusals, self._problem))))

    async def _settle(self, recipe: Recipe) -> None:
        """Describe the network of a recipe, unless it has changed again."""
        if recipe is self._recipe:
            await self._describe()

    async def _describe(self) -> None:
        """Show what the network needs, and what augmentation does to images."""
        recipe = self._recipe
        problem, picture = "", ""
        try:
            needs = await self._inspector.ask(network_of, recipe)
            if recipe.augments_images:
                picture = await self._inspector.ask(augmented_images, recipe)
        except EyetuneError as error:
            problem = one_line(f"{error.message} {error.fix or ''}")
        if recipe is not self._recipe:
            return  # a knob was turned meanwhile
        self._problem = problem
        self._network.clear()
        self._preview.clear()
        self._allow_training()
        if problem:
            with self._network:
                Text("This network cannot be built: the reason is beside the button below.")
            return
        with self._network:
            facts(
                {
                    "parameters": f"{needs['parameters']:,}",
                    "MACs": f"{needs['macs']:,}",
                    "model file": f"{needs['flash_bytes']:,} bytes",
                }
            )
            with ui.element("div").classes("w-full overflow-auto").props('tabindex="0"'):
                diagram = ui.image(needs["diagram"]).style("min-width: 48rem")
                diagram.props('alt="the network, layer by layer" no-spinner no-transition')
            show_boards(needs["boards"])
        if picture:
            with self._preview:
                Text("Augmented images; the first of each row is unchanged.").classes("soft")
                ui.image(picture).props('alt="augmented images" no-spinner no-transition').classes(
                    "max-w-xl"
                )
