"""Movies of a report: GIF files small enough to look at in a browser."""

import io
from pathlib import Path

from PIL import Image, ImageColor

from analysis import style
from jobs import whole_file

MOVIE_BYTES = 1_000_000
MARKS = ("white", "black", *style.COLOURS)  # always there: paper, text, lines and marks


def write(
    frames: list[Image.Image], file: Path, milliseconds: int = 120, colours: int = 32
) -> None:
    """Write `frames` as a GIF that loops and rests on the last; every second, third, ... where it
    would pass MOVIE_BYTES.
    """
    width, height = frames[-1].size
    strip = Image.new("RGB", (3 * width, height))  # colours that the last frame lacks
    for i, frame in enumerate((frames[0], frames[len(frames) // 2], frames[-1])):
        strip.paste(frame, (i * width, 0))
    palette = with_marks(strip.quantize(colours - len(MARKS)))
    step = 1
    while True:
        kept = frames[::-step][::-1]  # always ends on the last frame
        flat = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in kept]
        drawn = io.BytesIO()
        flat[0].save(
            drawn,
            format="GIF",
            save_all=True,
            append_images=flat[1:],
            loop=0,
            optimize=True,
            duration=[milliseconds * step] * (len(flat) - 1) + [2000],
        )
        if drawn.tell() <= MOVIE_BYTES or len(kept) < 4:
            return whole_file.write(file, drawn.getvalue())
        step += 1


def with_marks(found: Image.Image) -> Image.Image:
    """A palette's image and MARKS, of which there may be too few pixels to be found."""
    marks = [part for colour in MARKS for part in ImageColor.getrgb(colour)]
    palette = Image.new("P", (1, 1))
    palette.putpalette((found.getpalette() or []) + marks)
    return palette
