"""The bench runs end to end and reports plain, consistent values; how fast is not tested."""

import json

import pytest

from mnist_core.charts import plotting
from mnist_core.design.spec import Conv, Layer, RunSpec
from mnist_core.tools import bench


def test_the_arithmetic_of_a_step():
    spec = RunSpec((Layer(20, batch_norm=True), Layer(5)), batch_size=3)
    first, second, third = 784 * 20, 20 * 5, 5 * 10
    assert bench.flops(spec) == 2 * 3 * (2 * first + 3 * second + 3 * third)


def test_the_arithmetic_of_a_convolution():
    spec = RunSpec((), convolutions=(Conv(4, 5), Conv(8, 3)), batch_size=3)
    first, second, last = 24 * 24 * 5 * 5 * 4, 10 * 10 * 3 * 3 * 4 * 8, 5 * 5 * 8 * 10
    assert bench.flops(spec) == 2 * 3 * (2 * first + 3 * second + 3 * last)


def test_the_networks_are_what_their_names_say():
    for name, spec in bench.NETWORKS.items():
        sizes, *_, optimizer, batch = name.split(", ")
        assert sizes.endswith(" in NumPy") == (spec.framework == "numpy")
        sizes = sizes.removesuffix(" in NumPy")
        assert (spec.optimizer, str(spec.batch_size)) == (optimizer, batch)
        if spec.convolutions:
            assert [x.pool for x in spec.convolutions] == [2, 2] and not spec.layers
            blocks = "-".join(f"conv{x.filters}-pool" for x in spec.convolutions)
            assert sizes == f"{blocks}-10"
            continue
        norm = "-BN" * spec.layers[0].batch_norm
        assert sizes == f"784-{'-'.join(str(x.units) for x in spec.layers)}{norm}-10"
        assert ("dropout" in name) == bool(spec.layers[0].dropout)


def test_in_each_table_of_costs_only_one_thing_grows():
    for grows, specs in bench.COSTS.items():
        values = {
            "width": {n: spec.layers[0].units for n, spec in specs.items()},
            "depth": {n: len(spec.layers) for n, spec in specs.items()},
            "batch": {n: spec.batch_size for n, spec in specs.items()},
        }
        assert values.pop(grows) == {n: n for n in specs}
        assert all(len(set(other.values())) == 1 for other in values.values())


def test_costs_are_rows_for_a_table_and_a_chart(monkeypatch):
    specs = {n: RunSpec((Layer(8),) * n, batch_size=8) for n in (1, 2)}
    monkeypatch.setattr(bench, "COSTS", {"depth": specs})
    rows = bench.costs()
    assert [(row["grows"], row["value"]) for row in rows] == [("depth", 1), ("depth", 2)]
    assert all(row["seconds"] > 0 for row in rows)
    figure = plotting.epoch_costs(rows)
    assert list(figure.data[0].y) == [row["seconds"] for row in rows]


def test_looks_are_measured_in_turns(monkeypatch, tiny):
    monkeypatch.setattr(bench, "NETWORKS", {"a": RunSpec((Layer(8),), batch_size=64)})
    monkeypatch.setattr(bench, "LOOKED_INTO", {"a": 2})
    monkeypatch.setattr(bench.dataset, "load", lambda: tiny)
    looked, train = [], bench.engine.train

    def seen(spec, data, control):
        looked.append((spec.epochs, control.looking))
        return train(spec, data, control)

    monkeypatch.setattr(bench.engine, "train", seen)
    (row,) = bench.looks()
    assert looked == [(2, False), (2, True)] * bench.ROUNDS
    assert row["more"] == pytest.approx(row["looked"] / row["alone"] - 1) and row["alone"] > 0


def test_images_are_repeated_if_there_are_too_few(mnist):
    n = len(mnist.train.labels)
    images, labels = bench.training_images(n + 5)
    assert images.shape == (n + 5, 28, 28) and len(labels) == n + 5
    assert (images[n:] == mnist.train.images[:5]).all()
    assert (labels[n:] == mnist.train.labels[:5]).all()


@pytest.mark.slow
def test_a_quick_run(monkeypatch):
    chosen = dict(list(bench.NETWORKS.items())[::3])
    monkeypatch.setattr(bench, "NETWORKS", chosen)
    said = []
    result = bench.run(said.append, quick=True)
    assert json.loads(json.dumps(result)) == result
    assert result.keys() == {"cpu", "cores", "peak_gflops", "repeats", "networks"}
    assert result["cpu"] and result["cores"] >= 1 and len(said) == 2
    assert [row["name"] for row in result["networks"]] == list(chosen)
    for row, spec in zip(result["networks"], chosen.values(), strict=True):
        assert row["steps"] * spec.batch_size == bench.QUICK_IMAGES
        assert min(value for key, value in row.items() if key != "name") > 0
        assert row["fit_over_engine"] == pytest.approx(row["fit_ms"] / row["engine_ms"])
        assert row["tuned_fit_over_engine"] * row["engine_ms"] == pytest.approx(row["tuned_fit_ms"])
        work = row["limit_ms"] * result["peak_gflops"] * 1e6
        assert work == pytest.approx(bench.flops(spec))
