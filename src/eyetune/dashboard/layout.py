"""The frame of every page, and the small parts that pages share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from nicegui import ui
from nicegui.elements.mixins.text_element import TextElement

from eyetune.dashboard.rows import Row
from eyetune.errors import EyetuneError
from eyetune.values.display import one_line

REFRESH_SECONDS = 1.0
RESPONSE_SECONDS = 30.0  # for a page, on a machine that is busy with trainings
_Element = TypeVar("_Element", bound=ui.element)

SECTIONS = {
    "/workbench": "Workbench",
    "/": "Runs",
    "/studies": "Studies",
    "/labs": "Labs",
    "/data": "Data",
    "/try": "Try it",
}
_STYLE = """
:root { --accent: #1f5fa8; }
.body--dark { --accent: #7fb2ec; }
.nicegui-content { max-width: 1280px; margin: 0 auto; padding: 1rem; }
body { --q-primary: #1f5fa8 !important; }
.body--light { --q-accent: #1f5fa8 !important; }
.body--dark { --q-accent: #7fb2ec !important; --q-negative: #ff8a80 !important; }
.body--light .q-header { background: #17406f; }
.body--dark .q-header { background: #10263f; }
a.plain { color: var(--accent); text-decoration: underline; }
h1 { font-size: 1.7rem; line-height: 1.2; font-weight: 700; margin: 0; overflow-wrap: anywhere; }
h3 { font-size: 1rem; line-height: 1.4; font-weight: 600; margin: 0.4rem 0; }
h2 { font-size: 1.2rem; line-height: 1.3; font-weight: 600; margin: 0.8rem 0 0.2rem; }
.soft { opacity: 0.8; }
pre.code { overflow-x: auto; padding: 0.5rem 0.75rem; margin: 0; border-radius: 4px;
  background: rgba(128, 140, 150, 0.15); font-size: 0.85rem; line-height: 1.45; }
.numbers { font-variant-numeric: tabular-nums; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
"""


class Heading(TextElement):
    """A heading, which screen readers list.

    Args:
        text: Its text.
        level: 1 for the page, 2 for a part of it.
    """

    def __init__(self, text: str, level: int = 2) -> None:
        super().__init__(tag=f"h{level}", text=one_line(text))


def route(path: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return the decorator of a page's function: it builds the page of a path."""
    return ui.page(path, response_timeout=RESPONSE_SECONDS)


@contextmanager
def page(title: str, section: str) -> Iterator[None]:
    """Build a page: its title, the links to all sections, and the main part in the block.

    Args:
        title: The title of the page.
        section: The path of its section.
    """
    ui.page_title(f"{one_line(title)} - eyetune")
    ui.add_css(_STYLE)
    with (
        ui.header().classes("items-center gap-4 q-py-xs"),
        ui.element("nav").classes("row gap-x-4"),
    ):
        for path, name in SECTIONS.items():
            link = ui.link(name, path).classes("text-white text-base q-py-xs")
            if path == section:
                link.props('aria-current="page"').classes("text-bold")
            else:
                link.classes("no-underline")
    # It is inside of the page's main element, which is NiceGUI's.
    main = ui.element("div").classes("w-full column gap-3").props("tabindex=-1")
    ui.skip_link("Skip to the content", target=main)
    with main:
        yield


def error_page(error: Exception) -> None:
    """Show why a page could not be made, for example since the database is damaged."""
    with page("This page cannot be shown", ""):
        Heading("This page cannot be shown", 1)
        if isinstance(error, EyetuneError):
            Text(error.message)
            facts({name: one_line(text) for name, text in error.details().items()})
        else:
            Text(f"Internal error, please report it: {type(error).__name__}: {error}")


def follow(refresh: Callable[[], Awaitable[None]], *, active: bool = True) -> ui.timer:
    """Call a function every second that shows what is new; an error ends it, and is shown once.

    Args:
        refresh: Reads the records, and shows what has changed.
        active: Whether to begin at once.
    """
    message = Text("").classes("text-negative").props("role=alert")
    message.set_visibility(False)

    async def refresh_or_say_why_not() -> None:
        try:
            await refresh()
        except EyetuneError as error:  # the record was deleted, or the database is damaged
            timer.deactivate()
            message.set_text(f"{one_line(error.message)} This page is not updated any more.")
            message.set_visibility(True)

    timer = ui.timer(REFRESH_SECONDS, refresh_or_say_why_not, active=active)
    return timer


def show_live_rows(
    table: ui.table, empty: ui.element, first: list[Row], read: Callable[[], list[Row]]
) -> None:
    """Show rows in a table, and follow them.

    Args:
        table: The table.
        empty: What is shown where there are no rows.
        first: The rows now.
        read: Reads the rows; it is called in a thread.
    """

    def show(rows: list[Row]) -> None:
        empty.set_visibility(not rows)
        table.set_visibility(bool(rows))
        if rows != table.rows:
            table.rows = rows

    async def refresh() -> None:
        show(await asyncio.to_thread(read))

    show(first)
    follow(refresh)


def facts(values: dict[str, str]) -> None:
    """Show figures with their names."""
    with ui.element("dl").classes("row gap-x-8 gap-y-2 q-my-none"):
        for name, value in values.items():
            with ui.element("div"):
                Text(name, "dt").classes("text-caption soft")
                Text(value, "dd").classes("text-subtitle1 numbers q-ma-none")


def folded(title: str, fill: Callable[[], object]) -> ui.expansion:
    """Show a closed part of a page, which is filled when it is opened first.

    Args:
        title: What it holds.
        fill: Makes its elements.
    """
    with ui.expansion(title).classes("w-full") as part:
        holder = ui.element("div").classes("w-full")

    def open_part() -> None:
        if part.value and not holder.default_slot.children:
            with holder:
                fill()

    part.on_value_change(open_part)
    return part


def answer_buttons(dialog: ui.dialog, text: str) -> None:
    """Show the buttons that end a dialog: one that does what it asks for, and Cancel.

    Args:
        dialog: The dialog; awaiting it returns whether it is to be done.
        text: What is done.
    """
    with ui.row():
        ui.button(text, on_click=lambda: dialog.submit(True))
        cancel = ui.button("Cancel", on_click=lambda: dialog.submit(False))
        cancel.props("outline color=accent")


class Text(TextElement):
    """A text in an element of its own.

    Args:
        text: The text; what would control the page's direction or lines is made visible.
        tag: The name of the element.
    """

    def __init__(self, text: str, tag: str = "p") -> None:
        super().__init__(tag=tag, text=one_line(text))


def chart(
    options: dict[str, Any], label: str, *, height: str = "20rem", min_width: str = "0"
) -> ui.echart:
    """Show a chart.

    Args:
        options: Its options.
        label: What it shows, for screen readers.
        height: Its height, as in CSS.
        min_width: Its width on a narrow screen, where it scrolls sideways.
    """
    aria = {"enabled": True, "label": {"description": one_line(label)}}
    with ui.element("div").classes("w-full overflow-auto") as holder:
        made = ui.echart({**options, "aria": aria}, renderer="svg").props('role="img"')
    if min_width != "0":
        holder.props("tabindex=0")
    return made.classes("w-full").style(f"height: {height}; min-width: {min_width}")


class Code(TextElement):
    """A command or a program, with a button that copies it.

    Args:
        text: The text.
    """

    def __init__(self, text: str) -> None:
        shown = "\n".join(map(one_line, text.splitlines()))
        with ui.element("div").classes("w-full row no-wrap items-start gap-1"):
            super().__init__(tag="pre", text=shown)
            self.classes("code grow").props("tabindex=0").style("min-width: 0")
            button = ui.button(icon="content_copy", on_click=lambda: ui.clipboard.write(shown))
            described(button.props("flat round dense size=sm color=accent"), "Copy")


def dialog(title: str) -> ui.dialog:
    """Return a dialog with a name, to be filled.

    Args:
        title: What it asks for.
    """
    return described(ui.dialog(), title)


def described(element: _Element, text: str, attribute: str = "aria-label") -> _Element:
    """Describe an element to those who cannot see it, and return it.

    A text never goes into `.props("...")`, which reads a quotation mark or a backslash in it as the
    end of an attribute, and `:name="..."` as a script. A test forbids that.

    Args:
        element: The element.
        text: The description; it may come from anyone.
        attribute: "aria-label", or "alt" for an image.
    """
    element.props[attribute] = one_line(text)
    element.update()
    return element


def plain_table(
    header: Sequence[str], rows: Sequence[Sequence[str | Callable[[], object]]], *, label: str
) -> None:
    """Show a small table, which scrolls sideways where it is too wide.

    Args:
        header: The headings of the columns.
        rows: The cells of each row: a text, or a function that fills the cell.
        label: What it shows, for screen readers.
    """
    with (
        ui.element("div").classes("w-full overflow-auto").props('tabindex="0"'),
        described(ui.element("table").classes("q-table numbers"), label),
    ):
        with ui.element("thead"), ui.element("tr"):
            for heading in header:
                Text(heading, "th").props('scope="col"').classes("text-left q-pr-md")
        with ui.element("tbody"):
            for row in rows:
                with ui.element("tr"):
                    for cell in row:
                        if isinstance(cell, str):
                            Text(cell, "td").classes("text-left q-pr-md")
                        else:
                            with ui.element("td").classes("text-left q-pr-md"):
                                cell()
