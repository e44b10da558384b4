"""The page of a check of data: its findings with their pictures, the most important first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eyetune.analysis.data_findings import MEANINGS, Finding, FindingKind
from eyetune.report.pages.page import render
from eyetune.report.pages.tables import Cell, Row
from eyetune.values.numbers import count_text

HEADINGS = {
    FindingKind.ACROSS_SPLITS: "Copies in several splits",
    FindingKind.UNREADABLE: "Unreadable files",
    FindingKind.CONFLICT: "Copies with different labels",
    FindingKind.LABEL: "Likely wrong labels",
    FindingKind.EXACT_DUPLICATE: "Identical files",
    FindingKind.NEAR_DUPLICATE: "Nearly identical pictures",
    FindingKind.SMALL_CLASS: "Classes that are too small",
    FindingKind.IMBALANCE: "Classes of different size",
    FindingKind.OUTLIER: "Pictures unlike all others",
}
MAX_PICTURES_OF_A_FINDING = 6


@dataclass(frozen=True)
class Shown:
    """A picture on the page: its data URI ("" if it cannot be shown), name and class."""

    uri: str
    name: str
    label: str


def check_page(
    facts: Mapping[str, Any],
    findings: Sequence[Finding],
    thumbnails: Mapping[int, str],
    *,
    max_shown: int,
) -> str:
    """Return the page of a check as one HTML page that needs no other file.

    Args:
        facts: Number of pictures, sizes and balance, from `DataCheck.facts`.
        findings: The findings, by importance.
        thumbnails: Data URI of each picture that is shown, by its index.
        max_shown: Number of findings of each kind that are shown.
    """
    kinds = [kind for kind in FindingKind if any(finding.kind is kind for finding in findings)]
    sections = [_section(kind, findings, thumbnails, max_shown) for kind in kinds]
    total = len(findings)
    contents = [(part["id"], f"{part['heading']} ({part['count']})") for part in sections]
    context = {
        "title": f"Check of {facts['name']}",
        "subtitle": f"{count_text(facts['num_pictures'], 'picture')}, "
        f"{count_text(len(facts['classes']), 'class', 'classes')}",
        "contents": [*contents, ("classes", "Pictures of each class")],
        "answer": _answer(total, sections),
        "has_findings": bool(total),
        "facts": _facts(facts),
        "sections": sections,
        "class_headings": ("class", *facts["class_counts"]),
        "class_rows": _class_rows(facts),
        "notes": facts["notes"],
    }
    return render("check", context)


def _answer(total: int, sections: Sequence[Mapping[str, Any]]) -> str:
    if not total:
        return "Nothing was found."
    first = ", ".join(f"{section['heading'].lower()}: {section['count']}" for section in sections)
    return f"{count_text(total, 'finding')}, the most important first. {first.capitalize()}."


def _facts(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    sizes = facts["sizes"]
    smallest, median, largest = (
        " x ".join(map(str, sizes[name])) for name in ("smallest", "median", "largest")
    )
    return [
        ("pictures", f"{facts['num_pictures']:,}"),
        ("files that cannot be read", f"{facts['num_unreadable']:,}"),
        ("median size, in pixels", median),
        (f"smallest; the largest has {largest}", smallest),
        ("largest class to smallest, training pictures", f"{facts['imbalance']['ratio']:.1f} to 1"),
        ("of a constant answer: accuracy", f"{facts['imbalance']['constant_answer_accuracy']:.1%}"),
    ]


def _section(
    kind: FindingKind,
    findings: Sequence[Finding],
    thumbnails: Mapping[int, str],
    max_shown: int,
) -> dict[str, Any]:
    own = [finding for finding in findings if finding.kind is kind]
    return {
        "id": kind.value,
        "heading": HEADINGS[kind],
        "count": len(own),
        "meaning": MEANINGS[kind],
        "findings": [_finding(finding, thumbnails) for finding in own[:max_shown]],
        "num_hidden": max(0, len(own) - max_shown),
    }


def _finding(finding: Finding, thumbnails: Mapping[int, str]) -> dict[str, Any]:
    shown = finding.pictures[:MAX_PICTURES_OF_A_FINDING]
    return {
        "text": finding.text,
        "score": f"{finding.score:.2f}",
        "pictures": [
            Shown(
                "" if found.index is None else thumbnails.get(found.index, ""),
                found.name,
                found.label,
            )
            for found in shown
        ],
        "num_hidden": len(finding.pictures) - len(shown),
    }


def _class_rows(facts: Mapping[str, Any]) -> list[Row]:
    rows = []
    for label, name in enumerate(facts["classes"]):
        counts = [counts[label] for counts in facts["class_counts"].values()]
        rows.append(Row([Cell(name, name), *(Cell(f"{count:,}", count) for count in counts)]))
    return rows
