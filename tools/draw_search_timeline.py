"""Draw docs/images/search-timeline.png, the timeline of a fabricated study.

    python tools/draw_search_timeline.py

The figure is that of `Study.plot_timeline`. Its curves are drawn instead of trained, because it
explains how a search divides its time and shows no result.
"""

from __future__ import annotations

from pathlib import Path

from eyetune.report.figures.picture import save
from eyetune.report.figures.study_timeline import timeline
from eyetune.testing.studies import fabricated_space, fabricated_study

FOLDER = Path(__file__).parent.parent / "docs" / "images"


def main() -> None:
    """Write the picture."""
    study = fabricated_study(7, space=fabricated_space(4), failing=0, final_training=True)
    picture = timeline(study.record, study.trials, study.histories, study.starts)
    for path in save(picture, FOLDER, "search-timeline", ["png"]):
        print(path)


if __name__ == "__main__":
    main()
