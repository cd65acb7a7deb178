import os
import socket

import pytest

from ursa.core import files
from ursa.errors import DataError

posix = pytest.mark.skipif(os.name != "posix", reason="named pipes and links of POSIX")


def test_a_file_is_read_whole(tmp_path):
    path = tmp_path / "file"
    for size in (0, 1, 4095, 4096, 4097, 1 << 20):
        path.write_bytes(os.urandom(size))
        assert files.read_bytes(path) == path.read_bytes()


def test_a_larger_file_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(4 << 40)
    with pytest.raises(DataError, match="too large"):
        files.read_bytes(path, most=1 << 20)


@posix
def test_a_pipe_without_a_writer_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError) as refused:
        files.read_bytes(tmp_path / "pipe")
    assert refused.value.found == "a named pipe"


@posix
def test_devices_sockets_and_folders_are_refused(tmp_path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        with pytest.raises(OSError, match="No such device"):
            files.read_bytes(tmp_path / "s")
    for path in ("/dev/zero", tmp_path):
        with pytest.raises(DataError):
            files.read_bytes(path)


@posix
def test_links_are_followed_only_where_they_may_be(tmp_path):
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    assert files.read_bytes(tmp_path / "link") == b"x"
    with pytest.raises(OSError, match="symbolic links"):
        files.read_bytes(tmp_path / "link", follow=False)
