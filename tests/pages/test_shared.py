"""What all visitors share, outside of any page."""

from pages._shell import shared


def test_a_shared_job_that_failed_is_begun_anew_by_whoever_asks_next(faults):
    tries = []

    def compute(report):
        tries.append(1)
        if len(tries) == 1:
            raise OSError("no room")
        return "answers"

    first = shared.job("data", "what", compute)
    assert first.over(10) and first.state == "failed" and "was recorded" in first.message
    second = shared.job("data", "what", compute)
    assert second is not first and second.result(10) == "answers"
    assert shared.job("data", "what", compute) is second and len(tries) == 2
    faults.clear()


def test_what_is_computed_of_other_data_is_another_job():
    one, other = (shared.job(digest, "what", lambda report, d=digest: d) for digest in "ab")
    assert (one.result(10), other.result(10)) == ("a", "b")
