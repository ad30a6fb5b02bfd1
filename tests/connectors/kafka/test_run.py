"""What a run does around its loop."""

import gc

from stream_dagmm_connectors.kafka.run import imports_set_aside


def test_what_was_there_before_is_set_aside_while_scoring_and_given_back_afterwards() -> None:
    with imports_set_aside():
        assert gc.get_freeze_count() > 10_000
        assert gc.isenabled()
    assert gc.get_freeze_count() == 0
