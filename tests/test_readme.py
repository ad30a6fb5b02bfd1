"""The README's code runs as it stands, in the order in which it stands."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from stream_dagmm_connectors.kafka.options import RunOptions
from stream_dagmm_connectors.loading import flag_of

README = Path(__file__).parent.parent / "README.md"
BLOCKS = re.findall(r"^```(python|sh)\n(.*?)^```$", README.read_text(), re.DOTALL | re.MULTILINE)
PAGES = (README, README.parent / "deploy" / "README.md")
LINKS = [
    (page, link)
    for page in PAGES
    for link in sorted(set(re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text())))
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all blocks: later ones may use files of earlier ones."""
    return tmp_path_factory.mktemp("readme")


@pytest.mark.parametrize(("language", "code"), BLOCKS, ids=range(len(BLOCKS)))
def test_a_code_block_of_the_readme_runs(language: str, code: str, folder: Path) -> None:
    commands = {"python": [sys.executable, "-c", code], "sh": ["sh", "-euc", code]}
    tools = str(Path(sys.executable).parent)
    run = subprocess.run(
        commands[language],
        cwd=folder,
        env={"PATH": f"{tools}:/usr/bin:/bin", "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr


def test_the_readme_has_code() -> None:
    assert {language for language, _ in BLOCKS} == {"python", "sh"}


@pytest.mark.parametrize(("page", "link"), LINKS, ids=str)
def test_a_link_of_a_readme_leads_somewhere(page: Path, link: str) -> None:
    assert (page.parent / link).exists()


def test_every_results_file_that_the_readme_names_is_there() -> None:
    named = set(re.findall(r"tests/benchmarks/results/[\w.-]*\w", README.read_text()))
    assert named and all((README.parent / path).exists() for path in named)


@pytest.mark.parametrize("anchor", sorted(set(re.findall(r"\]\(#([^)]+)\)", README.read_text()))))
def test_a_link_within_the_readme_leads_to_a_heading(anchor: str) -> None:
    headings = re.findall(r"^#+ (.+)$", README.read_text(), re.MULTILINE)
    assert anchor in {re.sub(r"[^\w\- ]", "", h).lower().replace(" ", "-") for h in headings}


@pytest.mark.parametrize("name", RunOptions.model_fields)
def test_an_option_of_run_is_in_the_readme(name: str) -> None:
    flag = flag_of(name)
    assert re.search(rf"(--|--no-){flag[2:]}\b(?!-)", README.read_text())
