"""Which browser is found, and what is said when there is none."""

import subprocess
import sys

import pytest

from mnist_core.tools import browser


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A function that puts an executable of a name on an otherwise empty PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CHROMIUM", raising=False)

    def install(name):
        path = tmp_path / name
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
        return str(path)

    return install


@pytest.mark.parametrize("name", browser.NAMES)
def test_a_browser_is_found_by_each_of_its_names(installed, name):
    path = installed(name)
    assert browser.find() == path


def test_the_environment_comes_first(installed, monkeypatch):
    installed("chromium")
    monkeypatch.setenv("CHROMIUM", mine := installed("my-browser"))
    assert browser.find() == mine


def test_none_at_all_is_one_sentence(installed):
    with pytest.raises(RuntimeError, match=r"There is no chromium, .* or google-chrome-stable: "):
        browser.find()


def test_one_that_was_named_and_is_not_there_is_not_replaced(installed, monkeypatch):
    installed("chromium")
    monkeypatch.setenv("CHROMIUM", "/nowhere/chrome")
    with pytest.raises(RuntimeError, match="There is no /nowhere/chrome: install"):
        browser.find()


def test_ci_can_ask_before_anything_is_installed(installed):
    path = installed("google-chrome")
    command = [sys.executable, "-I", "-S", "-c", "import sys; sys.path.insert(0, '.'); "
               "import runpy; runpy.run_module('mnist_core.tools.browser', run_name='__main__')"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, path), done.stderr
