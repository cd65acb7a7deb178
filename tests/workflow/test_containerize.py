"""A bundle -> a folder to build a container from: what is in it, and that what is in it works without anything else."""

import base64
import csv
import hashlib
import io
import json
import re
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import version
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.markers import default_environment
from packaging.requirements import Requirement
from typer.testing import CliRunner

import ursa
from tests.quantizable import bundle_of
from ursa.cli.commands import app
from ursa.core.bundles import bundle as bundles
from ursa.errors import BundleError, DataError
from ursa.export.bundle_files import write
from ursa.export.container import pinned_requirements as pins
from ursa.export.container.container_files import safe_name
from ursa.export.container.ursa_wheel import ursa_wheel


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("online") / "My bears & Co.ursa"
    path.write_bytes(bundle_of(classes=["blue", "<i>green</i>", "red"]))
    return path


@pytest.fixture(scope="module")
def online(model):
    return ursa.containerize(model, model.parent / "online")


def text(online, name):
    return (online.folder / name).read_text()


def documents(online, name):
    yaml = pytest.importorskip("yaml")
    return list(yaml.safe_load_all(text(online, name)))


def test_all_files_are_there_and_no_other(online, model):
    assert sorted(path.name for path in online.folder.iterdir()) == list(online.files)
    assert {
        "Dockerfile",
        "compose.yaml",
        ".dockerignore",
        "kubernetes.yaml",
        "README.md",
        "my-bears-co.service",
    } <= set(online.files)
    assert (online.folder / "my-bears-co.ursa").read_bytes() == model.read_bytes()


def test_no_placeholder_is_left(online):
    for name in online.files:
        if not name.endswith((".ursa", ".whl")):
            assert "$" not in text(online, name), name


def test_the_recipe_is_of_the_python_that_runs_here_and_not_of_root(online):
    lines = text(online, "Dockerfile").splitlines()
    assert f"FROM python:{sys.version_info.major}.{sys.version_info.minor}-slim" in lines
    assert lines.index("USER 1000:1000") < lines.index(next(line for line in lines if line.startswith("ENTRYPOINT")))
    for word in ("HEALTHCHECK", "ENTRYPOINT"):
        at = next(number for number, line in enumerate(lines) if line.startswith(word))
        command = re.search(r"\[.*\]", " ".join(lines[at : at + 2]))
        assert json.loads(command[0])  # a list of words: no shell
    copied = {word for line in lines if line.startswith("COPY") for word in line.split()[1:-1]}
    kept = {line[1:] for line in text(online, ".dockerignore").splitlines() if line.startswith("!")}
    assert copied == kept <= set(online.files)


def test_the_image_is_small(online):
    """400 MB with the base image, which takes some 130."""
    assert 50 < online.megabytes < 260


def test_every_package_has_the_version_that_is_installed_here(online):
    *packages, code = text(online, "requirements.txt").splitlines()
    found = {(one := Requirement(line)).name: str(one.specifier) for line in packages}
    assert all(found[name] == f"=={version(name)}" for name in found)
    assert {"numpy", "onnxruntime", "pillow", "starlette", "uvicorn", "h11", "python-multipart", "anyio"} <= set(found)
    assert not {"torch", "timm", "polars", "onnx", "scikit-learn", "pytest", "colorama"} & set(found)
    assert code == f"./{next(name for name in online.files if name.endswith('.whl'))}"


def test_a_package_that_is_missing_is_named(monkeypatch):
    def distribution(name):
        if name == "uvicorn":
            raise pins.PackageNotFoundError(name)
        return real(name)

    real = pins.distribution
    monkeypatch.setattr(pins, "distribution", distribution)
    with pytest.raises(DataError, match="not installed here") as refused:
        pins.pinned_requirements()
    assert refused.value.found == "no uvicorn" and "ursa-learn[serve]" in refused.value.fix


def test_what_a_package_needs_is_followed_by_extras_and_for_linux(monkeypatch):
    needs = {
        "ursa-learn": ["a[x]>=1; extra == 'serve'", "t; extra == 'learn'", "B_b"],
        "a": ["c; extra == 'x'", "d; extra == 'y'", "w; sys_platform == 'win32'", "l; sys_platform == 'linux'"],
        "b-b": ["a"],  # a circle, and without the extra
        "c": ["b-b; os_name == 'posix'"],
        "l": [],
    }

    def stub(name):
        if name not in needs:
            raise pins.PackageNotFoundError(name)
        return SimpleNamespace(version="1.2+local", requires=needs[name], files=[])

    monkeypatch.setattr(pins, "distribution", stub)
    elsewhere = {**default_environment(), "sys_platform": "win32", "os_name": "nt"}
    monkeypatch.setattr("packaging.markers.default_environment", elsewhere.copy)
    assert list(map(str, pins.pinned_requirements())) == ["a==1.2", "b-b==1.2", "c==1.2", "l==1.2"]


def test_pictures_of_phones_are_read_there_where_they_are_read_here(monkeypatch):
    for there in (True, False):
        monkeypatch.setattr(pins, "_is_there", lambda _, there=there: there)
        assert ("pi-heif" in {each.name for each in pins.pinned_requirements()}) is there


def test_the_wheel_is_whole_and_always_the_same():
    name, data = ursa_wheel()
    assert (name, data) == ursa_wheel()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        record = next(each for each in archive.namelist() if each.endswith("RECORD"))
        rows = list(csv.reader(archive.read(record).decode().splitlines()))
        assert [row[0] for row in rows] == archive.namelist()
        for path, digest, size in rows[:-1]:
            content = archive.read(path)
            known = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            assert (digest, size) == (f"sha256={known}", str(len(content)))
        assert "ursa/serve/predictor.py" in archive.namelist()
        assert not [each for each in archive.namelist() if each.endswith(".pyc") or "__pycache__" in each]


def test_the_server_of_the_wheel_starts_without_the_sources(tmp_path):
    """What it loads beside code (pages, scripts) is in there, too."""
    with zipfile.ZipFile(io.BytesIO(ursa_wheel()[1])) as archive:
        archive.extractall(tmp_path)
    script = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import ursa.serve.app, ursa.serve.run; "
        "from importlib.resources import files; page = files('ursa.serve.page') / 'assets' / 'index.html'; "
        "print(ursa.__file__, len(page.read_text('utf-8')) > 1000)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert done.stdout.split() == [str(tmp_path / "ursa" / "__init__.py"), "True"]


def test_kubernetes_runs_it_as_nobody_in_particular_and_asks_whether_it_lives(online):
    deployment, service = documents(online, "kubernetes.yaml")
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] == 1000
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["image"] == online.image and {"cpu", "memory"} == set(container["resources"]["limits"])
    probes = {name: container[name]["httpGet"]["path"] for name in ("livenessProbe", "startupProbe", "readinessProbe")}
    assert probes == {"livenessProbe": "/health", "startupProbe": "/health", "readinessProbe": "/ready"}
    assert container["livenessProbe"]["httpGet"]["httpHeaders"] == [{"name": "Host", "value": "localhost"}]
    assert container["volumeMounts"][0]["mountPath"] == "/tmp" and "emptyDir" in pod["volumes"][0]
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"] == labels == deployment["spec"]["selector"]["matchLabels"]


def test_compose_lets_in_this_machine_alone_and_its_disk_is_read_only(online):
    ((name, service),) = documents(online, "compose.yaml")[0]["services"].items()
    assert name == "my-bears-co" and service["ports"] == ["127.0.0.1:8000:7860"]
    assert service["read_only"] is True and service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"] and service["image"] == online.image


def test_the_folder_is_a_space_as_it_is(online):
    yaml = pytest.importorskip("yaml")
    _, front, rest = text(online, "README.md").split("---\n", 2)
    assert yaml.safe_load(front) | {"sdk": "docker", "app_port": 7860} == yaml.safe_load(front)
    assert yaml.safe_load(front)["title"] == "My bears & Co"
    assert "EXPOSE 7860" in text(online, "Dockerfile") and "USER 1000" in text(online, "Dockerfile")
    assert rest.lstrip().startswith("# My bears &amp; Co")
    assert "<i>" not in rest  # a stranger's card is not taken over: it is written anew


@pytest.mark.parametrize("program", ["hadolint", "systemd-analyze"])
def test_linters_find_nothing(online, program):
    if shutil.which(program) is None:
        pytest.skip(f"needs the program {program}")
    words = [program, "Dockerfile"] if program == "hadolint" else [program, "verify", "./my-bears-co.service"]
    done = subprocess.run(words, cwd=online.folder, capture_output=True, text=True)
    said = [line for line in (done.stdout + done.stderr).splitlines() if "is not executable" not in line]
    assert [line for line in said if "my-bears-co" in line or program == "hadolint"] == []


@given(st.text(max_size=80))
def test_any_name_becomes_one_that_images_and_kubernetes_take(stem):
    assert re.fullmatch(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", safe_name(stem))
    assert len(safe_name(stem)) <= 48


@pytest.mark.parametrize("stem", ['a"\nUSER root\n', "x: [y", "${HOME}", "`id`", "<b>", "ü — 熊"])
def test_names_are_text_in_every_file(stem, model, tmp_path):
    yaml = pytest.importorskip("yaml")
    path = tmp_path / f"{stem}.ursa".replace("/", "_")
    path.write_bytes(model.read_bytes())
    made = ursa.containerize(path, tmp_path / "online")
    lines = text(made, "Dockerfile").splitlines()
    assert [line for line in lines if line.startswith("USER")] == ["USER 1000:1000"]
    _, front, rest = text(made, "README.md").split("---\n", 2)
    assert yaml.safe_load(front)["sdk"] == "docker"
    assert "<b>" not in rest and "A classifier of 3 classes" in rest
    assert len(documents(made, "kubernetes.yaml")) == 2


def test_a_bundle_that_is_a_folder_is_packed(model, tmp_path):
    read = bundles.read(model)
    with zipfile.ZipFile(model) as archive:
        manifest = archive.read("bundle.json")
    write(tmp_path / "bears", {"bundle.json": manifest, **read.parts})
    made = ursa.containerize(tmp_path / "bears", tmp_path / "online")
    assert bundles.read(made.folder / "bears.ursa").document == read.document


def test_nothing_is_overwritten_and_nothing_is_written_for_a_bundle_that_cannot_be_served(model, online, tmp_path):
    with pytest.raises(DataError, match="is not empty") as refused:
        ursa.containerize(model, online.folder)
    assert refused.value.fix == "name a new folder"
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="is a file"):
        ursa.containerize(model, tmp_path / "file")
    broken = tmp_path / "broken.ursa"
    for data in (model.read_bytes()[:-100], bundle_of(model=b"no model, with the right hash")):
        broken.write_bytes(data)
        with pytest.raises(BundleError):
            ursa.containerize(broken, tmp_path / "new")
        assert not (tmp_path / "new").exists()


def test_the_command_says_what_to_do_next_and_refuses_what_it_would_not_read(model, tmp_path):
    done = CliRunner().invoke(app, ["export", str(model), "--container", str(tmp_path / "a"), "--json"])
    assert done.exit_code == 0 and json.loads(done.stdout)["image"].startswith("my-bears-co:")
    done = CliRunner().invoke(app, ["export", str(model), "--container", str(tmp_path / "b")])
    assert "Next: docker build --tag my-bears-co:" in done.output
    for more in (["--data", "x"], ["--out", "x.ursa"], ["--max-loss", "2"], ["--workspace", "x"]):
        done = CliRunner().invoke(app, ["export", str(model), "--container", str(tmp_path / "c"), *more])
        assert done.exit_code == 2 and f"{more[0]} is for --int8 and --fp16" in done.output
    for more in ([], ["--int8", "--fp16"], ["--int8"]):
        assert CliRunner().invoke(app, ["export", str(model), *more]).exit_code == 2
    assert not (tmp_path / "c").exists()


def test_the_health_check_fails_where_nothing_answers(online):
    line = next(each for each in text(online, "Dockerfile").splitlines() if each.strip().startswith("CMD"))
    words = json.loads(line.strip().removeprefix("CMD "))
    done = subprocess.run([sys.executable, *words[1:]], capture_output=True, text=True)
    assert done.returncode == 1 and "refused" in done.stderr and ":7860/health" in words[2]
