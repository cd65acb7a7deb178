"""The benchmark of the server among enemies, for some seconds."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "server_load.py"
ATTACKS = ("cut_body", "huge_body", "wrong_host", "garbage", "tiny_chunks", "tiny_parts", "slow_header", "slow_body")


@pytest.mark.skipif(sys.platform != "linux", reason="clients have addresses of 127.0.0.0/8")
@pytest.mark.skipif(not BENCHMARK.exists(), reason="benchmarks are not in the source archive")
def test_honest_clients_among_hostile_ones_see_answers_and_nothing_worse_than_503(packed):
    command = [sys.executable, BENCHMARK, "--json", "--bundle", packed, "--runs", "beside", "--connections", "48"]
    command += ["--seconds", "3", "--lead", "0.2", "--pause", "0.5", "--attacks", *ATTACKS]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    [seen] = json.loads(done.stdout)
    assert seen["alive"]
    assert seen["statuses"]["200"] > 20
    assert set(seen["statuses"]) <= {"200", "503"}
    assert seen["log"] < 20_000
    assert {"tiny_chunks 400", "tiny_parts 400", "wrong_host 421", "garbage 400"} <= set(seen["hostile"])
