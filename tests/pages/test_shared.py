"""What all visitors share, outside of any page."""

import pytest

from pages._shell import shared


def ended(job):
    assert job.done(10)
    return job


def test_a_shared_job_that_failed_is_begun_anew_once_that_was_told():
    tries = []

    def compute(report):
        tries.append(1)
        if len(tries) == 1:
            raise OSError("no room")
        return "answers"

    first = ended(shared.job("data", "what", compute))
    assert shared.job("data", "what", compute) is first  # nobody has been told yet
    with pytest.raises(OSError, match="no room"):
        _ = first.result
    second = ended(shared.job("data", "what", compute))
    assert second.result == "answers"
    assert shared.job("data", "what", compute) is second and len(tries) == 2
