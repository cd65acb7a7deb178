"""What `import ursa` gives, and what it does not cost."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import ursa

PUBLIC = {
    "BundleError",
    "Catalog",
    "DataError",
    "Finding",
    "Labeling",
    "Learner",
    "Estimate",
    "Prediction",
    "Predictor",
    "Recipe",
    "TrainingError",
    "UrsaError",
    "apply",
    "card",
    "predict",
    "backbones",
    "check",
    "compare",
    "containerize",
    "decide",
    "decisions",
    "diagnose_history",
    "download",
    "error_analysis",
    "evaluate",
    "export_web",
    "gaps",
    "grad_cam",
    "load",
    "models",
    "quantize",
    "revert",
    "review",
    "runs",
    "show",
    "show_batch",
    "train",
}

HEAVY = {
    "matplotlib",
    "torch",
    "torchvision",
    "timm",
    "numpy",
    "polars",
    "PIL",
    "onnxruntime",
    "sklearn",
    "rich",
    "typer",
}


def loaded_after(code):
    script = f"import sys; {code}; print(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    return set(
        subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout.split()
    )


def test_the_front_door_lists_exactly_the_public_names():
    assert set(ursa.__all__) == PUBLIC
    assert set(dir(ursa)) == PUBLIC | {"__version__"}


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_every_public_name_is_there_and_documented(name):
    assert getattr(ursa, name).__doc__


def test_names_for_type_checkers_and_for_python_are_the_same():
    tree = ast.parse(Path(ursa.__file__).read_text())
    typed = {
        (alias.name, node.module)
        for branch in tree.body
        if isinstance(branch, ast.If)
        for node in ast.walk(branch)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert typed == set(ursa._HOME.items())


def test_functions_stay_functions_whatever_is_imported_later():
    loaded_after("import ursa, ursa.workflow.train, ursa.workflow.check; assert callable(ursa.train)")
    loaded_after("import ursa, ursa.workflow.deciding.reviewing, ursa.review_page.access; assert callable(ursa.review)")
    loaded_after("import ursa; ursa.train; import ursa.training.loop; assert callable(ursa.train)")


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'chekc'"):
        ursa.chekc  # noqa: B018


def test_importing_ursa_imports_nothing_heavy():
    assert not loaded_after("import ursa") & HEAVY


def test_the_server_never_imports_torch():
    assert not loaded_after("import ursa.serve.app, ursa.serve.run") & {
        "torch",
        "torchvision",
        "timm",
        "polars",
        "sklearn",
    }


def test_help_imports_nothing_that_computes():
    code = "from ursa.cli.commands import app; from typer.main import get_command; get_command(app)"
    assert not loaded_after(code) & {"torch", "numpy", "polars", "PIL", "onnxruntime"}


def test_the_version_is_that_of_the_distribution():
    from importlib.metadata import version

    assert ursa.__version__ == version("ursa-learn")


def test_the_default_backbone_is_the_same_for_command_line_and_python():
    from ursa.embed.backbone import DEFAULT
    from ursa.prepared.setup import Setup

    assert Setup().backbone == DEFAULT


def test_options_say_that_they_are_keywords_now():
    with pytest.raises(AttributeError, match=r'given by keywords: ursa.check\("bears", backbone="pixels"\)'):
        ursa.Options  # noqa: B018
