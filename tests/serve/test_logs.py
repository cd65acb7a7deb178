import io
import json
import logging

import pytest

from ursa.serve import logs
from ursa.serve.logs import NAMES, RateLimit, limited


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def written():
    """-> (a logger whose records pass a limit of 3 a minute, its output, the clock)"""
    clock, output = Clock(), io.StringIO()
    logger = logging.Logger("test")
    logger.addFilter(RateLimit(3, 60, clock))
    logger.addHandler(logging.StreamHandler(output))
    return logger, output, clock


def test_a_kind_is_written_so_often_and_then_counted(written):
    logger, output, clock = written

    def complain(i):
        logger.warning("client %s is odd", i)

    for i in range(100):
        complain(i)
    assert output.getvalue().splitlines() == [f"client {i} is odd" for i in range(3)]
    clock.now = 60
    complain("last")
    assert output.getvalue().splitlines()[3:] == ["client last is odd (97 like this were not written)"]


def test_kinds_do_not_disturb_each_other(written):
    logger, output, _ = written
    for i in range(10):
        logger.warning(f"one {i}")
    logger.error("another")
    assert len(output.getvalue().splitlines()) == 4
    assert output.getvalue().endswith("another\n")


def test_a_million_texts_are_one_kind(written):
    logger, _, _ = written
    for i in range(10_000):
        logger.warning(f"text {i}")
    assert len(logger.filters[0]._kinds) == 1


def test_what_clients_sent_reaches_no_terminal_and_forges_no_traceback(written):
    logger, output, _ = written
    try:
        raise ValueError("\x1b]0;owned\x07")
    except ValueError:
        logger.exception("path %s", "\x1b[2J")
    text = output.getvalue()
    assert "\x1b" not in text
    assert "\x07" not in text
    assert r"path \x1b[2J" in text
    assert text.count("\n") > 3  # the traceback keeps its lines


def test_a_message_has_an_end(written):
    logger, output, _ = written
    try:
        raise ValueError("y" * 1_000_000)
    except ValueError:
        logger.exception("x" * 1_000_000)
    assert len(output.getvalue()) < 30_000


def test_the_limit_is_there_for_the_time_of_the_server_only():
    def filters():
        return [filter for name in NAMES for filter in logging.getLogger(name).filters]

    before = filters()
    with limited():
        assert len(filters()) == len(before) + len(NAMES)
    assert filters() == before


@pytest.mark.parametrize("as_json", [True, False])
def test_what_the_server_says_goes_to_stderr_as_wanted(as_json, capsys, monkeypatch):
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    with logs.limited(), logs.written(as_json=as_json):
        logging.getLogger("ursa.serve").info("taken over: %s", "a\x1b[2J")
        try:
            raise ValueError("inside")
        except ValueError:
            logging.getLogger("ursa.serve").exception("failed")
    logging.getLogger("ursa.serve").info("not any more")
    said = capsys.readouterr().err
    assert "\x1b" not in said and "not any more" not in said and "ValueError: inside" in said
    if as_json:
        first, second = map(json.loads, said.splitlines())
        assert list(first) == ["time", "level", "message"] and first["level"] == "info"
        assert second["message"] == "failed" and "ValueError: inside" in second["traceback"]


def test_a_program_with_a_log_of_its_own_keeps_it(capsys):
    handler = logging.NullHandler()
    logging.getLogger().addHandler(handler)
    try:
        with logs.written(as_json=True):
            logging.getLogger("ursa.serve").error("heard by the program's log")
    finally:
        logging.getLogger().removeHandler(handler)
    assert capsys.readouterr().err == ""
