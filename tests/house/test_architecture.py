"""Who may call whom: the rules of the house, held over the imports as they are written."""

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
CORE = ROOT / "mnist_core"
PAGES = ROOT / "pages"
MAP = ROOT / ".github" / "ARCHITECTURE.md"

# The packages of the core, lowest first: each imports only from those before it.
LAYERS = (
    "basis", "storage", "imaging", "network", "design", "data", "statistics", "lessons",
    "training", "estimates", "runs",
    "jobs", "analysis", "charts", "exports", "tools", "commands",
)  # fmt: skip
MOST_FILES = {"mnist_core": 12, "pages": 15}  # of a folder, its __init__ aside
SHARED = ("_shell", "_components")  # what every page may import; components import no page
TENSORFLOW = {"tensorflow", "keras"}
# What loads TensorFlow, in a worker or by the command line; pages import none of it.
WITH_TENSORFLOW = {
    "mnist_core.training.engine", "mnist_core.estimates.calibrate", "mnist_core.jobs.tapes",
    "mnist_core.tools", "mnist_core.commands",
}  # fmt: skip
# Packages that run in a notebook alone, and the third parties that they may need for it.
ALONE = {
    "imaging": {"numpy", "scipy", "PIL"},
    "network": {"numpy"},
    "design": {"numpy"},
    "lessons": {"numpy"},
}
named = pytest.mark.parametrize


class Import(NamedTuple):
    """One name that a file imports: "mnist_core.design.spec.RunSpec", and where it says so."""

    name: str
    path: Path
    line: int

    @property
    def package(self) -> str:
        """The package of the core, or the folder or page of `pages`, that is imported from."""
        return [*self.name.split("."), ""][1]

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line} imports {self.name}"


def imports(path: Path, text: str | None = None, types: bool = True) -> list[Import]:
    """Every import of the file, those inside functions too; relative ones are written out. Without
    `types`, those that only a type checker reads are left out."""
    found = []
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    tree = ast.parse(path.read_text() if text is None else text)
    for node in () if types else list(ast.walk(tree)):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [Import(alias.name, path, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join(filter(None, (*above, node.module)))
            found += [Import(f"{module}.{a.name}", path, node.lineno) for a in node.names]
    return found


def sources(*folders: Path) -> list[Path]:
    return sorted(path for folder in folders for path in folder.rglob("*.py"))


def told(broken: list[Import], rule: str) -> str:
    return "\n".join([rule, *map(str, broken)])


def upward(found: list[Import], layer: str) -> list[Import]:
    """Those of the core's own packages that do not stand below `layer`."""
    below = LAYERS[: LAYERS.index(layer) + 1]
    ours = [i for i in found if i.name.startswith("mnist_core.")]
    return [i for i in ours if i.package not in below]


# ------------------------------------------------------------------- the layers


def test_the_core_is_its_packages_and_nothing_beside():
    inside = {path.name for path in CORE.iterdir()} - {"__pycache__"}
    assert inside == {"__init__.py", "__main__.py", *LAYERS}


@named("layer", LAYERS)
def test_a_package_imports_only_what_stands_below_it(layer):
    found = [i for path in sources(CORE / layer) for i in imports(path)]
    broken = upward(found, layer)
    assert not broken, told(broken, f"{layer} may import {LAYERS[: LAYERS.index(layer)]}:")


@named("text", [
    "from mnist_core.jobs import Service",
    "import mnist_core.jobs.service",
    "def f():\n    from ..jobs.service import Service",
    "def f():\n    from .. import jobs",
])  # fmt: skip
def test_a_broken_rule_is_seen_with_its_file_and_line(text):
    path = CORE / "design" / "spec.py"
    (broken,) = upward(imports(path, text), "design")
    assert str(broken).startswith(f"mnist_core/design/spec.py:{len(text.splitlines())} imports")


def test_no_module_of_the_core_imports_in_a_circle():
    graph = {_dotted(path): _modules(path) for path in sources(CORE)}
    done: set[str] = set()

    def walk(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, " -> ".join((*way[way.index(module) :], module))
        if module not in done:
            for other in sorted(graph[module]):
                walk(other, (*way, module))
            done.add(module)

    for module in graph:
        walk(module, ())


def _dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def _modules(path: Path) -> set[str]:
    """The modules of the core that a file imports; a package's own `__init__` is not one: Python
    runs it before them anyway."""
    known = {_dotted(p) for p in sources(CORE) if p.stem != "__init__"}
    own, found = _dotted(path), set()
    for i in imports(path, types=False):
        parent = i.name.rpartition(".")[0]
        found |= {name for name in (i.name, parent) if name in known}
    return found - {own}


@named("folder", [CORE / layer for layer in LAYERS] + sorted(
    path for path in PAGES.iterdir() if path.is_dir() and path.stem != "__pycache__"
), ids=lambda p: p.name)  # fmt: skip
def test_a_folder_can_be_taken_in_at_a_glance(folder):
    here = [p for p in folder.iterdir() if p.stem not in ("__init__", "__pycache__")]
    most = MOST_FILES[folder.parent.name]
    assert len(here) <= most, f"{folder.name} has {len(here)} entries: it is two things."


@named("layer", LAYERS)
def test_an_init_says_what_its_package_is_for_and_hands_out_its_names(layer):
    tree = ast.parse((CORE / layer / "__init__.py").read_text())
    rest = tree.body[1:]
    text = ast.get_docstring(tree) or ""
    assert len(text.splitlines()) > 2 and "ever" in text, "what it is for, and what it never does"
    said = " ".join(text.split()).rpartition(" May import ")[2]
    may = set() if text.endswith("Imports no other package.") else set(re.findall(r"`(\w+)`", said))
    found = [i for path in sources(CORE / layer) for i in imports(path)]
    own = [i for i in found if i.name.startswith("mnist_core.") and i.package != layer]
    broken = [i for i in own if i.package not in may]
    assert not broken, told(broken, f"{layer} says that it may import {sorted(may)}:")
    assert may == {i.package for i in own}, "it says more than it does"
    for node in rest:
        is_all = isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__"
        handed = isinstance(node, ast.ImportFrom) and node.level == 1
        assert handed or is_all, ast.unparse(node)


# --------------------------------------------------------- pages, core, libraries


def test_the_router_imports_the_shell_and_nothing_of_the_core():
    found = {i.name.rpartition(".")[0] for i in imports(ROOT / "app.py")}
    assert found <= {"", "pages._shell", "pages._shell.navigation", "pages._shell.notes"}


@named("path", sources(PAGES), ids=lambda p: str(p.relative_to(PAGES)))
def test_a_page_imports_its_own_folder_and_what_all_share(path):
    parts = path.relative_to(PAGES).parts
    home = parts[0] if len(parts) > 1 else f"_{path.stem}"
    allowed = {home, *SHARED} if home != "_components" else {home}
    found = [i for i in imports(path) if i.name.startswith("pages.")]
    broken = [i for i in found if i.package not in allowed]
    assert not broken, told(broken, f"{home} may import {sorted(allowed)}:")


@named("path", sources(PAGES), ids=lambda p: str(p.relative_to(PAGES)))
def test_no_page_imports_tensorflow_or_what_loads_it(path):
    broken = [
        i for i in imports(path)
        if i.name.split(".")[0] in TENSORFLOW
        or any(f"{i.name}.".startswith(f"{module}.") for module in WITH_TENSORFLOW)
    ]  # fmt: skip
    assert not broken, told(broken, "The web process stays free of TensorFlow:")


@named("path", sources(CORE), ids=lambda p: str(p.relative_to(CORE)))
def test_the_core_knows_neither_pages_nor_streamlit(path):
    unwanted = {"pages", "streamlit", "streamlit_drawable_canvas"}
    broken = [i for i in imports(path) if i.name.split(".")[0] in unwanted]
    assert not broken, told(broken, "The core is used without the app:")


@named("path", sources(CORE), ids=lambda p: str(p.relative_to(CORE)))
def test_only_the_engine_imports_tensorflow(path):
    found = [i for i in imports(path) if i.name.split(".")[0] in TENSORFLOW]
    if path == CORE / "training" / "engine.py":
        assert {i.name for i in found} >= TENSORFLOW
    else:
        assert not found, told(found, "Only training/engine.py imports TensorFlow:")


@named("package", ALONE)
def test_a_package_for_notebooks_stands_alone(package):
    ours = {"mnist_core", "__future__", *sys.stdlib_module_names}
    found = [i for path in sources(CORE / package) for i in imports(path)]
    broken = [i for i in found if i.name.split(".")[0] not in ours | ALONE[package]]
    assert not broken, told(broken, f"{package} needs {sorted(ALONE[package])} and no more:")


def attributes(path: Path) -> set[str]:
    return {n.attr for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Attribute)}


@named("path", [*sources(PAGES), ROOT / "app.py"], ids=lambda p: str(p.relative_to(ROOT)))
def test_the_session_and_the_caches_have_one_home_each(path):
    found, shell = attributes(path), PAGES / "_shell"
    assert path == shell / "session.py" or "session_state" not in found
    caches = (shell / "shared.py", shell / "answering.py")
    assert path in caches or not found & {"cache_data", "cache_resource"}


@named("path", sources(*(CORE / x for x in LAYERS[:-1])), ids=lambda p: str(p.relative_to(CORE)))
def test_the_core_never_prints(path):
    calls = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)]
    assert not [c for c in calls if getattr(c.func, "id", "") == "print"]


# ------------------------------------------------------------- what an import costs


def loaded(*names: str) -> set[str]:
    """The modules in a fresh process that has imported these."""
    code = f"import sys, importlib\nfor name in {names}: importlib.import_module(name)\n"
    done = subprocess.run(
        [sys.executable, "-c", code + "print(*sys.modules)"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(done.stdout.split())


def test_importing_the_core_loads_nothing_of_it():
    assert not {name for name in loaded("mnist_core") if name.startswith("mnist_core.")}


def test_importing_the_packages_is_cheap():
    """All of them together, so each of them too."""
    dear = {"tensorflow", "keras", "streamlit", "pandas", "sklearn", "distributed", "optuna"}
    assert not loaded(*(f"mnist_core.{layer}" for layer in LAYERS)) & dear


def test_the_web_process_stays_free_of_tensorflow_and_scikit_learn():
    """All of the core that a page may import, in a fresh process."""
    names = [_dotted(path) for path in sources(CORE)]
    names = [n for n in names if not any(f"{n}.".startswith(f"{x}.") for x in WITH_TENSORFLOW)]
    found = loaded(*(name for name in names if not name.endswith("__main__")))
    assert "dask" in found and not found & {"tensorflow", "keras", "sklearn"}


def test_what_the_contract_names_can_be_had_from_its_package():
    """The public names that notebooks, the command line and measurements from outside use."""
    from mnist_core.data import Brought, DataError, load, read_files
    from mnist_core.design import RECIPES, RunSpec
    from mnist_core.imaging import Reading, read_digits, read_image, to_mnist
    from mnist_core.network import Network
    from mnist_core.runs import models
    from mnist_core.training import train

    assert issubclass(DataError, ValueError) and all(
        callable(x)
        for x in (Brought, load, read_files, RunSpec, Reading, read_digits, read_image, to_mnist,
                  Network.from_weights, models.default, models.load, train)
    )  # fmt: skip
    assert all(isinstance(recipe.spec, RunSpec) for recipe in RECIPES.values())


# -------------------------------------------------------------------- at the top


def test_nothing_else_stands_at_the_top():
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    top = {name.split("/")[0] for name in tracked}
    allowed = {"app.py", "pages", "mnist_core", "tests", "requirements.txt", "README.md", "LICENSE"}
    assert {name for name in top if not name.startswith(".")} <= allowed
