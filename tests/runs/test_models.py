"""Model files come back as they were; anything else is refused in a sentence, and cheaply."""

import io
import json
import os
import tracemalloc
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from mnist_core.design.recipes import RECIPES
from mnist_core.design.spec import Layer, RunSpec
from mnist_core.network.initial import initial_weights, weight_shapes
from mnist_core.network.network import Network
from mnist_core.runs import models

SPEC = RunSpec((Layer(16, "tanh", batch_norm=True), Layer(8, dropout=0.25)), seed=3)
ABOUT = {"test_accuracy": 0.5, "test_loss": 1.25, "data": "none", "recipe": None, "seed": 3}


@pytest.fixture
def weights():
    rng = np.random.default_rng(1)
    return {name: w + rng.random(w.shape) for name, w in initial_weights(SPEC, rng).items()}


@pytest.fixture
def path(tmp_path, weights):
    models.save(tmp_path / "model.npz", SPEC, weights, ABOUT)
    return tmp_path / "model.npz"


def test_a_model_comes_back_as_it_was(path, weights, mnist):
    model = models.load(path)
    assert (model.spec, model.about) == (SPEC, ABOUT)
    images = mnist.test.images[:50]
    expected = Network.from_weights(SPEC, weights).predict(images)
    np.testing.assert_array_equal(model.network.predict(images), expected)
    assert [p.name for p in path.parent.iterdir()] == ["model.npz"]


def test_any_design_comes_back(random_spec, tmp_path):
    rng = np.random.default_rng(5)
    for spec in (random_spec(rng, widest=32) for _ in range(20)):
        models.save(tmp_path / "any.npz", spec, initial_weights(spec, rng), {})
        assert models.load(tmp_path / "any.npz").spec == spec


def test_the_file_is_plain_and_the_same_every_time(path, weights, tmp_path):
    models.save(tmp_path / "again.npz", SPEC, weights, ABOUT)
    assert (tmp_path / "again.npz").read_bytes() == path.read_bytes()
    with np.load(path, allow_pickle=False) as file:
        assert set(file.files) == {"about", *weight_shapes(SPEC)}


def test_weights_of_another_design_are_not_saved(tmp_path, weights):
    with pytest.raises(ValueError, match="dense_1/kernel"):
        models.save(tmp_path / "m.npz", RunSpec((Layer(9),)), weights, {})
    assert not list(tmp_path.iterdir())


def rewritten(path, **changed: bytes | None):
    """The members of the file with some replaced, added or (None) left out."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members |= {name.replace("__", "/") + ".npy": content for name, content in changed.items()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            if content is not None:
                archive.writestr(name, content)


def npy(array, **how) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, **how)
    return buffer.getvalue()


def about(**changed) -> bytes:
    said = {"spec": SPEC.to_query(), "about": ABOUT} | changed
    return npy(np.frombuffer(json.dumps(said).encode(), np.uint8))


BIAS = np.zeros(16, np.float32)
HUGE = npy(BIAS).replace(b"(16,), }   ", b"(99999999,), }")[: len(npy(BIAS))]
FOREIGN = {
    "no about": {"about": None},
    "about is not JSON": {"about": npy(np.frombuffer(b"{", np.uint8))},
    "about is nested beyond reason": {"about": npy(np.frombuffer(b"[" * 60_000, np.uint8))},
    "about is a list": {"about": npy(np.frombuffer(b"[]", np.uint8))},
    "about is too long": {"about": npy(np.zeros(100_000, np.uint8))},
    "another design": {"about": about(spec=RunSpec().to_query())},
    "an unknown key": {"about": about(spec={"v": "1", "evil": "1"})},
    "a huge design": {"about": about(spec={"v": "1", "net": "~".join(["1024-relu"] * 6)})},
    "spec is a number": {"about": about(spec=1)},
    "a weight is missing": {"dense_1__bias": None},
    "a weight too many": {"dense_9__bias": npy(BIAS)},
    "a weight of another shape": {"dense_1__bias": npy(BIAS[:8])},
    "a weight by columns": {"dense_1__kernel": npy(np.zeros((784, 16), np.float32, order="F"))},
    "a weight of float64": {"dense_1__bias": npy(np.zeros(16))},
    "a weight of bytes": {"dense_1__bias": npy(np.zeros(16, np.uint8))},
    "a weight that is not finite": {"dense_1__bias": npy(BIAS + np.nan)},
    "a pickle": {"dense_1__bias": npy(np.array([{}]), allow_pickle=True)},
    "a header that promises gigabytes": {"dense_1__bias": HUGE},
    "a bomb": {"dense_1__bias": npy(np.zeros(5_000_000, np.float32))},
    "not an array": {"dense_1__bias": b"hello"},
}


@pytest.mark.parametrize("changed", FOREIGN.values(), ids=FOREIGN)
def test_a_foreign_file_is_refused_in_one_sentence(path, changed):
    rewritten(path, **changed)
    tracemalloc.start()
    with pytest.raises(ValueError) as error:
        models.load(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    sentence = str(error.value)
    assert sentence.startswith(str(path)) and sentence.endswith(").") and "\n" not in sentence
    assert peak < 5e6


def test_a_size_that_lies_is_refused(path):
    """The zip directory says 192 bytes, the member unpacks to 20 MB."""
    bomb = npy(np.zeros(5_000_000, np.float32))
    rewritten(path, dense_1__bias=bomb)
    size = len(bomb).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(size, (192).to_bytes(4, "little")))
    with pytest.raises(ValueError, match="is damaged"):
        models.load(path)


@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.99])
def test_a_cut_file_is_refused(path, keep):
    content = path.read_bytes()
    path.write_bytes(content[: keep if isinstance(keep, int) else int(len(content) * keep)])
    with pytest.raises(ValueError, match="is damaged or not a model file"):
        models.load(path)


def test_every_flipped_byte_is_noticed_or_harmless(path):
    content, rng = path.read_bytes(), np.random.default_rng(2)
    whole = models.load(path).network.weights()
    for i in rng.integers(0, len(content), 150):
        path.write_bytes(content[:i] + bytes([content[i] ^ 0xFF]) + content[i + 1 :])
        try:
            found = models.load(path)
        except ValueError as error:
            assert "\n" not in str(error)
            continue
        for name, weight in found.network.weights().items():
            np.testing.assert_array_equal(weight, whole[name])


def packed(members: dict[str, bytes], how=zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", how) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def twice(content: bytes) -> bytes:
    """The model with one of its weights a second time."""
    buffer = io.BytesIO(content)
    with zipfile.ZipFile(buffer, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("dense_1/bias.npy", npy(BIAS))
    return buffer.getvalue()


UPLOADS = {
    "nothing": (lambda whole: b"", "File is not a zip file"),
    "another kind of file": (lambda whole: b"GIF89a" + bytes(100), "File is not a zip file"),
    "a pickle": (lambda whole: b"\x80\4\x95", "a Python pickle, which is never opened"),
    "one array": (lambda whole: npy(BIAS), "a single array, which is never opened"),
    "a Keras model": (
        lambda whole: packed({"config.json": b"{}", "model.weights.h5": b""}),
        "a Keras model, which is never opened when it comes from elsewhere",
    ),
    "an older Keras model": (lambda whole: b"\x89HDF\r\n\x1a\n", "HDF5, which is never opened"),
    "a TensorFlow Lite model": (lambda whole: b"\x1c\0\0\0TFL3", "a TensorFlow Lite model"),
    "digits": (lambda whole: packed({"x_train.npy": npy(BIAS)}), "does not say which network"),
    "a model inside a ZIP": (lambda whole: packed({"model.npz": whole}), "which network"),
    "a path that leads outside": (
        lambda whole: packed({"about.npy": about(), "../../evil.npy": npy(BIAS)}),
        "its weights are not those of its design",
    ),
    "a name twice": (twice, "two entries of one name"),
    "very many entries": (
        lambda whole: packed({str(i): b"" for i in range(models.MOST_MEMBERS + 1)}),
        "too many entries",
    ),
    "an unusual packing": (
        lambda whole: packed({"about.npy": about()}, zipfile.ZIP_LZMA),
        "packed in a way that is not opened here",
    ),
    "a bomb": (lambda whole: packed({"about.npy": bytes(50_000_000)}), "larger than its design"),
    "too many bytes": (lambda whole: whole + bytes(models.FILE_LIMIT), "larger than any model"),
}


@pytest.mark.parametrize(("made", "says"), UPLOADS.values(), ids=UPLOADS)
def test_an_upload_that_is_no_model_is_refused_in_one_sentence(path, made, says, tmp_path):
    content = made(path.read_bytes())
    before = sorted(tmp_path.rglob("*"))
    tracemalloc.start()
    with pytest.raises(ValueError) as error:
        models.read("mine.npz", content)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    sentence = str(error.value)
    assert says in sentence and sentence.startswith("mine.npz is damaged or not a model file")
    assert sentence.endswith(").") and "\n" not in sentence
    assert peak < 5e6 and sorted(tmp_path.rglob("*")) == before


def test_the_bytes_of_a_model_are_its_file(path, weights):
    assert models.to_bytes(SPEC, weights, ABOUT) == path.read_bytes()
    assert models.read("m", path.read_bytes()).spec == SPEC


def test_missing_files_and_folders_are_refused(tmp_path):
    for path in (tmp_path / "none.npz", tmp_path):
        with pytest.raises(ValueError, match="cannot be read"):
            models.load(path)


def test_visitors_may_ask_the_shared_default_at_the_same_time(mnist):
    """A layer that answered from its own attributes would mix up two visitors' images."""
    network = models.default().network
    images = mnist.test.images[:400]
    alone = [network.predict(image[None])[0] for image in images]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda image: network.predict(image[None])[0], images))
    np.testing.assert_array_equal(together, alone)


def test_the_default_is_small_and_says_where_it_comes_from():
    about = models.default().about
    assert models.DEFAULT.stat().st_size <= 2 * 2**20
    assert {"test_accuracy", "test_loss", "data", "recipe", "seed", "command"} <= about.keys()
    assert about["data"].startswith("MNIST and other hands: 100,000")
    assert f"--recipe {about['recipe']}" in about["command"]
    assert models.default().spec == RECIPES[about["recipe"]].spec


@pytest.mark.skipif("MNIST_DATA" not in os.environ, reason="needs the full test set")
def test_the_default_is_as_good_as_it_says(mnist):
    model = models.default()
    probabilities = model.network.predict(mnist.test.images)
    accuracy = np.mean(probabilities.argmax(axis=1) == mnist.test.labels)
    chosen = probabilities[np.arange(len(mnist.test.labels)), mnist.test.labels]
    assert accuracy == pytest.approx(model.about["test_accuracy"], abs=1e-4)
    assert -np.log(chosen).mean() == pytest.approx(model.about["test_loss"], abs=1e-4)
    assert accuracy >= 0.985
