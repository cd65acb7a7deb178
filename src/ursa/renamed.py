"""What Ursa 0.1 called it -> what it is called now. For one version an old name raises an error that says the new."""

import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, NoReturn

MODULES = {  # inside `ursa`
    "clean.harm": "clean.swapped_labels",
    "cli.app": "cli.commands",
    "cli.demo": "cli.results_text",
    "cli.look": "cli.terminal_tiles",
    "cli.options": "cli.command_options",
    "cli.progress": "core.progress_display",
    "cli.show": "cli.results_text",
    "core.bundle": "core.bundles.bundle",
    "core.bundle_document": "core.bundles.bundle_document",
    "core.bundle_zip": "core.bundles.bundle_zip",
    "core.colour": "core.decoding.color",
    "core.gif": "core.decoding.gif",
    "core.headers": "core.decoding.headers",
    "core.image": "core.decoding.image",
    "core.jpeg": "core.decoding.jpeg",
    "core.kinds": "core.decoding.kinds",
    "core.limits": "core.decoding.decoding_limits",
    "core.markers": "core.decoding.markers",
    "core.memory": "core.decoding.memory_needed",
    "core.metrics": "core.statistics",
    "core.netpbm": "core.decoding.netpbm",
    "core.onnx_file": "core.bundles.onnx_file",
    "core.onnx_rules": "core.bundles.onnx_rules",
    "core.protobuf": "core.bundles.protobuf",
    "data.addresses": "data.download.addresses",
    "data.arrays": "data.sources.arrays",
    "data.copies": "data.near_duplicates",
    "data.datasets": "data.sources.datasets",
    "data.download": "data.download.downloader",
    "data.fetch": "data.download.fetch",
    "data.folders": "data.sources.write_folder",
    "data.frames": "data.sources.frames",
    "data.given": "data.sources.class_names",
    "data.ledger": "data.download.ledger",
    "data.lists": "data.download.lists",
    "data.looks": "data.test_set_log",
    "data.names": "data.sources.name_patterns",
    "data.parquet": "data.sources.parquet",
    "data.pixels": "data.pixel_cache",
    "data.sources": "data.sources.folder_source",
    "data.tables": "data.sources.tables",
    "data.targets": "data.sources.target_columns",
    "data.walk": "data.sources.walk",
    "embed.heads": "embed.linear_heads",
    "embed.neighbours": "embed.similar_embeddings",
    "embed.predictions": "embed.stored_probe",
    "embed.run": "embed.one_pass",
    "export.bundle": "export.write_bundle",
    "models.drawing": "models.layer_graph.mermaid",
    "models.explaining": "models.shape_errors",
    "models.files": "models.saving",
    "models.flow": "models.layer_graph.flow",
    "models.initial": "models.init",
    "models.library": "models.by_name",
    "models.table": "models.model_summary",
    "plots.pictures": "plots.batch_grid",
    "plots.pixels": "plots.as_pictures",
    "plots.rates": "plots.lr_curve",
    "sandbox.memory": "sandbox.shared_memory",
    "serve.acceptor": "serve.http.acceptor",
    "serve.clients": "serve.http.clients",
    "serve.fair_queue": "serve.http.fair_queue",
    "serve.form": "serve.http.form",
    "serve.hosts": "serve.http.hosts",
    "serve.protocol": "serve.http.http_protocol",
    "serve.refusals": "serve.http.refusals",
    "serve.upload": "serve.http.upload",
    "training.answers": "training.tasks.predictions",
    "training.array_batches": "training.batches.array_batches",
    "training.augment": "training.augment.views",
    "training.average": "training.optim.ema",
    "training.batches": "training.batches.batch",
    "training.checkpoint": "training.checkpoints.checkpoint",
    "training.checkpoints": "training.checkpoints.checkpoint_folder",
    "training.colour": "training.augment.color_jitter",
    "training.cores": "training.optim.data_parallel",
    "training.dataset_batches": "training.batches.dataset_batches",
    "training.draws": "training.augment.random_numbers",
    "training.evaluate": "training.evaluation",
    "training.geometry": "training.augment.geometry",
    "training.given": "training.batches.learner_data",
    "training.harm": "training.augment.label_safety",
    "training.inputs": "training.batches.inputs",
    "training.layer_rates": "training.optim.layer_lrs",
    "training.layout": "training.batches.memory_format",
    "training.loss_check": "training.tasks.loss_check",
    "training.losses": "training.tasks.losses",
    "training.lr_curves": "training.lr_finder.suggestion",
    "training.lr_finder": "training.lr_finder.range_test",
    "training.metrics": "training.tasks.metrics",
    "training.mixing": "training.augment.mixing",
    "training.models": "training.classifier",
    "training.optimizers": "training.optim.optimizers",
    "training.pace": "training.optim.deadline",
    "training.parts": "training.batches.splits",
    "training.patches": "training.augment.patches",
    "training.picture_batches": "training.batches.picture_batches",
    "training.pictures": "training.batches.picture_reader",
    "training.schedules": "training.optim.schedules",
    "training.target_shapes": "training.tasks.target_shapes",
    "training.targets": "training.tasks.targets",
    "training.tensor_file": "training.checkpoints.tensor_file",
    "training.thaw": "training.optim.gradual_unfreezing",
    "training.trackers": "training.loggers",
    "training.transfer": "training.fine_tuning",
    "training.trivial": "training.augment.trivial_augment",
    "training.units": "training.tasks.target_scaling",
    "training.untouched": "training.lr_finder.restored",
    "workflow.bundle_path": "workflow.training_run.bundle_path",
    "workflow.learner": "learner.learner",
    "workflow.learner_export": "learner.exporting",
    "workflow.learner_file": "learner.learner_file",
    "workflow.learner_pictures": "learner.picture_data",
    "workflow.learner_results": "learner.results",
    "workflow.learner_setup": "learner.learner_recipe",
    "workflow.minutes": "workflow.training_run.minutes",
    "workflow.parts": "prepared.splitting",
    "workflow.progress_table": "core.progress_display",
    "workflow.setup": "prepared.setup",
    "workflow.speeds": "workflow.training_run.speeds",
}

NAMES = {  # of `ursa` itself, and of its packages that are open to all
    "Metric": "ursa.Estimate",
    "load_learner": "ursa.load",
    "Options": 'given by keywords: ursa.check("bears", backbone="pixels"), ursa.train, ursa.Learner',
    "models.initialise": "ursa.models.initialize",
    "models.named": "ursa.models.create",
}


class _Renamed(MetaPathFinder):
    """Asked last, for modules that nobody else found."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """importlib: where a module is. Raises ModuleNotFoundError for one that is elsewhere now."""
        room, _, name = fullname.partition(".")
        if room == "ursa" and name in MODULES:
            raise ModuleNotFoundError(f"{fullname} is now ursa.{MODULES[name]} (Ursa 0.2)", name=fullname)
        return None


def install() -> None:
    """Have imports of modules that moved say where they are."""
    if not any(isinstance(finder, _Renamed) for finder in sys.meta_path):
        sys.meta_path.append(_Renamed())


def gone(name: str, package: str = "ursa") -> AttributeError:
    """The error for a name that a package does not have, or no longer."""
    known = f"{package}.{name}".removeprefix("ursa.")
    if known in NAMES:
        return AttributeError(f"ursa.{known} is now {NAMES[known]} (Ursa 0.2)")
    return AttributeError(f"module {package!r} has no attribute {name!r}")


def was_module(package: str) -> Callable[[str], NoReturn]:
    """`__getattr__` of a package that was a module of this name: what it held says where it is."""

    def __getattr__(name: str) -> Any:  # noqa: N807
        if not name.startswith("__"):
            now = MODULES[package.removeprefix("ursa.")]
            raise AttributeError(f"{package} is a package now; {name!r} may be in ursa.{now} (Ursa 0.2)")
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return __getattr__
