"""What the Inside tab says of a look."""

import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from mnist_core.design.spec import Conv, Layer, RunSpec
from mnist_core.network.initial import initial_weights
from mnist_core.training import inside
from pages._builder import inside_panel, state

SPEC = RunSpec((Layer(20), Layer(12)))


@pytest.fixture
def seen(tiny):
    weights = initial_weights(SPEC, np.random.default_rng(0))
    weights["dense_1/bias"][:8] = -100
    return inside.look(SPEC, weights, tiny.test.images, tiny.test.labels, step=5)


def test_the_hardest_are_those_read_wrong_then_those_right_since_just_now(seen):
    since = np.full(100, 5)
    since[[7, 90]] = -1
    since[40:60] = 900
    p = np.full((100, 10), 0.1)
    p[range(100), seen.labels] = np.linspace(0.2, 0.9, 100)
    chosen = inside_panel.dozen(replace(seen, since=since, p=p))
    assert chosen == [7, *range(40, 50), 90]


def test_dead_units_are_counted_and_marked_where_they_are_many(seen):
    table = inside_panel._layers(seen)
    assert '<td class="warns">8 of 20</td>' in table
    assert re.findall(r"<td>(\d+ of 12|–)</td>", table)[-1] == "–"
    assert table.count('class="bars"') == 9  # of three layers


def test_a_digit_says_how_it_is_read(seen, tiny):
    p = seen.p.copy()
    p[0] = np.eye(10)[seen.labels[0]]
    p[1] = np.eye(10)[(seen.labels[1] + 1) % 10]
    p[2] = np.nan
    cards = [inside_panel._card(replace(seen, p=p), i, tiny) for i in range(3)]
    assert f"✓ {seen.labels[0]}<" in cards[0] and "data:image/png" in cards[0]
    assert f"✗ {(seen.labels[1] + 1) % 10}, is {seen.labels[1]}<" in cards[1]
    assert "no answer" in cards[2]


def test_the_images_of_a_batch_are_named_by_their_labels(seen, tiny):
    alone = replace(seen, batch=list(range(40)))
    said = inside_panel._batch(alone, tiny)
    labels = ", ".join(str(label) for label in tiny.train.labels[:32])
    assert "Batch 5 was of 40 images. 32 of them:" in said and f"Labels: {labels}" in said
    assert inside_panel._batch(seen, tiny) == ""
    assert "<img" not in inside_panel._batch(alone, None)  # other data than the run was trained on


def test_filters_are_called_filters(tiny):
    spec = RunSpec((Layer(8),), convolutions=(Conv(6, 3),))
    weights = initial_weights(spec, np.random.default_rng(0))
    look = inside.look(spec, weights, tiny.test.images, tiny.test.labels)
    assert "6 of 6 filters" in inside_panel._kernels(look)


def test_a_run_is_told_once_and_only_by_its_owner(monkeypatch):
    told, mine = [], state.BuilderState()
    monkeypatch.setattr(state, "mine", lambda: mine)
    monkeypatch.setattr(inside_panel.visitors, "visitor", lambda: "ada")
    service = SimpleNamespace(tell=lambda *words: told.append(words))
    monkeypatch.setattr(inside_panel.shared, "service", lambda: service)
    run = SimpleNamespace(id="r", started=1.0, status="running", owner="ada")
    for _ in range(3):
        inside_panel.ask(run)
    assert told == [("r", "look", 1.0)]
    mine.look = False
    inside_panel.ask(run)
    inside_panel.ask(SimpleNamespace(**{**vars(run), "owner": "bob"}))
    inside_panel.ask(SimpleNamespace(**{**vars(run), "status": "finished"}))
    assert told[1:] == [("r", "look", 0.0)]
    inside_panel.ask(SimpleNamespace(**{**vars(run), "started": 2.0}))  # gone on with
    assert told[2:] == [("r", "look", 0.0)]
