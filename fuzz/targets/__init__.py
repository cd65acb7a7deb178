"""All that is fuzzed. A target more is one more `Target` in this tuple, or in one named by `--targets MODULE`."""

from fuzz.target import Target
from fuzz.targets import bundles, folders, forms, lists, pictures, tables, weights, workspaces

TARGETS: tuple[Target, ...] = (
    *pictures.TARGETS,
    *bundles.TARGETS,
    *forms.TARGETS,
    *tables.TARGETS,
    *lists.TARGETS,
    *folders.TARGETS,
    *workspaces.TARGETS,
    *weights.TARGETS,
)
