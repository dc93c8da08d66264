"""The command line: results on stdout, progress on stderr, one sentence for bad input."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mnist_core.__main__ import main
from mnist_core.data import dataset
from mnist_core.design import recipes
from mnist_core.design.spec import Conv, Layer, RunSpec
from mnist_core.network.initial import initial_weights
from mnist_core.runs import models

ROOT = Path(__file__).parents[2]


def command(*argv: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "mnist_core", *argv], cwd=ROOT, capture_output=True, text=True,
        env=os.environ | environment, timeout=120,
    )  # fmt: skip


@pytest.fixture
def digit(mnist, tmp_path):
    """A test image as a PNG of eight times the size, and its label."""
    i = int(np.flatnonzero(mnist.test.labels == 3)[0])
    big = Image.fromarray(mnist.test.images[i]).resize((224, 224), Image.Resampling.BICUBIC)
    big.save(tmp_path / "digit.png")
    return str(tmp_path / "digit.png")


@pytest.fixture
def small(monkeypatch):
    """A recipe that trains in a moment."""
    spec = RunSpec((Layer(24, batch_norm=True),), batch_size=16, epochs=3)
    monkeypatch.setitem(recipes.RECIPES, "small", recipes.Recipe("T", spec, "a test", "Nothing."))
    return spec


# ---- in this process


def test_train_reports_what_it_did(small, tiny, capsys, tmp_path):
    path = tmp_path / "model.npz"
    argv = ["train", "--recipe", "small", "--epochs", "4", "--seed", "7", "--data", tiny.source]
    assert main([*argv, "--save", str(path), "--json"]) == 0
    out, err = capsys.readouterr()
    result = json.loads(out.splitlines()[-1])
    assert (result["recipe"], result["seed"], result["data"]) == ("small", 7, tiny.name)
    assert result["test_accuracy"] > 0.5 and result["test_loss"] > 0
    assert result["compile_seconds"] > 0 and result["images_per_second"] > 0
    epochs = result["epochs"]
    assert [epoch["epoch"] for epoch in epochs] == [1, 2, 3, 4]
    assert {"seconds", "accuracy", "val_accuracy", "loss", "val_loss"} <= epochs[0].keys()
    assert epochs[-1]["loss"] < epochs[0]["loss"]
    assert "epoch 4/4" in err and "epoch" not in out.splitlines()[0]

    model = models.load(path)
    assert model.spec == replace(small, epochs=4, seed=7)
    right = model.network.predict(tiny.test.images).argmax(axis=1) == tiny.test.labels
    assert right.mean() == pytest.approx(result["test_accuracy"])
    assert model.about["test_accuracy"] == result["test_accuracy"]
    assert model.about["command"].startswith("python -m mnist_core train --recipe small --epochs 4")


@pytest.mark.parametrize("convolutions", [(), (Conv(6, batch_norm=True),)], ids=len)
def test_both_kinds_of_model_file_predict_the_same(
    convolutions, small, tiny, digit, capsys, tmp_path, monkeypatch
):
    recipe = recipes.Recipe("T", replace(small, convolutions=convolutions), "a test", "Nothing.")
    monkeypatch.setitem(recipes.RECIPES, "small", recipe)
    found = []
    for kind in ("npz", "keras"):
        path = str(tmp_path / f"model.{kind}")
        argv = ["train", "--recipe", "small", "--data", tiny.source, "--save", path]
        assert main(argv) == 0
        capsys.readouterr()
        assert main(["predict", "--model", path, digit, digit, "--json"]) == 0
        result = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert [p["image"] for p in result["predictions"]] == [digit, digit]
        found.append([p["probabilities"] for p in result["predictions"]])
    np.testing.assert_allclose(*found, atol=1e-5)


def test_without_json_nothing_but_sentences_is_printed(digit, capsys):
    assert main(["predict", "--model", "default", digit]) == 0
    out, err = capsys.readouterr()
    assert out.startswith(f"{digit}: 3 (") and len(out.splitlines()) == 1 and not err


def test_a_training_that_diverges_exits_with_1(tiny, monkeypatch, capsys):
    spec = RunSpec((Layer(64, "linear"),) * 3, "sgd", learning_rate=10.0, epochs=3)
    monkeypatch.setitem(recipes.RECIPES, "wild", recipes.Recipe("T", spec, "a test", "Nothing."))
    assert main(["train", "--recipe", "wild", "--data", tiny.source]) == 1
    out, err = capsys.readouterr()
    assert "learning rate" in err.splitlines()[-1] and not out


def test_fetch_says_where_the_digits_are(tiny, monkeypatch, capsys):
    monkeypatch.setenv("MNIST_DATA", tiny.source)
    assert main(["fetch"]) == 0
    assert capsys.readouterr().out.splitlines() == [tiny.name, tiny.source]


def test_fetch_downloads_with_progress(tiny, monkeypatch, capsys):
    def fetch(progress):
        progress(5_000_000, 10_000_000)
        progress(10_000_000, 10_000_000)

    monkeypatch.delenv("MNIST_DATA", raising=False)
    monkeypatch.setattr(dataset, "fetch", fetch)
    monkeypatch.setattr(dataset, "load", lambda source: tiny)
    assert main(["fetch"]) == 0
    out, err = capsys.readouterr()
    assert "\r5.0 of 10.0 MB\r10.0 of 10.0 MB\n" in err and tiny.source in out


def test_ctrl_c_ends_politely(monkeypatch, capsys):
    def interrupted(source):
        raise KeyboardInterrupt

    monkeypatch.setattr(dataset, "load", interrupted)
    assert main(["train", "--recipe", "quick"]) == 130
    assert capsys.readouterr().err == "Stopped; nothing was saved.\n"


def test_ablation_prints_a_row_for_each_part(monkeypatch, capsys):
    from mnist_core.tools import ablation

    rows = [{"left_out": name, "test_accuracy": 0.9874, "drawn_accuracy": drawn}
            for name, drawn in (("nothing", 0.9753), ("other hands", 0.8993))]  # fmt: skip
    monkeypatch.setattr(ablation, "run", lambda progress: rows)
    assert main(["ablation", "--json"]) == 0
    _, header, *table, last = capsys.readouterr().out.splitlines()
    assert header.startswith("left out") and header.endswith("drawings")
    assert [line.split()[-2:] for line in table] == [["98.74", "97.53"], ["98.74", "89.93"]]
    assert json.loads(last)["rows"] == rows


def test_bench_prints_a_table_and_the_machine(monkeypatch, capsys):
    from mnist_core.tools import bench, bench_app, bench_estimates, bench_sweep

    app = {"watched_slowdown": 0.02}
    ms = {"engine_ms": 0.24, "fit_ms": 4.6, "tuned_fit_ms": 1.11, "limit_ms": 0.08,
          "fit_over_engine": 19.2, "tuned_fit_over_engine": 4.6, "engine_over_limit": 3.0}
    result = {"cpu": "A CPU", "cores": 2, "peak_gflops": 158.0, "repeats": 3,
              "networks": [{"name": "784-128-10, adam, 32", **ms}]}  # fmt: skip
    costs = [{"grows": "depth", "value": n, "seconds": n / 2} for n in (1, 2)]
    monkeypatch.setattr(bench, "run", lambda progress: result)
    told = {"name": "784-10, sgd, 32", "predicted_seconds": 0.44, "measured_seconds": 0.4,
            "seconds_error": 0.1, "predicted_bytes": 900_000_000, "measured_bytes": 10**9,
            "bytes_error": -0.1}  # fmt: skip
    monkeypatch.setattr(bench, "costs", lambda progress: costs)
    looks = [{"name": "784-10", "alone": 4.0, "looked": 4.1, "more": 0.025}]
    monkeypatch.setattr(bench, "looks", lambda progress: looks)
    sweep = {"sweep_training_share": 0.8}
    monkeypatch.setattr(bench_sweep, "run", lambda progress: sweep)
    monkeypatch.setattr(bench_app, "run", lambda progress: app)
    monkeypatch.setattr(bench_estimates, "run", lambda progress: [told])
    assert main(["bench", "--json"]) == 0
    machine, header, row, *others, last = capsys.readouterr().out.splitlines()
    assert machine.startswith("A CPU, 2 cores, peak 158 GFLOP/s")
    assert header.split()[:3] == ["network", "engine", "fit"]
    assert row.split()[3:6] == ["0.24", "4.60", "1.11"] and len(row) == len(header)
    depths = [["depth", "1", "2"], ["seconds", "0.50", "1.00"]]
    assert [line.split() for line in others[2:4]] == depths
    assert ["watched", "slowdown", "0.020"] in [line.split() for line in others]
    assert ["sweep", "training", "share", "0.800"] in [line.split() for line in others]
    assert others[-1].split()[-6:] == ["0.44", "0.40", "+10%", "900", "1000", "-10%"]
    assert ["784-10", "4.00", "4.10", "+2.5%"] in [line.split() for line in others]
    assert json.loads(last) == result | {
        "costs": costs, "looks": looks, "sweep": sweep, "app": app, "estimates": [told],
    }  # fmt: skip


def test_bench_without_a_browser_still_prints_the_rest(monkeypatch, capsys):
    from mnist_core.tools import bench, bench_estimates, bench_sweep

    machine = {"cpu": "A CPU", "cores": 2, "peak_gflops": 158.0, "repeats": 3, "networks": []}
    monkeypatch.setattr(bench, "run", lambda progress: machine)
    monkeypatch.setattr(bench, "costs", lambda progress: [])
    monkeypatch.setattr(bench, "looks", lambda progress: [])
    monkeypatch.setattr(bench_sweep, "run", lambda progress: {})
    monkeypatch.setattr(bench_estimates, "run", lambda progress: [])
    monkeypatch.setenv("CHROMIUM", "/nowhere/chromium")
    assert main(["bench", "--json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out.splitlines()[-1])["app"] is None
    assert "There is no /nowhere/chromium: install Chromium" in said.err


# ---- what is refused

BAD = {
    "no command": ([], "The following arguments are required: COMMAND"),
    "unknown command": (["fly"], "invalid choice: 'fly'"),
    "no recipe": (["train"], "required: --recipe"),
    "unknown recipe": (["train", "--recipe", "x"], "no recipe 'x'; known are bn-128, bn-512-256"),
    "epochs not a number": (["train", "--recipe", "quick", "--epochs", "x"], "invalid int"),
    "no epochs": (["train", "--recipe", "quick", "--epochs", "0"], "number of epochs"),
    "a negative seed": (["train", "--recipe", "quick", "--seed", "-1"], "seed"),
    "unknown option": (["recipes", "--fast"], "Unrecognized arguments: --fast"),
    "no such recipe": (["recipes", "--only", "nope"], "no recipe 'nope'; there are bn-128"),
    "missing data": (["train", "--recipe", "quick", "--data", "{tmp}/no.npz"], "does not exist"),
    "bad data": (["train", "--recipe", "quick", "--data", "{tmp}/text.npz"], "text.npz"),
    "save as what": (["train", "--recipe", "quick", "--save", "{tmp}/m.h5"], ".npz or .keras"),
    "save where": (["train", "--recipe", "quick", "--save", "{tmp}/no/m.npz"], "cannot be written"),
    "no image": (["predict", "--model", "default"], "required: IMAGE"),
    "missing image": (["predict", "--model", "default", "{tmp}/no.png"], "cannot be opened"),
    "not an image": (["predict", "--model", "default", "{tmp}/text.npz"], "not a picture"),
    "empty image": (["predict", "--model", "default", "{tmp}/blank.png"], "blank.png: There is no"),
    "missing model": (["predict", "--model", "{tmp}/no.npz", "{tmp}/ok.png"], "cannot be read"),
    "missing Keras": (["predict", "--model", "{tmp}/no.keras", "{tmp}/ok.png"], "cannot be read"),
    "bad model": (["predict", "--model", "{tmp}/text.npz", "{tmp}/ok.png"], "is damaged"),
    "bad Keras": (["predict", "--model", "{tmp}/text.keras", "{tmp}/ok.png"], "is damaged"),
    "foreign Keras": (["predict", "--model", "{tmp}/zip.keras", "{tmp}/ok.png"], "not a Keras"),
    "what model": (["predict", "--model", "best", "{tmp}/ok.png"], "--model takes"),
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "text.npz").write_text("hello")
    (tmp_path / "text.keras").write_text("hello")
    weights = initial_weights(RunSpec((Layer(8),)), np.random.default_rng(0))
    models.save(tmp_path / "zip.keras", RunSpec((Layer(8),)), weights, {})
    Image.new("L", (50, 50)).save(tmp_path / "blank.png")
    stroke = Image.new("L", (50, 50))
    stroke.paste(255, (20, 10, 28, 40))
    stroke.save(tmp_path / "ok.png")
    return tmp_path


@pytest.mark.parametrize(("argv", "expected"), BAD.values(), ids=BAD)
def test_bad_input_gets_one_sentence_and_exit_code_2(argv, expected, folder, capsys):
    assert main([part.replace("{tmp}", str(folder)) for part in argv]) == 2
    out, err = capsys.readouterr()
    assert expected in err and not out
    assert len(err.splitlines()) == 1 and err.endswith(".\n")


# ---- as a process of its own


def test_one_recipe_is_listed_alone(capsys):
    assert main(["recipes", "--only", "bn-128"]) == 0
    out = capsys.readouterr().out
    assert [line.split()[0] for line in out.splitlines()[:2]] == ["recipe", "bn-128"]
    assert "bn-512-256" not in out


def test_one_bad_image_does_not_cost_the_good_ones(tmp_path, tiny, capsys):
    good, blank = str(tmp_path / "good.png"), str(tmp_path / "blank.png")
    Image.fromarray(tiny.test.images[0]).save(good)
    Image.new("L", (40, 40), 255).save(blank)
    assert main(["predict", "--model", "default", blank, good, good, "--json"]) == 2
    out, err = capsys.readouterr()
    *lines, last = out.splitlines()
    assert [line.split(":")[0] for line in lines] == [good, good]
    found = json.loads(last)
    assert [p["image"] for p in found["predictions"]] == [good, good]
    assert list(found["refused"]) == [blank] and "There is no ink" in found["refused"][blank]
    assert err.count("blank.png: There is no ink") == 1


def test_recipes_come_without_tensorflow():
    code = "import sys, mnist_core.__main__ as cli; cli.main(['recipes']); print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    *table, modules = run.stdout.splitlines()
    assert [line.split()[0] for line in table[1 : 1 + len(recipes.RECIPES)]] == [*recipes.RECIPES]
    assert not {"tensorflow", "keras", "numpy", "PIL"} & set(modules.split())
    assert "98.40 %" in run.stdout


def test_a_process_trains_and_keeps_stdout_clean(tiny):
    argv = ("train", "--recipe", "bn-128", "--epochs", "1", "--data", tiny.source, "--json")
    run = command(*argv)
    assert run.returncode == 0
    sentence, last = run.stdout.splitlines()
    assert sentence.startswith("test accuracy") and json.loads(last)["recipe"] == "bn-128"
    assert [line.split()[0] for line in run.stderr.splitlines()] == ["bn-128", "compiled", "epoch"]


def test_a_process_refuses_with_exit_code_2():
    run = command("train", "--recipe", "nonsense")
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.startswith("There is no recipe 'nonsense'")


def test_help_names_every_command():
    run = command("--help")
    assert run.returncode == 0
    assert all(name in run.stdout for name in
               ("fetch", "recipes", "train", "predict", "ablation", "bench"))  # fmt: skip


def test_a_training_in_numpy_loads_no_tensorflow(tiny):
    code = (
        "import sys; from mnist_core.__main__ import main\n"
        f"code = main(['train', '--recipe', 'numpy-128-64-32', '--epochs', '1', '--json', "
        f"'--data', {tiny.source!r}])\n"
        "print(code, 'tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    *_, result, last = done.stdout.splitlines()
    assert last == "0 False", done.stderr
    assert json.loads(result)["recipe"] == "numpy-128-64-32"
