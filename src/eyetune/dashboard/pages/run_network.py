"""The network of a run: its layers, a diagram, and what it has learned."""

from __future__ import annotations

import asyncio

from nicegui import events, ui

from eyetune.api.run import Run
from eyetune.dashboard.inspector import explanation_of
from eyetune.dashboard.layout import Heading, Text, described, plain_table
from eyetune.dashboard.pictures import png_url
from eyetune.dashboard.services import Services
from eyetune.errors import EyetuneError
from eyetune.records import RunRecord

_TITLES = {
    "filters": "Filters of the first convolution",
    "feature-maps": "Activations of each layer for the image",
    "heatmaps": "Where the network looks (Grad-CAM)",
    "confusions": "Classes that are confused most",
    "activity": "Dead units, and zero or saturated outputs",
}


class Explanation:
    """What the network has learned: filters, activations of an image, Grad-CAM, dead units.

    Args:
        services: What the pages share.
        record: A complete run on images.
    """

    def __init__(self, services: Services, record: RunRecord) -> None:
        self._services, self._record = services, record
        Heading("What the network has learned")
        with ui.row().classes("items-center gap-4"):
            last = max(0, record.data.num_validation - 1)
            self._number = ui.number(
                f"Validation image, 0 to {last:,}", value=0, min=0, max=last, precision=0
            ).classes("w-56")
            self._button = ui.button("Explain", on_click=self._explain)
            self._button.props("outline color=accent")
        self._shown = ui.column().classes("w-full").props('aria-live="polite"')

    async def _explain(self) -> None:
        self._button.set_enabled(False)
        self._shown.clear()
        with self._shown:
            ui.spinner()
        folder, number = self._services.live.workspace.folder, int(self._number.value or 0)
        try:
            explained = await self._services.inspector.ask(
                explanation_of, folder, self._record.id, number
            )
        except EyetuneError as error:
            explained = {"sentences": [error.message], "pictures": {}}
        finally:
            self._button.set_enabled(True)
        self._shown.clear()
        with self._shown:
            for sentence in explained["sentences"]:
                Text(sentence).classes("q-my-xs")
            for name, picture in explained["pictures"].items():
                Heading(_TITLES[name], 3)
                with ui.element("div").classes("w-full overflow-auto").props('tabindex="0"'):
                    image = ui.image(picture).style("max-width: 64rem; min-width: 30rem")
                    described(image.props("no-spinner no-transition"), _TITLES[name], "alt")


def show_network(opened: Run) -> None:
    """Show the layers of a run's network, and a diagram of them."""
    record = opened.record
    Heading("Network")
    _Diagram(opened)
    rows = [
        [
            layer.name,
            layer.kind,
            layer.settings,
            " x ".join(map(str, layer.output_shape)),
            f"{layer.parameters:,}",
            f"{layer.macs:,}",
        ]
        for layer in record.network.layers
    ]
    header = ["layer", "kind", "settings", "output", "parameters", "MACs"]
    with ui.expansion(f"{len(rows)} layers", icon="layers").classes("w-full"):
        plain_table(header, rows, label="layers of the network")


class _Diagram:
    """The network, layer by layer; drawn when someone wants to see it."""

    def __init__(self, opened: Run) -> None:
        self._run = opened
        expansion = ui.expansion("Diagram", icon="account_tree", on_value_change=self._draw)
        with expansion.classes("w-full"):
            self._holder = ui.element("div").classes("w-full overflow-auto").props('tabindex="0"')

    async def _draw(self, event: events.ValueChangeEventArguments[bool]) -> None:
        if not event.value or self._holder.default_slot.children:
            return
        content = await asyncio.to_thread(lambda: self._run.plot_network()._repr_png_())
        with self._holder:
            image = ui.image(png_url(content)).style("min-width: 40rem")
            image.props('alt="the network, layer by layer" no-spinner no-transition')
