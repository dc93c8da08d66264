"""What several test files share: the digits, a small cut of them, and random designs."""

import logging
import os
from dataclasses import replace

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before any test file imports TensorFlow

from streamlit.runtime.scriptrunner import script_runner

from mnist_core.data import dataset, formats
from mnist_core.design.spec import (
    ACTIVATIONS,
    FRAMEWORKS,
    INITIALIZERS,
    KEEPS,
    OPTIMIZERS,
    SCHEDULES,
    Conv,
    Layer,
    RunSpec,
)
from tests.serving import chromium


def pytest_collection_modifyitems(items):
    """A test that drives a browser gets a second chance whatever it failed for: on a busy machine
    a click may come while the page is being replaced. What is broken fails twice."""
    for item in items:
        if "browser" in item.fixturenames:
            item.add_marker(pytest.mark.flaky(reruns=1, only_rerun=[".*"]))


@pytest.fixture(scope="session", autouse=True)
def lab_home(tmp_path_factory):
    """No test reads or writes the user's own cache and runs."""
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("home")
        patch.setenv("MNIST_LAB_HOME", str(home))
        yield home


@pytest.fixture(scope="session", autouse=True)
def pages_beside_the_engine():
    """Here pages run in the process of the engine's tests, as they never do in the app. Streamlit
    would clear Keras after each of their runs, which takes longer than the page."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(script_runner, "_clean_problem_modules", lambda: None)
        yield


@pytest.fixture(scope="session")
def mnist(lab_home):
    """The full set if MNIST_DATA names it, else the sample."""
    return dataset.load("auto")


@pytest.fixture(scope="session")
def tiny(mnist, tmp_path_factory):
    """640 training and 200 test images, in a file that another process can load by `source`."""
    path = tmp_path_factory.mktemp("tiny") / "tiny.npz"
    train, test = (
        formats.Split(split.images[:n], split.labels[:n])
        for split, n in ((mnist.train, 640), (mnist.test, 200))
    )
    formats.write(path, replace(mnist, train=train, test=test))
    return dataset.load(path)


@pytest.fixture(scope="session")
def random_spec():
    """A function from a generator to a valid design, every field of it but the augmentation at
    random."""

    def common(rng):
        return {
            "activation": str(rng.choice(list(ACTIVATIONS))),
            "batch_norm": bool(rng.integers(2)),
            "dropout": float(rng.choice([0.0, 0.1, 1 / 3, 1e-5, 0.9, rng.uniform(0, 0.9)])),
        }

    def layer(rng, widest):
        return Layer(int(rng.integers(8, widest + 1)), **common(rng))

    def convolution(rng):  # small: tests build hundreds of these
        filters, kernel, pool = (int(rng.integers(*ends)) for ends in ((4, 7), (1, 4), (1, 3)))
        return Conv(filters, kernel, pool=pool, **common(rng))

    def draw(rng: np.random.Generator, widest: int = 512) -> RunSpec:
        loss = str(rng.choice(["sparse", "categorical"]))
        convolutions = int(rng.choice([0, 0, 1, 2]))
        spec = RunSpec(
            layers=tuple(layer(rng, widest) for _ in range(rng.integers(0, 7))),
            convolutions=tuple(convolution(rng) for _ in range(convolutions)),
            optimizer=str(rng.choice(list(OPTIMIZERS))),
            learning_rate=float(10 ** rng.uniform(-6, 1)),
            batch_size=int(rng.integers(2, 1025)),
            epochs=int(rng.integers(1, 101)),
            validation=str(rng.choice(["share", "test"])),
            validation_share=float(rng.uniform(0.05, 0.5)),
            seed=int(rng.integers(0, 2**31)),
            schedule=str(rng.choice(list(SCHEDULES))),
            initializer=str(rng.choice(list(INITIALIZERS))),
            l2=float(rng.choice([0.0, 1e-4, rng.uniform(0, 0.1)])),
            loss=loss,
            label_smoothing=float(rng.choice([0.0, rng.uniform(0, 0.5)]) * (loss != "sparse")),
            keep=str(rng.choice(list(KEEPS))),
            patience=int(rng.integers(0, 21)),
        )
        able = [f for f, known in FRAMEWORKS.items() if spec.optimizer in known.optimizers]
        return replace(spec, framework=str(rng.choice(able)))

    return draw


@pytest.fixture(scope="session")
def digits_file(mnist):
    """The path of a file with these digits, for a server that must not download others."""
    return mnist.source if mnist.source != "sample" else str(dataset.cache_path("sample.npz"))


@pytest.fixture(scope="module")
def browser():
    """Chromium. For one module, because Playwright keeps an event loop in this thread."""
    with chromium() as browser:
        yield browser


@pytest.fixture(autouse=True)
def faults():
    """What was recorded as a fault of ours. A test that provokes one clears it away; any other
    fails by it, though the page says only that something went wrong."""
    found = []

    class Kept(logging.Handler):
        def emit(self, record):
            found.append(record)

    logger, kept = logging.getLogger("mnist_lab"), Kept(logging.ERROR)
    logger.addHandler(kept)
    yield found
    logger.removeHandler(kept)
    assert not found, "\n".join(logging.Formatter().format(record) for record in found)
