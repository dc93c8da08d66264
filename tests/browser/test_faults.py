"""What is left when processes are killed: a run marked interrupted, and no process behind."""

import signal

import pytest

from mnist_core.design.spec import Layer, RunSpec
from mnist_core.training import events
from tests.serving import Server, poll, settle, wait_for

LONG = RunSpec(layers=(Layer(1024),) * 4, batch_size=64, epochs=100)  # minutes, on any data
SHORT = RunSpec(layers=(Layer(16),), batch_size=128, epochs=1)


@pytest.fixture
def server(tmp_path, digits_file):
    server = Server(tmp_path, digits_file).start()
    yield server
    server.close()


@pytest.fixture
def page(browser):
    context = browser.new_context()
    yield context.new_page()
    context.close()


def train(page, server, spec):
    """Press Train on this design; the run's id."""
    known = {run.id for run in server.runs.active()}
    page.goto(server.url("builder", **spec.to_query()))
    settle(page)
    page.get_by_role("button", name="Train", exact=True).click()
    poll(page, lambda: {run.id for run in server.runs.active()} - known, "the run is taken")
    return server.runs.active()[-1].id


def under_way(server, run):
    return any(isinstance(event, events.Progress) for event in server.runs.history(run))


def start_long(page, server):
    run = train(page, server, LONG)
    poll(page, lambda: under_way(server, run), "the run is under way", 120)
    return run


def test_a_killed_worker_interrupts_its_run_and_a_new_run_works(page, server):
    run = start_long(page, server)
    server.worker().kill()
    page.get_by_text("The training process ended unexpectedly").wait_for(timeout=30_000)
    assert server.runs.get(run).status == "interrupted"
    again = train(page, server, SHORT)
    page.get_by_text("Finished in").wait_for(timeout=60_000)
    assert server.runs.get(again).status == "finished"
    assert server.runs.get(run).status == "interrupted"  # and is not trained again in secret


@pytest.mark.slow
def test_a_killed_server_leaves_no_process_and_an_interrupted_run(page, server):
    run = start_long(page, server)
    assert len(server.processes()) >= 3  # the server, the nanny, the worker
    server.end(signal.SIGKILL)
    wait_for(lambda: not server.processes(), "every process has ended", 20)
    assert server.runs.get(run).status == "running"  # nobody was left to write it down
    server.start()
    page.goto(server.url("builder", run=run))
    page.get_by_text("The server ended while this run was running").wait_for(timeout=30_000)
    assert server.runs.get(run).status == "interrupted"
    stop = page.get_by_test_id("stMain").get_by_role("button", name="Stop", exact=True)
    poll(page, lambda: stop.count() and stop.is_disabled(), "there is nothing to stop")


@pytest.mark.slow
def test_a_server_that_is_told_to_end_ends_every_process(page, server):
    run = start_long(page, server)
    closed(server, signal.SIGTERM, run)


@pytest.mark.slow
def test_ctrl_c_ends_every_process_even_while_the_worker_starts(page, server):
    run = train(page, server, LONG)
    poll(page, lambda: server.runs.get(run).status == "running", "the run is with the worker")
    assert not under_way(server, run)
    closed(server, signal.SIGINT, run)


def closed(server, how, run):
    """End the server and look at what it leaves."""
    assert len(server.processes()) >= 3
    server.end(how)
    wait_for(lambda: not server.processes(), "every process has ended", 20)
    assert server.runs.get(run).status == "interrupted"
    assert "The server was closed during this run" in server.runs.get(run).message
