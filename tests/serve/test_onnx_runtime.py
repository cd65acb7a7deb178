"""onnxruntime reports nothing to its makers when Ursa is what starts it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import ursa
from tests.hostile_bundles import sound

OPEN = "import os, sys, ursa; ursa.Predictor(sys.argv[1]).close(); print(os.environ['ORT_DISABLE_TELEMETRY'])"


def opened(bundle, **more):
    kept = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    command = [sys.executable, "-c", OPEN, str(bundle)]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=kept | more)


def test_it_is_told_so_and_leaves_nothing_of_its_own_in_the_users_folders(tmp_path):
    (tmp_path / "m.ursa").write_bytes(sound())
    places = {name: str(tmp_path / name) for name in ("HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
    done = opened(tmp_path / "m.ursa", **places, XDG_STATE_HOME=str(tmp_path / "state"))
    assert (done.stdout, done.stderr) == ("1\n", "")
    assert [path for path in tmp_path.rglob("*") if "microsoft" in path.name.lower()] == []


def test_who_allows_it_is_not_overruled(tmp_path):
    (tmp_path / "m.ursa").write_bytes(sound())
    assert opened(tmp_path / "m.ursa", ORT_DISABLE_TELEMETRY="0", HOME=str(tmp_path)).stdout == "0\n"


def test_one_file_alone_imports_it():
    root = Path(ursa.__file__).parent
    lines = {str(file.relative_to(root)): file.read_text() for file in root.rglob("*.py")}
    assert [name for name, text in lines.items() if re.search(r"^\s*import onnxruntime", text, re.MULTILINE)] == [
        "core/bundles/onnx_runtime.py"
    ]
    others = [name for name, text in lines.items() if "from onnxruntime" in text]
    assert others == ["export/quantization.py"]
    assert "    onnxruntime()\n    from onnxruntime" in lines["export/quantization.py"]
