"""What a worker gives up before it sees the first byte from outside. By what the platform offers:

| | Linux | macOS | Windows |
|---|---|---|---|
| computing time of a picture, memory, size of files, no core dumps (setrlimit) | yes | yes | time, by its caller |
| no new descriptors: no file, no socket can be opened (RLIMIT_NOFILE 0) | yes | yes | |
| not root: the user `nobody`, where it was root | yes | yes | |
| no new privileges; no programs, signals, renames, deletions, networks (prctl, seccomp) | x86-64, arm64 | | |
"""

import ctypes
import math
import os
import platform
import signal
import struct
import sys
import time

NOBODY = 65534


def lock_down(memory: int) -> None:
    """Give up all that decoding does not need; `memory`: bytes of address space beyond what is mapped now."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the caller; a worker ends with its socket
    if sys.platform == "win32":
        return
    import resource

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    if (mapped := _mapped()) is not None:
        _limit(resource.RLIMIT_AS, mapped + memory)
    for limit in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE):
        resource.setrlimit(limit, (0, 0))
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    if sys.platform == "linux":
        _refuse_system_calls()


def limit_time(seconds: float) -> None:
    """End this process (SIGXCPU) when it has computed for so many more seconds, rounded up."""
    if sys.platform == "win32":
        return
    import resource

    _limit(resource.RLIMIT_CPU, math.ceil(time.process_time() + seconds))


def _limit(which: int, value: int) -> None:
    """The soft limit only, no higher than the hard one."""
    import resource

    hard = resource.getrlimit(which)[1]
    resource.setrlimit(which, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


def _mapped() -> int | None:
    """Bytes of address space in use; None where the system does not tell, so that no limit can be set."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return None


# Numbers of system calls (linux/arch/*/entry/syscalls): what a decoder never needs and code that took it over would.
# Whatever is not listed works as before: a new libc or decoder cannot break on it.
_CALLS = {
    # name: (x86-64, arm64), None where there is none
    "execve": (59, 221),
    "execveat": (322, 281),
    "fork": (57, None),
    "vfork": (58, None),
    "ptrace": (101, 117),
    "kill": (62, 129),
    "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138),
    "pidfd_open": (434, 434),
    "pidfd_send_signal": (424, 424),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "socket": (41, 198),
    "socketpair": (53, 199),
    "connect": (42, 203),
    "bind": (49, 200),
    "open": (2, None),
    "openat": (257, 56),
    "openat2": (437, 437),
    "open_by_handle_at": (304, 265),
    "creat": (85, None),
    "unlink": (87, None),
    "unlinkat": (263, 35),
    "rename": (82, None),
    "renameat": (264, 38),
    "renameat2": (316, 276),
    "link": (86, None),
    "linkat": (265, 37),
    "symlink": (88, None),
    "symlinkat": (266, 36),
    "mkdir": (83, None),
    "mkdirat": (258, 34),
    "rmdir": (84, None),
    "mknod": (133, None),
    "mknodat": (259, 33),
    "chmod": (90, None),
    "fchmodat": (268, 53),
    "chown": (92, None),
    "fchownat": (260, 54),
    "truncate": (76, 45),
    "chdir": (80, 49),
    "mount": (165, 40),
    "unshare": (272, 97),
    "setns": (308, 268),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "io_uring_setup": (425, 425),
    "userfaultfd": (323, 282),
    "keyctl": (250, 219),
}
_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column of _CALLS, AUDIT_ARCH_*

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _MODE_FILTER = 38, 22, 2  # linux/prctl.h, linux/seccomp.h
_ALLOW, _ERRNO_EPERM, _KILL = 0x7FFF0000, 0x00050001, 0x80000000
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06  # linux/bpf_common.h: word, jeq, jge, ret


def _refuse_system_calls() -> None:
    """A seccomp filter (Linux 3.17) that answers EPERM to `_CALLS`; where there is none, the limits above hold."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    column, audit = _ARCHITECTURES.get(platform.machine(), (0, 0))
    if not audit:
        return
    program = _program([call for pair in _CALLS.values() if (call := pair[column]) is not None], audit, column == 0)
    code = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *step) for step in program))
    filters = struct.pack("<HxxxxxxQ", len(program), ctypes.addressof(code))
    libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.c_char_p(filters), 0, 0)


def _program(calls: list[int], audit: int, x32: bool) -> list[tuple[int, int, int, int]]:
    """Classic BPF: another architecture's calls end the process, these calls fail, all others work."""
    program = [(_LOAD, 0, 0, 4), (_EQUAL, 1, 0, audit), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, 0)]
    if x32:  # the same calls under other numbers
        program += [(_AT_LEAST, 0, 1, 0x40000000), (_RETURN, 0, 0, _KILL)]
    for position, call in enumerate(calls):
        program.append((_EQUAL, len(calls) - position, 0, call))
    return [*program, (_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _ERRNO_EPERM)]
