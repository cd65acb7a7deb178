"""One thread for small matrices, as many as before for large ones, and as before afterwards."""

import numpy as np
import pytest

threadpoolctl = pytest.importorskip("threadpoolctl")
from ursa.core.threads import LARGE, blas_threads  # noqa: E402
from ursa.diagnose.more_data.learning_curve import learning_curve  # noqa: E402
from ursa.embed import probe  # noqa: E402


def threads():
    """Of NumPy's library, and of SciPy's own where that is loaded."""
    return {info["num_threads"] for info in threadpoolctl.threadpool_info() if info["user_api"] == "blas"}


@pytest.fixture
def two_threads():
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        yield


@pytest.mark.usefixtures("two_threads")
def test_small_matrices_get_one_thread_and_large_ones_what_there_was():
    with blas_threads(LARGE - 1):
        assert threads() == {1}
    assert threads() == {2}
    with blas_threads(LARGE):
        assert threads() == {2}


@pytest.mark.usefixtures("two_threads")
def test_an_error_inside_leaves_it_as_it_was():
    with pytest.raises(KeyboardInterrupt), blas_threads(0):
        raise KeyboardInterrupt
    assert threads() == {2}


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("what", ["probe", "repeats", "learning curve"])
def test_what_is_fitted_to_embeddings_is_fitted_on_one_thread(monkeypatch, what):
    """Threads that wait for each other took forty times as long on a busy machine."""
    draw = np.random.default_rng(0)
    targets = np.arange(120) % 2
    vectors = (draw.normal(size=(120, 12)) + targets[:, None]).astype(np.float32)
    fitted = probe.fit(vectors, targets, 2)
    seen, softmax = [], probe.softmax
    if what == "learning curve":
        from ursa.diagnose.more_data import learning_curve as module

        judged = module._judged
        monkeypatch.setattr(module, "_judged", lambda *given: (seen.append(threads()), judged(*given))[1])
        learning_curve(vectors, targets, 2)
    else:
        monkeypatch.setattr(probe, "softmax", lambda logits: (seen.append(threads()), softmax(logits))[1])
        if what == "probe":
            probe.fit(vectors, targets, 2)
        else:
            groups = np.arange(120)
            probe.fold_repeats(fitted, vectors, targets, groups=groups, seed=0, folds=5, repeats=2)
    assert seen
    assert all(each == {1} for each in seen)


@pytest.mark.usefixtures("two_threads")
def test_a_library_that_was_loaded_later_is_limited_too():
    with blas_threads(1):
        pass  # what is loaded by now is known
    pytest.importorskip("scipy.linalg")
    with threadpoolctl.threadpool_limits(2, user_api="blas"), blas_threads(1):
        assert threads() == {1}
