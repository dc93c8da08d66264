"""The one kind of job: how far, how it ended, and who begins it anew."""

import threading

import pytest

from mnist_core.basis import Job, Jobs, LabError, in_thread, jobs
from mnist_core.basis.errors import SORRY


def test_a_job_says_how_far_it_is_and_gives_its_result():
    go, seen = threading.Event(), threading.Event()

    def compute(report):
        report(0.5)
        seen.set()
        go.wait(30)
        return 7

    job = in_thread(compute, "a sum")
    assert seen.wait(30)
    assert (job.state, job.share, job.message) == ("running", 0.5, "") and not job.over()
    go.set()
    assert job.result(30) == 7 and (job.state, job.share, job.over()) == ("done", 1.0, True)


def test_a_failure_is_a_sentence_and_a_fault_is_recorded(faults):
    def refuse(report):
        raise LabError("There is no room.")

    def break_off(report):
        return {}["gone"]

    refused, broken = in_thread(refuse), in_thread(break_off, "A sum")
    assert refused.over(30) and (refused.state, refused.message) == ("failed", "There is no room.")
    assert broken.over(30) and (broken.state, broken.message) == ("failed", SORRY)
    with pytest.raises(LabError, match="went wrong"):
        broken.result()
    assert [record.getMessage() for record in faults] == ["A sum failed."]
    faults.clear()


def test_whoever_asks_for_a_failed_job_begins_it_anew():
    shared, made = Jobs(5), []

    def make():
        made.append(Job())
        return made[-1]

    first = shared.ask("key", make)
    assert shared.ask("key", make) is first is shared.look("key")
    first.fail("No.")
    assert shared.look("key") is first  # whoever waits is told
    second = shared.ask("key", make)
    assert second is not first and second.state == "waiting"
    second.set_result(1)
    assert shared.ask("key", make) is second and len(made) == 2
    shared.forget("key")
    assert shared.look("key") is None


def test_many_who_ask_at_once_have_one_job():
    shared, made, found = Jobs(5), [], []

    def make():
        made.append(Job())
        return made[-1]

    def ask():
        found.append(shared.ask("key", make))

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1 and set(found) == set(made)


def test_only_so_many_that_are_over_are_remembered_and_none_under_way_is_forgotten():
    shared = Jobs(2)
    under_way = shared.ask("under way", Job)
    for key in "abc":
        shared.ask(key, Job).set_result(key)
    shared.ask("a", Job)
    shared.ask("d", Job)
    assert shared.look("under way") is under_way
    assert shared.look("b") is None and shared.look("c") and shared.look("a")


def test_the_estimate_follows_what_was_heard(monkeypatch):
    now = 100.0
    monkeypatch.setattr(jobs.time, "monotonic", lambda: now)
    job = Job("t-SNE", usual=25)
    job.begin()
    now = 105.0
    assert job.remaining == 20
    job.report(0.2)
    now = 110.0
    job.report(0.4)  # a fifth in five seconds: three more fifths
    assert job.remaining == pytest.approx(15)
    now = 112.0
    assert job.remaining == pytest.approx(13)
    job.wait_again()
    assert (job.state, job.share) == ("waiting", 0.0)
