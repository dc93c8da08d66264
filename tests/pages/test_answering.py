"""Whose answers a page shows: of exactly these digits, whatever their file is called."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from mnist_core.data import dataset, own_data
from mnist_core.runs.artifacts import Evaluation
from pages._shell import answering
from tests.pages.visiting import done


class Worker:
    """A service that has answered for every data it was asked about, each time otherwise."""

    def __init__(self, labels):
        self.labels, self.asked = labels, []
        self.runs = SimpleNamespace(get=lambda run: None, evaluation=self.kept)

    def evaluate(self, run, data):
        self.asked.append(data.digest)
        return done()

    def kept(self, run, data):
        answer = np.zeros((len(self.labels), 10), np.float32)
        answer[:, self.asked.index(data)] = 1
        return Evaluation(answer, self.labels, 1.0)


@pytest.fixture
def worker(tiny):
    return Worker(tiny.test.labels)


def test_two_files_of_one_name_do_not_share_their_answers(worker, tiny):
    images = tiny.test.images.copy()
    images[0] = 255 - images[0]
    corrected = replace(tiny, test=dataset.Split(images, tiny.test.labels))
    assert corrected.name == tiny.name and corrected.source == tiny.source
    first, second = (answering._by_worker(worker, "default", x) for x in (tiny, corrected))
    assert len(set(worker.asked)) == 2
    assert first.argmax(axis=1).tolist() != second.argmax(axis=1).tolist()


def test_nothing_is_kept_of_a_visitors_own_digits(worker, tiny, monkeypatch):
    monkeypatch.setattr(own_data, "is_own", lambda source: True)
    assert answering._by_worker(worker, "default", tiny) is None and not worker.asked
