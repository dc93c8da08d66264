"""The calibration on the machine at hand, and how the service comes to have it."""

import pytest

from mnist_core.data.identity import Identity
from mnist_core.design.spec import Conv, Layer, RunSpec
from mnist_core.estimates import calibrate, estimate, host
from mnist_core.jobs.service import Service
from mnist_core.runs.records import Runs
from mnist_core.tools import bench_estimates
from mnist_core.training import engine, events

FIGURES = estimate.Calibration(host.identity(), estimate.REFERENCE, 0.5, 0.25, 800_000_000)
SMALL = (RunSpec((), "sgd", batch_size=64),
         RunSpec((), "sgd", convolutions=(Conv(4),), batch_size=32))  # fmt: skip


def test_a_calibration_comes_in_pieces_and_fits_this_host(tiny, monkeypatch):
    monkeypatch.setattr(calibrate, "PROBES", SMALL)
    monkeypatch.setattr(calibrate, "ROUNDS", 2)
    *pieces, found = calibrate.measure(tiny, 2_000_000_000)
    assert pieces == [None] * (1 + len(SMALL) + 2)
    assert estimate.Calibration.from_json(found.to_json()) == found
    assert (found.host, found.memory_limit) == (host.identity(), 2_000_000_000)
    assert 100_000_000 < found.base_bytes < 10_000_000_000


def test_a_run_after_measuring_is_as_before(tiny, monkeypatch):
    def end():
        return list(engine.train(RunSpec(epochs=1), tiny))[-1].test_loss

    before = end()
    monkeypatch.setattr(calibrate, "PROBES", SMALL)
    monkeypatch.setattr(calibrate, "ROUNDS", 1)
    list(calibrate.measure(tiny))
    assert end() == before


@pytest.mark.parametrize("design", calibrate.PROBES, ids=str)
def test_the_designs_that_are_measured_can_be_trained(design):
    design.check()


class Cluster:
    """Stands for the workers: it only counts what it is asked."""

    def __init__(self):
        self.asked = []

    def calibrate(self, source):
        self.asked.append(source)

    def connected(self):
        return True

    def mend(self):
        pass

    def slots(self):
        return 0  # so that a run waits


@pytest.fixture
def service(tmp_path):
    service = Service(Runs(tmp_path / "runs"), "auto")
    service._dispatcher._cluster = Cluster()
    return service


def test_a_warm_worker_is_asked_to_measure_and_the_next_start_knows(service, tmp_path):
    assert service.calibration is None
    run = service.submit(SMALL[0], "ada", Identity("d", "s")).id
    service._dispatcher._record({"warm": "here"})
    service._dispatcher._tick()
    assert service._dispatcher._cluster.asked == []  # beside a training it would seem slower
    service.stop(run)
    service._dispatcher._tick()
    assert service._dispatcher._cluster.asked == ["auto"]
    service._dispatcher._record({"calibration": FIGURES.to_json()})
    assert service.calibration == FIGURES
    service._dispatcher._record({"warm": "here"})
    assert service._dispatcher._cluster.asked == ["auto"]
    assert Service(Runs(tmp_path / "runs"), "auto").calibration == FIGURES


def test_figures_of_this_machine_are_not_taken_for_those_of_a_cluster(service, tmp_path):
    service._dispatcher._record({"calibration": FIGURES.to_json()})
    assert Service(Runs(tmp_path / "runs"), "auto", "tcp://other:8786").calibration is None


def test_a_damaged_file_is_measured_anew(service, tmp_path):
    (tmp_path / "runs" / "calibration.json").write_text("{")
    assert Service(Runs(tmp_path / "runs"), "auto").calibration is None


def test_what_was_predicted_is_the_first_word_of_a_run(service):
    told = estimate.Estimate(0.4, 1.0, 4.1, 900_000_000)
    run = service.submit(RunSpec(), "ada", Identity("digits", "auto"), told)
    assert service.runs.history(run.id) == [events.Predicted(0.4, 1.0, 4.1, 900_000_000)]
    untold = service.submit(RunSpec(), "bob", Identity("digits", "auto"))
    assert service.runs.history(untold.id) == []


def test_memory_of_this_process_is_known_and_its_peak_can_be_forgotten():
    if not host.resident_bytes():
        pytest.skip("This system does not say.")
    host.forget_peak()
    before = host.peak_bytes()
    block = bytearray(60_000_000)
    assert host.peak_bytes() - before > 50_000_000
    del block
    host.forget_peak()
    assert host.peak_bytes() - before < 50_000_000


@pytest.mark.slow
def test_the_estimate_is_near_on_the_machine_at_hand(mnist, monkeypatch):
    monkeypatch.setattr(bench_estimates, "DESIGNS", {
        "narrow": RunSpec((Layer(96), Layer(48))),
        "wide": RunSpec((Layer(384, dropout=0.1),) * 2, "rmsprop", batch_size=128),
        "conv": RunSpec((), convolutions=(Conv(24), Conv(24)), batch_size=64),
    })  # fmt: skip
    for row in bench_estimates.run():
        assert 0.5 < row["predicted_seconds"] / row["measured_seconds"] < 2, row
        assert 0.5 < row["predicted_bytes"] / row["measured_bytes"] < 2, row
