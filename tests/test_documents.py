"""What the READMEs and CONTRIBUTING say is true: snippets run, commands parse, links lead
somewhere, the reference of configs is the configs'.
"""

import importlib
import re
import shlex

import pytest
from conftest import ROOT

from jobs import reference
from jobs import study as studies
from jobs.options import parsed

DOCUMENTS = sorted(
    path
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("*/*.md"))
    if path.name != "CHANGELOG.md"
)


CAPITALS = {"NAME", "STUDY", "STAGE", "MODEL", "WHAT"}  # in names of files: any


def blocks(path, kind: str) -> list[str]:
    """Between fences that open with this word."""
    found, inside = [], None
    for line in path.read_text().splitlines():
        if not line.startswith("```"):
            if inside == kind:
                found[-1] += line + "\n"
            continue
        inside = line[3:] if inside is None else None
        if inside == kind:
            found.append("")
    return found


SNIPPETS = [
    pytest.param(text, id=f"{path.relative_to(ROOT)}-{i}")
    for path in DOCUMENTS
    for i, text in enumerate(blocks(path, "python"))
]


@pytest.mark.parametrize("text", SNIPPETS)
def test_snippets_run_as_they_stand(text, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    before = set(ROOT.glob("*.png"))
    try:
        exec(compile(text, "snippet", "exec"), {"__name__": "snippet"})
    finally:
        for picture in set(ROOT.glob("*.png")) - before:
            picture.unlink()
    assert capsys.readouterr().out


def commands(path) -> list[str]:
    """Lines of a document's plain blocks, comments off."""
    lines = [line for text in blocks(path, "") for line in text.splitlines()]
    return [line.partition(" #")[0].rstrip() for line in lines if line.strip()]


def test_there_are_commands():
    assert sum(len(commands(path)) for path in DOCUMENTS) > 40


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_are_understood_and_their_files_are_there(path):
    for line in commands(path):
        words = shlex.split(line.replace("[", "").replace("]", ""), comments=True)
        if "jobs" in words and "STUDY" not in words and "RUN" not in words:
            arguments = words[words.index("jobs") + 1 :]
            if arguments and arguments[0] != "--":
                options = parsed(arguments)
                config = getattr(options, "config", None)
                assert config is None or config.name == "CONFIG.yaml" or (ROOT / config).exists(), (
                    line
                )
        for word in words:
            if re.fullmatch(r"(jobs|slurm|tests)/\S+\.(yaml|sh|py)", word) and not CAPITALS & {
                *re.split(r"\W|_", word)
            }:
                assert (ROOT / word).exists(), line
        if words and words[0] == "make":
            targets = [word for word in words[1:] if "=" not in word]
            text = (ROOT / "Makefile").read_text()
            assert all(re.search(rf"^{re.escape(t)}:", text, re.M) for t in targets), line


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files_that_are_there(path):
    text = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.M | re.S)
    for link in re.findall(r"\]\(([^)#]+)\)", text):
        if not link.startswith("http"):
            assert (path.parent / link).exists(), link
    for word in re.findall(r"`((?:kernels|jobs|analysis|slurm|tests)/[\w./-]+\.\w+)`", text):
        assert CAPITALS & {*re.split(r"\W|_", word)} or (ROOT / word).exists(), word


def test_the_measures_that_are_named_are_there():
    named = re.findall(r"`(\w+)\.(\w+)`", (ROOT / "kernels/README.md").read_text())
    named = [
        (m, n)
        for m, n in named
        if (ROOT / f"kernels/{m}.py").exists() and n not in ("py", "cu", "cpp")
    ]
    assert len(named) >= 8
    for module, name in named:
        assert hasattr(importlib.import_module(f"kernels.{module}"), name), f"{module}.{name}"


def test_the_readme_is_short():
    assert (ROOT / "README.md").stat().st_size <= 10_000


def test_the_reference_of_configs_is_that_of_the_configs():
    """Else: python -m jobs configs > jobs/CONFIGS.md."""
    assert (ROOT / "jobs/CONFIGS.md").read_text().rstrip() == reference.text()


@pytest.mark.parametrize("name", studies.NAMES)
def test_examples_of_a_study_are_understood(name):
    for _, line in studies.of(name).examples:
        options = parsed([name, *shlex.split(line)])
        assert options.config is None or (ROOT / options.config).exists()
