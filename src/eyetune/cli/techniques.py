"""`eyetune techniques`: what can be tried, why, and when it hurts."""

from __future__ import annotations

from pathlib import Path

from eyetune.cli.common import Common

_NO_COMMON = Common()


def techniques(
    name: str | None = None,
    /,
    *,
    file: Path | None = None,
    common: Common = _NO_COMMON,
) -> None:
    """List the techniques, or explain one.

    An explanation says why a technique can help, when it hurts, and which values are worth trying.

    For example:

        eyetune techniques
        eyetune techniques learning-rate
        eyetune train --technique flip=true --technique schedule=cosine

    Parameters
    ----------
    name
        A technique to explain.
    file
        A Python file with techniques of your own, each a function under
        `@eyetune.techniques.technique`.
    """
    from eyetune.cli.technique_tables import technique_text, techniques_table
    from eyetune.techniques import find, load_file
    from eyetune.techniques import techniques as all_techniques

    if file is not None:
        load_file(file)
    chosen = all_techniques() if name is None else (find(name),)
    value = {
        "techniques": [
            {
                "name": technique.name,
                "group": technique.group,
                "values": list(technique.values),
                "why": technique.why,
                "hurts": technique.hurts,
                "link": technique.link,
                "needs": technique.needs,
            }
            for technique in chosen
        ]
    }
    shown = techniques_table(chosen) if name is None else technique_text(chosen[0])
    common.show(value, *shown)
