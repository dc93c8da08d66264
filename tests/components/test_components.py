"""The components: their files, and their logic by Node's own test runner, without Streamlit."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = sorted(path.parent for path in (ROOT / "pages" / "_components").glob("*/index.js"))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_the_logic_holds_in_node(folder):
    if not shutil.which("node"):
        if os.environ.get("REQUIRE_NODE") == "1":
            pytest.fail("There is no node; REQUIRE_NODE=1 asks for the tests of the components.")
        pytest.skip("There is no node: install Node.js 20 to test the components' JavaScript.")
    test = Path(__file__).with_name(f"{folder.name}.test.mjs")
    assert test.exists(), f"{folder.name} has no {test.name}"
    done = subprocess.run(["node", "--test", str(test)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "# fail 0" in done.stdout and "# tests 0" not in done.stdout


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_a_folder_has_its_code_its_look_and_its_python(folder):
    assert {"index.js", "style.css", "__init__.py"} <= {path.name for path in folder.iterdir()}
    assert "export default function" in (folder / "index.js").read_text()
    assert "def show(" in (folder / "__init__.py").read_text()


def test_no_component_is_left_in_a_string():
    sources = [*(ROOT / "pages").rglob("*.py")]
    known = {ROOT / "pages" / "_components" / "loading.py"}
    assert FOLDERS and not [
        path for path in sources if "v2.component(" in path.read_text() and path not in known
    ]
