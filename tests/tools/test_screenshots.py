"""The README's pictures: which there are, and that one command takes them."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from mnist_core.__main__ import main
from mnist_core.tools import screenshots
from mnist_core.tools.bench_app import ROOT
from pages._shell import navigation
from tests.serving import chromium

FOLDER = ROOT / ".github" / "screenshots"


def test_each_page_has_its_view():
    assert set(screenshots.VIEWS) >= set(navigation.PAGES)


def test_the_readme_shows_every_picture_that_is_there():
    shown = re.findall(r"\.github/screenshots/([\w-]+\.png)", (ROOT / "README.md").read_text())
    assert set(shown) == {path.name for path in FOLDER.glob("*.png")}


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.png")), ids=lambda path: path.stem)
def test_pictures_are_small_files_of_the_promised_size(path):
    assert path.stat().st_size < 150_000
    assert Image.open(path).size == (screenshots.WIDTH, screenshots.HEIGHT)


@pytest.mark.slow
def test_one_command_takes_them_all(tmp_path, digits_file):
    needs_a_browser()
    command = [sys.executable, "-m", "mnist_core", "screenshots", "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | {"MNIST_DATA": digits_file},
                          capture_output=True, text=True, timeout=300)  # fmt: skip
    assert done.returncode == 0, done.stderr
    expected = {f"{stem}-{theme}.png" for stem in navigation.PAGES for theme in screenshots.THEMES}
    assert {Path(line).name for line in done.stdout.splitlines()} == expected
    assert {path.name for path in tmp_path.iterdir()} == expected


def needs_a_browser():
    with chromium():
        pass


def test_without_chromium_one_sentence_says_so(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("CHROMIUM", str(tmp_path / "none"))
    assert main(["screenshots", "--out", str(tmp_path)]) == 2
    said = capsys.readouterr().err.strip()
    assert "Chromium" in said or "Playwright" in said
    assert "Traceback" not in said and not list(tmp_path.glob("*.png"))
