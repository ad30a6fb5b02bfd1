"""The garbage collector while a process scores."""

import gc

from stream_dagmm_connectors.collector import YOUNG, imports_set_aside


def test_what_was_there_before_is_set_aside_while_scoring_and_given_back_afterwards() -> None:
    before = gc.get_threshold()
    with imports_set_aside():
        assert gc.get_freeze_count() > 10_000
        assert gc.get_threshold() == (YOUNG, *before[1:])
        assert gc.isenabled()
    assert gc.get_freeze_count() == 0
    assert gc.get_threshold() == before
