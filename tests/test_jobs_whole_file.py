"""Pages and pictures are whole under their names, or not there."""

import errno
from pathlib import Path

import pytest
from PIL import Image

from analysis import movie_file, style
from jobs import whole_file


@pytest.fixture
def full(monkeypatch):
    """A disk that takes 100 bytes of a file."""

    def write(path, content):
        with open(path, "wb") as file:
            file.write(content[:100])
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_bytes", write)


def picture(folder):
    fig, (axes,) = style.grid(1)
    axes.plot([0, 1], [1, 0])
    return style.save(fig, folder, "picture")


def movie(folder):
    movie_file.write(
        [Image.new("RGB", (20, 20), (10 * i, 0, 0)) for i in range(5)], folder / "m.gif"
    )


def page(folder):
    whole_file.write(folder / "report.md", "# Of 2\n")


@pytest.mark.parametrize("make", [picture, movie, page])
def test_a_full_disk_leaves_what_was_there(tmp_path, make, full, monkeypatch):
    names = ("picture.png", "picture.pdf", "m.gif", "report.md")
    for name in names:
        (tmp_path / name).write_text("of before")
    with pytest.raises(OSError, match="No space left on device"):
        make(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    assert all((tmp_path / name).read_text() == "of before" for name in names)


@pytest.mark.parametrize("make", [picture, movie, page])
def test_the_same_gives_the_same_bytes_and_no_left_overs(tmp_path, make):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        make(tmp_path / folder)
    found = [{p.name: p.read_bytes() for p in (tmp_path / f).iterdir()} for f in ("a", "b")]
    assert found[0] == found[1]
    assert len(found[0]) in (1, 2)
    assert all(len(content) > 5 for content in found[0].values())
