"""Markdown of a report: cells, tables, figures."""

import numpy as np

from analysis.estimates import Estimate


def cell(value) -> str:
    if isinstance(value, list):
        return str(value[0]) if value[0] == value[1] else f"{value[0]} to {value[1]}"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "not recorded" if value is None else str(value)


def table(head: list[str], lines: list[list[str]]) -> list[str]:
    return [
        "| " + " | ".join(head) + " |",
        "|" + " --- |" * len(head),
        *("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |" for cells in lines),
        "",
    ]


def with_error(value: float | None, error: float | None, missing: str) -> str:
    """26.3(4); `missing` for no value."""
    return missing if value is None else str(Estimate(value, np.nan if error is None else error))


def pictures_of(pictures: list[tuple[str, str]]) -> list[str]:
    """Lines that show figures/NAME with its caption and a link to its PDF; pictures are (file name,
    caption).
    """
    lines = []
    for name, caption in pictures:
        pdf = "" if name.endswith(".gif") else f" ([PDF](figures/{name.removesuffix('.png')}.pdf))"
        lines += [f"![{name}](figures/{name})", "", caption + pdf, ""]
    return lines
