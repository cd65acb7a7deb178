"""Small networks do not get faster from many threads, and other tests run beside these."""

import pytest


@pytest.fixture(autouse=True, scope="session")
def few_threads():
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)
