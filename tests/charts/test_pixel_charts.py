"""The charts' sentences and tables say what the arrays say."""

import csv
import io
import re

import numpy as np
import pytest

from mnist_core.charts import pixel_charts
from mnist_core.charts.plotting import Chart
from mnist_core.statistics import pixels, shapes, typical


@pytest.fixture(scope="module")
def split(mnist):
    return mnist.test.images[:1000], mnist.test.labels[:1000]


@pytest.fixture(scope="module")
def levels(split):
    return pixels.levels(*split)


@pytest.fixture(scope="module")
def all_charts(split, levels):
    images, labels = split
    means, quantiles = levels.mean, {
        name: shapes.by_class(values, labels) for name, values in shapes.measures(images).items()
    }  # fmt: skip
    return {
        "counts": pixel_charts.class_counts(levels.count, levels.count // 2),
        "histogram": pixel_charts.histogram(levels.pooled().histogram, "these", True),
        "difference": pixel_charts.difference(means, 3, 8),
        "distances": pixel_charts.class_distances(typical.between(means)),
        "typical": pixel_charts.typicality(
            typical.from_mean(images[labels == 3]), np.flatnonzero(labels == 3), "distance"
        ),
        **{name: pixel_charts.picture(name, levels.pooled(), means)
           for name in pixel_charts.PICTURES},
        **{f"shape {name}": pixel_charts.shape_by_class(name, quantiles[name], quantiles[name])
           for name in shapes.MEASURES},
    }  # fmt: skip


def table(chart: Chart) -> dict[str, list[float]]:
    names, *rows = csv.reader(io.StringIO(chart.csv()))
    columns = zip(*rows, strict=True)
    return {name: [float(x) if x else np.nan for x in column]
            for name, column in zip(names, columns, strict=True)}  # fmt: skip


def numbers(sentence: str) -> list[float]:
    return [float(n.replace(",", "")) for n in re.findall(r"-?\d[\d,]*\.?\d*", sentence)]


def test_every_chart_has_a_title_axes_a_sentence_a_hover_and_a_table(all_charts):
    for name, chart in all_charts.items():
        layout = chart.figure.layout
        assert layout.title.text and layout.xaxis.title.text and layout.yaxis.title.text, name
        assert chart.reading.endswith(".") and "nan" not in chart.reading, name
        assert numbers(chart.reading), name
        lengths = {len(column) for column in table(chart).values()}
        assert len(lengths) == 1 and lengths.pop() > 0, name


def test_the_tables_hold_what_is_drawn(all_charts, levels):
    assert table(all_charts["counts"])["train"] == levels.count.tolist()
    assert table(all_charts["histogram"])["pixels"] == levels.pooled().histogram.tolist()
    mean = table(all_charts["mean"])
    drawn = np.zeros((28, 28))
    drawn[np.int64(mean["row"]), np.int64(mean["column"])] = mean["value"]
    np.testing.assert_array_equal(drawn, levels.pooled().mean)
    np.testing.assert_array_equal(drawn, all_charts["mean"].figure.data[0].z)


def test_the_commonest_and_the_rarest_digits_are_all_named():
    counts = np.array([5, 9, 9, 5, 7, 7, 7, 7, 7, 7])
    reading = pixel_charts.class_counts(counts, counts).reading
    assert reading.replace("\N{NO-BREAK SPACE}", " ") == (
        "In training 1 and 2 are the commonest (9 images each, 12.86 %), 0 and 3 are the rarest "
        "(5 images each, 7.14 %).")  # fmt: skip


def test_the_sentences_follow_the_numbers(all_charts, levels, split):
    images, labels = split
    even = pixel_charts.class_counts(np.full(10, 5), np.full(10, 5)).reading
    assert even == "In training every digit is equally common (5 images each)."
    never = (images == 0).all(axis=0).sum()
    assert numbers(all_charts["never"].reading)[0] == never
    row, column = np.unravel_index(images.mean(axis=0).argmax(), (28, 28))
    assert f"row {row}, column {column}: " in all_charts["mean"].reading
    said = numbers(all_charts["histogram"].reading)
    assert said[-2:] == pytest.approx([images.mean() / 255, images.std() / 255], abs=5e-5)
    means = [images[labels == d].mean(axis=0) / 255 for d in range(10)]
    pairs = {(i, j): np.linalg.norm(means[i] - means[j]) for i in range(10) for j in range(i)}
    nearest = min(pairs, key=pairs.get)
    assert set(numbers(all_charts["distances"].reading)[:2]) == set(nearest)


def test_a_hover_tells_the_mean_of_its_pixel_in_each_class(all_charts, split):
    images, labels = split
    heat = all_charts["deviation"].figure.data[0]
    for row, column in ((14, 13), (5, 20)):
        expected = [images[labels == d, row, column].mean() for d in range(10)]
        np.testing.assert_allclose(heat.customdata[row][column], expected, atol=0.5)
    assert all(f"{d}: %{{customdata[{d}]}}" in heat.hovertemplate for d in range(10))


def test_a_difference_is_symmetric_around_zero(all_charts, split):
    images, labels = split
    heat = all_charts["difference"].figure.data[0]
    expected = images[labels == 3].mean(axis=0) - images[labels == 8].mean(axis=0)
    np.testing.assert_allclose(heat.z, expected, atol=1e-9)
    assert heat.zmin == -heat.zmax == -abs(expected).max()


@pytest.mark.filterwarnings("error")
def test_a_missing_class_is_left_out(split):
    images, labels = split[0][split[1] < 2], split[1][split[1] < 2]
    means = pixels.levels(images, labels).mean
    chart = pixel_charts.class_distances(typical.between(means))
    assert set(numbers(chart.reading)[:2]) == {0, 1}
    assert "7:" not in pixel_charts.picture("mean", pixels.levels(images, labels).pooled(),
                                            means).figure.data[0].hovertemplate  # fmt: skip
    alone = typical.between(np.where(np.arange(10)[:, None, None] == 1, means, np.nan))
    assert "not two classes" in pixel_charts.class_distances(alone).reading
    nowhere = np.full((10, 5), np.nan)
    one = nowhere.copy()
    one[1] = range(5)
    assert "largest for 1" in pixel_charts.shape_by_class("slant", one, nowhere).reading


def test_a_csv_leaves_missing_numbers_empty():
    chart = Chart(None, "", {"digit": [0, 1], "mean, of all": np.array([np.nan, 2.5])})
    assert chart.csv() == 'digit,"mean, of all"\n0,\n1,2.5\n'
