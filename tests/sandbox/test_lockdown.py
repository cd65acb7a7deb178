"""The filter of system calls, run by a small machine of our own: what is listed fails, the rest works."""

import os
import re
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ursa.sandbox import lockdown
from ursa.sandbox.lockdown import _ALLOW, _ARCHITECTURES, _CALLS, _ERRNO_EPERM, _KILL, _program

MACHINES = list(_ARCHITECTURES)


def program(machine: str) -> list[tuple[int, int, int, int]]:
    column, audit = _ARCHITECTURES[machine]
    return _program(listed(machine), audit, column == 0)


def listed(machine: str) -> list[int]:
    column = _ARCHITECTURES[machine][0]
    return [pair[column] for pair in _CALLS.values() if pair[column] is not None]


def answer(steps: list[tuple[int, int, int, int]], call: int, audit: int) -> int:
    """Classic BPF (linux/filter.h): load a word, compare, jump forward, return. -> what the kernel does."""
    data, accumulator, place = {0: call, 4: audit}, 0, 0
    while True:
        code, true, false, value = steps[place]
        place += 1
        if code == 0x20:  # BPF_LD | BPF_W | BPF_ABS
            accumulator = data[value]
        elif code == 0x15:  # BPF_JMP | BPF_JEQ | BPF_K
            place += true if accumulator == value else false
        elif code == 0x35:  # BPF_JMP | BPF_JGE | BPF_K
            place += true if accumulator >= value else false
        else:
            assert code == 0x06  # BPF_RET | BPF_K
            return value


@pytest.mark.parametrize("machine", MACHINES)
def test_every_listed_call_fails_and_every_other_one_works(machine):
    steps, audit = program(machine), _ARCHITECTURES[machine][1]
    refused = {call for call in range(600) if answer(steps, call, audit) == _ERRNO_EPERM}
    assert refused == set(listed(machine))
    assert {answer(steps, call, audit) for call in set(range(600)) - refused} == {_ALLOW}


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_calls_of_another_architecture_end_the_process_whatever_their_number(call, audit):
    for machine in MACHINES:
        if audit != _ARCHITECTURES[machine][1]:
            assert answer(program(machine), call, audit) == _KILL


@given(st.integers(0x40000000, 2**32 - 1))
def test_the_same_calls_under_other_numbers_end_the_process_on_x86(call):
    assert answer(program("x86_64"), call, _ARCHITECTURES["x86_64"][1]) == _KILL


@pytest.mark.parametrize("machine", MACHINES)
def test_the_program_is_one_that_the_kernel_takes(machine):
    """Jumps are bytes and lead forward, inside; the last step returns (bpf_check_classic, net/core/filter.c)."""
    steps = program(machine)
    assert len(steps) <= 4096 and steps[-1][0] == 0x06
    for place, (_, true, false, value) in enumerate(steps):
        assert 0 <= true <= 255 and 0 <= false <= 255 and 0 <= value < 2**32
        assert place + 1 + max(true, false) < len(steps) or steps[place][0] == 0x06


def test_no_call_is_listed_twice_and_every_way_to_a_file_a_program_and_a_network_is():
    for machine in MACHINES:
        assert len(set(listed(machine))) == len(listed(machine))
    needed = {"openat", "openat2", "execve", "execveat", "socket", "connect", "ptrace", "kill", "unlinkat", "renameat2"}
    assert needed <= _CALLS.keys()
    assert all(pair[0] is not None for pair in _CALLS.values())


@pytest.mark.skipif(sys.platform != "linux", reason="numbers of Linux")
def test_numbers_are_those_of_the_headers():
    found = 0
    for column, pattern in enumerate(("asm/unistd_64.h", "asm-generic/unistd.h")):  # of x86-64, of arm64 and others
        for header in Path("/usr/include").rglob(pattern):
            numbers = dict(re.findall(r"#define __NR_(\w+)\s+(\d+)", header.read_text()))
            known = {name: pair[column] for name, pair in _CALLS.items() if name in numbers}
            assert known == {name: int(numbers[name]) for name in known}
            found += len(known)
    if not found:
        pytest.skip("the kernel's headers are not installed")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a child to limit is needed")
@pytest.mark.parametrize(("value", "hard", "wanted"), [(64, 128, 64), (500, 128, 128)])
def test_a_limit_is_never_raised_above_the_hard_one(value, hard, wanted):
    import resource

    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        lockdown._limit(resource.RLIMIT_NOFILE, value)
        os._exit(0 if resource.getrlimit(resource.RLIMIT_NOFILE) == (wanted, hard) else 1)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is of Linux")
def test_the_address_space_in_use_grows_by_what_is_mapped():
    import mmap

    before = lockdown._mapped()
    held = mmap.mmap(-1, 64 << 20)
    assert lockdown._mapped() - before >= 64 << 20 and before % mmap.PAGESIZE == 0
    held.close()
