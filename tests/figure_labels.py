"""What cannot be read in a figure: texts that are printed over each other, or cut off."""

from itertools import combinations

from matplotlib.figure import Figure
from matplotlib.text import Text

ROOM = 0.5  # pixels by which boxes may overlap: round-off of the layout


def unreadable(fig: Figure) -> list[str]:
    """A line for each pair of texts that overlap, and for each that leaves the figure."""
    fig.canvas.draw()
    undrawn = beyond_the_ends(fig)
    texts = [
        text
        for text in fig.findobj(Text)
        if text.get_visible() and text.get_text().strip() and text not in undrawn
    ]
    boxes = [text.get_window_extent().padded(-ROOM) for text in texts]
    width, height = fig.canvas.get_width_height()
    over = [
        f"{texts[i].get_text()} over {texts[j].get_text()}"
        for i, j in combinations(range(len(texts)), 2)
        if boxes[i].overlaps(boxes[j])
    ]
    cut = [
        f"{text.get_text()} is cut off"
        for text, box in zip(texts, boxes, strict=True)
        if box.x0 < -1 or box.y0 < -1 or box.x1 > width + 1 or box.y1 > height + 1
    ]
    return over + cut


def beyond_the_ends(fig: Figure) -> set[Text]:
    """Labels of ticks that are not drawn, since they are hidden or lie beyond the ends of their
    axis.
    """
    found = set()
    for ax in fig.axes:
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]:
                if not (tick.get_visible() and low <= tick.get_loc() <= high):
                    found |= {tick.label1, tick.label2}
    return found
