"""Fields at t = 0: noise of the strength asked for, shapes that hold what they should, lamellae
that stay.
"""

import numpy as np
import pytest

from jobs import UserError, config
from jobs.coarsening import mesh, starts
from jobs.coarsening.config import Coarsening
from kernels import structure
from kernels.cahn_hilliard import coarsening
from kernels.device import select

CPU = select("cpu", workers=1)


def configured(**cases) -> Coarsening:
    raw = {
        "study": "coarsening",
        "seed": 3,
        "system": {"size": 32},
        "generate": {"feature_sizes": [8, 16]},
        "rollout": {"cases": cases},
    }
    return config.systems(raw, Coarsening, "test")[""]


def test_noise():
    fields = starts.perlin(32, [4, 8, 16], [0.4, 0.5, 0.6], 0.1, 1, [0, 1, 2], CPU)
    assert fields.shape == (3, 32, 32, 32)
    assert fields.dtype == np.float32
    assert np.allclose(fields.mean((1, 2, 3), dtype=np.float64), [0.4, 0.5, 0.6], atol=1e-6)
    assert np.allclose(fields.std((1, 2, 3), dtype=np.float64), 0.1, atol=1e-6)
    k = np.fft.fftfreq(32)
    k2 = sum(np.ix_(k**2, k**2, k**2))
    power = np.abs(np.fft.fftn(fields - fields.mean((1, 2, 3), keepdims=True), axes=(1, 2, 3))) ** 2
    sizes = 1 / np.sqrt((power * k2).sum((1, 2, 3)) / power.sum((1, 2, 3)))
    assert sizes[1] / sizes[0] == pytest.approx(2, rel=0.2)
    assert sizes[2] / sizes[1] == pytest.approx(2, rel=0.3)


def test_a_slice():
    (field,) = starts.noisy_slice(32, [8], [0.45], 0.1, 1, [0], CPU)
    assert (field[:12] == np.float32(0.45)).all()
    assert (field[20:] == np.float32(0.45)).all()
    assert field[12:20].std() == pytest.approx(0.1, rel=1e-4)
    assert field.mean(dtype=np.float64) == pytest.approx(0.45, abs=1e-6)


@pytest.mark.parametrize(("period", "mean"), [(32, 0.5), (32, 0.4), (16, 0.5)])
def test_layers_stand_still(period, mean):
    field = starts.layers(32, 3.0, period, mean)
    assert field.mean() == pytest.approx(mean, abs=0.01)
    assert (
        np.diff(field[:, 0, 0] > 0.5).sum() + (field[0, 0, 0] > 0.5) - (field[-1, 0, 0] > 0.5)
    ) == 2 * 32 // period
    model = coarsening((32,) * 3, laplacian="finite_difference", device=CPU)
    run = model.run(field[None], [0, 20], observe=False)
    assert np.abs(run.fields[0, 1] - run.fields[0, 0]).max() < (
        0.06 if mean == 0.5 else 0.1
    )  # a grid this coarse has a profile of its own
    x = np.abs(np.diff(run.fields[0, -1], axis=1)).max()
    assert x < 1e-4  # they stay flat


def test_draws():
    settings = configured()
    means, features = zip(
        *(starts.drawn(settings, starts.identity(0, i)) for i in range(2000)), strict=True
    )
    assert np.mean(means) == pytest.approx(0.5, abs=4.5 * 0.05 / np.sqrt(2000))
    assert np.std(means) == pytest.approx(
        0.05 * 0.954, rel=0.08
    )  # of a normal cut at 2.5 deviations
    assert np.abs(np.subtract(means, 0.5)).max() <= 0.125
    assert np.mean(np.equal(features, 8)) == pytest.approx(0.5, abs=4.5 * 0.5 / np.sqrt(2000))
    assert starts.drawn(settings, 5) == starts.drawn(settings, 5)


def test_no_two_starts_share_noise():
    found = [starts.identity(owner, i) for owner in range(3) for i in range(100)]
    found += [
        starts.identity(starts.CASE, i, name)
        for name in ("long", "larger", "ensemble")
        for i in range(100)
    ]
    assert len(set(found)) == 600
    assert max(found) < 2**56


def test_cases():
    settings = configured(
        a={"start": "perlin", "count": 2, "size": 64},
        b={"start": "slice", "mean": 0.5, "feature_size": 8},
        c={"start": "layers", "feature_size": 16, "mean": 0.5},
        d={"start": "shape"},
    )
    fields, means, features = starts.of_case(settings, "a", CPU)
    assert fields.shape == (2, 64, 64, 64)
    assert np.allclose(fields.mean((1, 2, 3), dtype=np.float64), means, atol=1e-6)
    assert set(features) <= {8, 16}
    assert not np.array_equal(fields[0], fields[1])
    for name in "bcd":
        fields, means, features = starts.of_case(settings, name, CPU)
        assert fields.shape == (1, 32, 32, 32)
        assert fields.dtype == np.float32
        assert fields.mean() == pytest.approx(means[0], abs=0.01)
    assert features.tolist() == [0]


def test_the_rabbit():
    phi = starts.shape(64, 3.0)
    assert 0.05 < phi.mean() < 0.2
    assert phi.min() >= 0
    assert phi.max() == pytest.approx(1, abs=1e-4)
    assert (
        max(phi[[0, -1]].max(), phi[:, [0, -1]].max(), phi[:, :, [0, -1]].max()) < 1e-3
    )  # clear of its images
    assert starts.rabbit(64).sum() == pytest.approx((phi > 0.5).sum(), rel=0.04)
    ears = phi[:, :, 52] > 0.5  # two, and thin
    assert 5 < ears.sum() < 80
    assert (phi[:, :, 21] > 0.5).sum() > 300


def ball(count=40):
    """Triangles of a sphere of radius 1, facing outwards."""
    theta, phi = np.linspace(0, np.pi, count), np.linspace(0, 2 * np.pi, 2 * count, endpoint=False)
    s = np.sin(theta)
    s[[0, -1]] = 0  # both poles are points
    grid = np.stack(
        [
            s[:, None] * np.cos(phi),
            s[:, None] * np.sin(phi),
            np.broadcast_to(np.cos(theta)[:, None], (count, 2 * count)),
        ],
        -1,
    )
    a, b = grid[:-1], grid[1:]
    c, d = np.roll(a, -1, 1), np.roll(b, -1, 1)
    found = np.concatenate(
        [np.stack([a, b, d], 2).reshape(-1, 3, 3), np.stack([a, d, c], 2).reshape(-1, 3, 3)]
    )
    found += 0.0  # no -0
    flat = np.cross(found[:, 1] - found[:, 0], found[:, 2] - found[:, 0])
    return found[(flat**2).sum(1) > 1e-12]


def write_obj(path, triangles):
    corners, index = np.unique(triangles.reshape(-1, 3), axis=0, return_inverse=True)
    lines = [f"v {x!r} {y!r} {z!r}" for x, y, z in corners.tolist()]
    path.write_text(
        "# a ball\n"
        + "\n".join(lines + [f"f {a}/1/1 {b}//2 {c}" for a, b, c in (index.reshape(-1, 3) + 1)])
        + "\n"
    )


def write_stl(path, triangles):
    record = np.zeros(
        len(triangles),
        np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")]),
    )
    record["corners"] = triangles
    path.write_bytes(
        b"solid misleading".ljust(80) + np.uint32(len(triangles)).tobytes() + record.tobytes()
    )


def write_ascii_stl(path, triangles):
    facets = [
        "facet normal 0 0 0\n outer loop\n"
        + "".join(f"  vertex {x!r} {y!r} {z!r}\n" for x, y, z in t)
        + " endloop\nendfacet\n"
        for t in triangles.tolist()
    ]
    path.write_text("solid ball\n" + "".join(facets) + "endsolid ball\n")


@pytest.mark.parametrize(
    ("name", "write"), [("b.obj", write_obj), ("b.stl", write_stl), ("a.STL", write_ascii_stl)]
)
def test_a_ball_from_a_file(tmp_path, name, write):
    """Its volume, and the profile along a radius."""
    write(tmp_path / name, 7.0 * ball() + 100.0)
    phi = starts.shape(32, 3.0, str(tmp_path / name))
    radius = starts.FILLED * 32 / 2
    assert phi.sum(dtype=np.float64) == pytest.approx(4 / 3 * np.pi * radius**3, rel=0.02)
    x = np.arange(32) + 0.5 - 16
    r = np.sqrt(sum(np.ix_(x**2, x**2, x**2)))
    assert np.abs(phi - starts.profile(r - radius, 3.0)).max() < 0.15
    assert np.abs(phi - starts.profile(r - radius, 3.0)).mean() < 0.008


def test_inside_of_a_cube_with_a_hole():
    """Ray parity: two nested cubes leave a shell, whichever way the triangles face."""
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    corner = np.array([[i >> 2 & 1, i >> 1 & 1, i & 1] for i in range(8)], float)
    cube = np.array(
        [corner[list(t)] for q in quads for t in ((q[0], q[1], q[2]), (q[0], q[2], q[3]))]
    )
    shell = np.concatenate([0.25 + 0.5 * cube, 0.375 + 0.25 * cube])
    assert mesh.edges_left_open(shell) == 0
    solid = mesh.inside(shell, 16)
    expected = np.zeros((16, 16, 16), bool)
    expected[4:12, 4:12, 4:12] = True
    expected[6:10, 6:10, 6:10] = False
    assert np.array_equal(solid, expected)


TETRAHEDRON = b"""v 0 0 0
v 1 0 0
v 0 1 0
v 0 0 1
f 1 2 3
f 1 2 4
f 2 3 4
f 3 1 4
"""


def test_many_triangles_are_taken_a_part_at_a_time(monkeypatch, tmp_path):
    (tmp_path / "a.obj").write_bytes(TETRAHEDRON)
    triangles = mesh.read(tmp_path / "a.obj")
    whole = mesh.inside(triangles, 16)
    assert 0.13 < whole.mean() < 0.2  # a sixth of the cube
    monkeypatch.setattr(mesh, "PAIRS", 3)
    assert len(list(mesh.parts(np.array([1, 0, 5, 1, 1, 1, 9]), 3))) == 4
    assert np.array_equal(mesh.inside(triangles, 16), whole)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.ply", b"ply", "expected a surface in a file .obj or .stl"),
        ("a.obj", b"v 0 0 0\nf 1 2 3\n", "not a OBJ file"),
        ("a.obj", b"v 0 0\nv 1 0\n f 1 2 2\n", "not a OBJ file"),
        ("a.obj", TETRAHEDRON.replace(b"f 1 2 3", b"f -5 2 3"), "not a OBJ file"),
        ("a.obj", TETRAHEDRON.replace(b"f 1 2 3", b"f 0 2 3"), "not a OBJ file"),
        ("a.obj", TETRAHEDRON.replace(b"f 1 2 3", b"f 1%s 2 3" % (b"0" * 23)), "not a OBJ file"),
        ("a.obj", b"v 0 0 0\n", "holds no triangles"),
        ("a.obj", b"v 0 0 0\nv 1 0 0\nv 0 1 nan\nf 1 2 3\n", "not finite"),
        ("a.obj", b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "not a closed surface: 3 of its edges"),
        ("a.stl", b"nonsense", "not a STL file"),
    ],
)
def test_bad_files(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=said):
        mesh.read(tmp_path / name)
    with pytest.raises(UserError, match=r"nowhere.obj: cannot read the surface: No such file"):
        mesh.read(tmp_path / "nowhere.obj")


def test_noise_with_a_cubes_symmetry_keeps_its_mean_and_rms():
    settings = configured(a={"start": "symmetric", "mean": 0.45, "noise": 0.05})
    field = starts.of_case(settings, "a", CPU)[0][0].astype(float)
    assert field.mean() == pytest.approx(0.45, abs=1e-6)
    assert field.std() == pytest.approx(0.05, rel=1e-4)
    for turned in (
        field.transpose(1, 2, 0),
        field.transpose(1, 0, 2),
        np.roll(np.flip(field, 2), 1, 2),
    ):
        assert turned == pytest.approx(field, abs=1e-6)


def test_white_noise_in_each_phase():
    """Standard errors: the rms of n cells is known to 1 / sqrt(2 n)."""
    settings = configured(a={"start": "bulk"})
    fields, means, _ = starts.of_case(settings, "a", CPU)
    assert means.tolist() == [0.0, 0.03, 0.97, 1.0]
    cells = fields[0].size
    for field, mean in zip(fields.astype(float), means, strict=True):
        assert field.mean() == pytest.approx(mean, abs=1e-7)
        assert field.std() == pytest.approx(1e-3, rel=5 / np.sqrt(2 * cells))
        white = structure.structure_factor(field, 1.0, 3) / 1e-6
        assert (np.abs(white - 1) < 6 * np.sqrt(2 / structure.waves(field.shape))).all()
    assert np.abs(np.corrcoef(fields.reshape(4, -1) - means[:, None])[0, 1:]).max() < 5 / np.sqrt(
        cells
    )
