"""The README says what the code does: its commands, options, settings and pages."""

import ast
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from mnist_core.design import spec
from mnist_core.runs import models

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
SOURCES = [path for top in ("mnist_core", "pages") for path in (ROOT / top).rglob("*.py")]
REQUIREMENTS = [ROOT / "requirements.txt", ROOT / "tests" / "requirements.txt"]


def block(name: str) -> str:
    """The code block after a `<!-- command: name -->` mark."""
    return re.search(rf"<!-- command: {name} -->\n```bash\n(.*?)```", README, re.S)[1].strip()


@pytest.mark.parametrize(("name", "file", "end"), [
    ("run", "requirements.txt", "streamlit run app.py"),
    ("test", "tests/requirements.txt", "-m pytest"),
])  # fmt: skip
def test_each_command_makes_its_own_environment(name, file, end):
    command = block(name)
    assert command.startswith("python3 -m venv .venv && ")
    assert f".venv/bin/pip install -r {file} &&" in command
    assert command.endswith(end)
    assert "\n" not in command


def test_ci_runs_the_readmes_test_command():
    script = (ROOT / ".ci" / "run").read_text()
    sed = re.search(r'\$\((sed -n .*? README\.md \| sed .*?)\)"', script)[1]
    done = subprocess.run(["bash", "-c", sed], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == block("test")


def test_every_setting_is_listed_and_every_listed_one_is_read():
    read = set()
    for path in SOURCES:
        text = path.read_text()
        read |= set(re.findall(r'environ(?:\.get\(|\[)"(MNIST_[A-Z_]+)"', text))
    listed = set(re.findall(r"^\| `(MNIST_[A-Z_]+)` \|", README, re.M))
    assert listed == read


def test_every_page_is_listed():
    text = (ROOT / "pages" / "_shell" / "navigation.py").read_text()
    table = re.search(r"PAGES = \{(.*?)\n\}", text, re.S)[1]
    pages = dict(re.findall(r'"(\w+)": \("([^"]+)"', table))
    section = README.split("## The pages")[1].split("\n## ")[0]
    listed = re.findall(r"^\| ([A-Z][^|]+?) \|", section, re.M)
    assert listed == list(pages.values())
    assert {p.stem for p in ROOT.glob("pages/*.py")} == set(pages)


def test_the_commands_and_options_are_those_of_the_command_line():
    section = README.split("## The command line")[1].split("\n## ")[0]
    commands = re.findall(r"^python -m mnist_core (\w+)(.*)$", section, re.M)
    usage = help_of()
    assert [name for name, _ in commands] == re.findall(r"^    (\w+)(?:  +[A-Z]|$)", usage, re.M)
    for name, line in commands:
        options = set(re.findall(r"--[a-z]+", line))
        assert options == set(re.findall(r"--[a-z]+", help_of(name))) - {"--help"}, name


def help_of(*command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "mnist_core", *command, "--help"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout


def test_the_table_of_recipes_is_what_the_command_prints():
    done = subprocess.run([sys.executable, "-m", "mnist_core", "recipes"], cwd=ROOT, text=True,
                          capture_output=True, check=True)  # fmt: skip
    table = re.search(r"<!-- table: recipes -->\n```\n(.*?)```", README, re.S)[1]
    assert done.stdout.startswith(f"{table}\n") and len(table.splitlines()) > 5


def test_what_the_readme_says_of_the_default_model_is_so():
    about = models.default().about
    assert f"{about['test_accuracy']:.2%}".replace("%", " %") in README
    assert about["command"] in README
    assert models.DEFAULT.stat().st_size <= 2 * 2**20


def test_numbers_of_the_design_limits_and_tables():
    words = {3: "three", 6: "six", 7: "seven", 8: "eight", 9: "nine", 10: "ten"}
    assert f"{words[len(spec.OPTIMIZERS)]} optimizers" in README
    blocks = f"{words[spec.LIMITS['convolutions'].high]} convolution blocks"
    assert f"Up to {blocks} and {words[spec.LIMITS['layers'].high]} dense layers" in README


def test_every_requirement_is_pinned_and_says_what_it_is_for():
    lines = [line for path in REQUIREMENTS for line in path.read_text().splitlines()]
    for line in filter(None, lines):
        if not line.startswith(("#", "-r")):
            requirement, _, reason = line.partition("#")
            assert re.fullmatch(r"[\w.-]+(\[\w+\])?==[\w.]+(; .*)?", requirement.strip()), line
            assert reason.strip(), line


def test_what_the_app_imports_is_among_what_it_needs():
    """And not by chance there, because something else needs it too. `tools` may need the tests'."""
    needed = REQUIREMENTS[0].read_text().lower()
    listed = set(re.findall(r"^([\w.-]+)==", needed, re.M))
    ours = {"mnist_core", "pages", "umap", *sys.stdlib_module_names}
    distributions = packages_distributions()
    for path in SOURCES:
        if path.is_relative_to(ROOT / "mnist_core" / "tools"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module]
            for root in {name.split(".")[0] for name in names} - ours:
                owners = {owner.lower().replace("_", "-") for owner in distributions[root]}
                assert owners & listed, f"{path.relative_to(ROOT)} imports {root}"


def test_what_only_tests_need_is_kept_from_the_app():
    app, tests = (path.read_text() for path in REQUIREMENTS)
    names = [set(re.findall(r"^([\w.-]+)(?:\[\w+\])?==", text, re.M)) for text in (app, tests)]
    assert not names[0] & names[1]
    assert {"pytest", "playwright", "onnxruntime", "ipykernel", "pyright", "ruff"} <= names[1]
    assert "-r ../requirements.txt" in tests.splitlines()
