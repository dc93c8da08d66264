"""Who may call whom: the rules of the house, held over the imports as they are written."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CORE = sorted((ROOT / "mnist_core").glob("*.py"))
PAGES = sorted((ROOT / "pages").glob("*.py"))
PRIVATE = {f"pages.{path.stem}" for path in PAGES if path.stem.startswith("_")}
TENSORFLOW = {"tensorflow", "keras"}
WITH_ENGINE = {"ablation", "engine", "bench", "bench_fit", "bench_estimates", "calibrate",
               "tapes", "__init__"}  # fmt: skip
LEAVES = {
    "choices": set(),
    "control": set(),
    "estimate": set(),
    "host": set(),
    "schedules": {"numpy"},
    "rules": set(),
    "augment": {"numpy"},
    "spec": set(),
    "lesson": set(),
    "variations": set(),
    "events": {"numpy"},
    "snapshots": {"numpy"},
    "pixels": {"numpy"},
    "shapes": {"numpy"},
    "typical": {"numpy"},
    "tables": {"numpy"},
    "network": {"numpy"},
    "descent": {"numpy"},
    "microscope": {"numpy"},
    "formulas": {"numpy"},
    "gradients": {"numpy"},
    "habits": {"numpy", "scipy", "PIL", "sklearn"},
    "pictures": {"numpy", "PIL"},
    "paper": {"numpy", "scipy", "PIL"},
    "finder": {"numpy", "scipy"},
    "cutter": {"numpy", "scipy"},
    "drawing": {"numpy", "PIL"},
    "normal": {"numpy", "scipy", "PIL"},
    "projections": {"numpy", "sklearn", "umap"},
    "suspects": {"numpy", "scipy"},
    "evaluation": {"numpy", "scipy"},
    "explain": {"numpy"},
    "surfaces": {"numpy"},
    "concepts": {"numpy"},
    "overfitting": {"numpy"},
    "regression": {"numpy"},
    "calls": set(),
    "sources": set(),
}
# Leaves that were split: what they may import of each other.
BELOW = {
    "spec": {"choices", "rules"},
    "lesson": {"spec"},
    "rules": {"choices"},
    "variations": {"choices", "spec"},
    "control": {"choices"},
    "events": {"snapshots"},
    "habits": {"drawing"},
    "estimate": {"spec", "events"},
    "augment": {"choices"},
    "suspects": {"projections", "network"},
    "explain": {"network"},
    "microscope": {"network"},
    "formulas": {"microscope", "network"},
    "surfaces": {"network", "descent"},
    "concepts": {"network"},
    "overfitting": {"network", "descent"},
    "regression": {"descent"},
    "descent": {"network"},
    "gradients": {"network", "descent", "spec"},
    "paper": {"pictures"},
    "finder": {"cutter"},
    "drawing": {"pictures", "paper", "finder"},
}
named = pytest.mark.parametrize


def imports(path: Path) -> set[str]:
    """Every module that the file imports, anywhere in it; names of our own are kept in full."""
    package = path.parent.name
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                module = f"{package}.{module}".rstrip(".")
            of_ours = module in ("pages", "mnist_core")
            found |= {f"{module}.{a.name}" for a in node.names} if of_ours else {module}
    return found


def roots(modules: set[str]) -> set[str]:
    return {module.split(".")[0] for module in modules}


def third_party(path: Path) -> set[str]:
    ours = {"mnist_core", "pages", "__future__"}
    return roots(imports(path)) - set(sys.stdlib_module_names) - ours


def test_the_router_imports_the_pages_and_nothing_of_the_core():
    assert imports(ROOT / "app.py") == {"streamlit", "pages._ui"}


@named("path", PAGES, ids=lambda p: p.stem)
def test_a_page_imports_no_page_but_the_shared_ones(path):
    pages = {m for m in imports(path) if m.split(".")[0] == "pages"}
    assert pages <= PRIVATE


@named("path", PAGES, ids=lambda p: p.stem)
def test_no_page_imports_tensorflow_or_the_engine(path):
    assert not imports(path) & {f"mnist_core.{name}" for name in WITH_ENGINE}
    assert not roots(imports(path)) & TENSORFLOW


@named("path", CORE, ids=lambda p: p.stem)
def test_the_core_knows_neither_pages_nor_streamlit(path):
    assert not roots(imports(path)) & {"pages", "streamlit", "streamlit_drawable_canvas"}


@named("path", [p for p in CORE if p.stem != "engine"], ids=lambda p: p.stem)
def test_only_the_engine_imports_tensorflow(path):
    assert not roots(imports(path)) & TENSORFLOW


def test_the_engine_does_import_tensorflow():
    assert roots(imports(ROOT / "mnist_core" / "engine.py")) >= TENSORFLOW


@named("leaf", LEAVES)
def test_a_leaf_stands_alone(leaf):
    path = ROOT / "mnist_core" / f"{leaf}.py"
    below = {f"mnist_core.{name}" for name in BELOW.get(leaf, ())}
    assert {m for m in imports(path) if m.startswith("mnist_core")} <= below
    assert third_party(path) <= LEAVES[leaf]


def attributes(path: Path) -> set[str]:
    return {n.attr for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Attribute)}


@named("path", [*PAGES, ROOT / "app.py"], ids=lambda p: p.stem)
def test_the_session_and_the_caches_have_one_home_each(path):
    found = attributes(path)
    assert path.stem == "_session" or "session_state" not in found
    assert path.stem in ("_shared", "_models") or not found & {"cache_data", "cache_resource"}


@named("path", [p for p in CORE if p.stem != "__main__"], ids=lambda p: p.stem)
def test_the_core_never_prints(path):
    calls = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)]
    assert not [c for c in calls if getattr(c.func, "id", "") == "print"]


def test_the_web_process_stays_free_of_tensorflow_and_scikit_learn():
    """All of the core that a page may import, in a fresh process."""
    names = [p.stem for p in CORE if p.stem not in WITH_ENGINE]
    heavy = {"tensorflow", "keras", "sklearn"}
    code = (
        "import sys, importlib\n"
        f"for name in {names}: importlib.import_module('mnist_core.' + name)\n"
        "assert 'dask' in sys.modules\n"
        f"print(sorted({heavy} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_the_package_says_what_each_module_is_for():
    text = ast.get_docstring(ast.parse((ROOT / "mnist_core" / "__init__.py").read_text()))
    listed = {line.split()[0] for line in text.splitlines() if line.startswith("    ")}
    assert listed == {p.stem for p in CORE} - {"__init__"}


def test_nothing_else_stands_at_the_top():
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    top = {name.split("/")[0] for name in tracked}
    allowed = {"app.py", "pages", "mnist_core", "tests", "requirements.txt", "README.md", "LICENSE"}
    assert {name for name in top if not name.startswith(".")} <= allowed
