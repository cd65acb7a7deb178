"""Histories of every fault, as a fixture."""

import pytest

from tests.diagnose.training_verdict.drawn_histories import records_of
from ursa.diagnose.training_verdict.training_history import NetworkFacts, from_records


@pytest.fixture
def drawn():
    """drawn(kind) -> its history; drawn(kind, steps=False): epochs alone, as another tool logs them."""

    def history(kind, *, steps=True, **facts):
        records, of_steps, known = records_of(kind)
        if not steps:
            known = {name: known[name] for name in ("classes", "valid_count")}
            records, of_steps = records[1:], []
        return from_records(records, of_steps, facts=NetworkFacts(**known | facts))

    return history
