"""Networks -> larger ones: a residual block, two inputs through one body, several outputs from one body."""

from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn import functional as F

from ursa.errors import TrainingError
from ursa.models.built import network, remembered


class Residual(nn.Module):
    """x -> body(x) + x, or body(x) + skip(x) where the body changes the shape (He et al. 2016)."""

    def __init__(self, body: nn.Module, skip: nn.Module | None = None) -> None:
        super().__init__()
        self.body = network("body", body)
        self.skip = skip if skip is None else network("skip", skip)
        remembered(self, "residual", body=body, skip=skip)

    def forward(self, inputs: Tensor) -> Tensor:
        """Any shape that the body takes. Raises TrainingError where the two ways end in different shapes."""
        through: Tensor = self.body(inputs)
        around: Tensor = inputs if self.skip is None else self.skip(inputs)
        if through.shape != around.shape:
            raise TrainingError(
                "the two ways through a residual block end in different shapes",
                found=f"body {list(through.shape)}, skip {list(around.shape)}",
                fix="give the block a skip that changes the shape as the body does, such as a 1 x 1 convolution",
            )
        return through + around


class Siamese(nn.Module):
    """Two inputs -> how far apart they are, both seen by the same body with the same weights (Bromley et al. 1993)."""

    def __init__(self, body: nn.Module, head: nn.Module | None = None) -> None:
        super().__init__()
        self.body = network("body", body)
        self.head = head if head is None else network("head", head)

    def forward(self, one: Tensor, other: Tensor) -> Tensor:
        """Two batches of the same shape -> Euclidean distances [N], or the head of |difference| [N, ...]."""
        first, second = self.body(one), self.body(other)
        if self.head is None:
            distances: Tensor = F.pairwise_distance(first.flatten(1), second.flatten(1))
            return distances
        answers: Tensor = self.head((first - second).abs())
        return answers


class MultiOutput(nn.Module):
    """One body, several heads -> {name: output}. The heads are `heads[i]`, in the order of `names`."""

    def __init__(self, body: nn.Module, heads: Mapping[str, nn.Module]) -> None:
        super().__init__()
        if not isinstance(heads, Mapping) or not heads or not all(isinstance(name, str) for name in heads):
            raise TrainingError("several outputs need a head each", found=repr(heads), fix='give {"kind": head, ...}')
        self.body = network("body", body)
        self.names = tuple(heads)
        self.heads = nn.ModuleList(network(f"the head {name!r}", head) for name, head in heads.items())

    def forward(self, *inputs: Tensor) -> dict[str, Tensor]:
        """What the body takes -> one output a head."""
        features = self.body(*inputs)
        return {name: head(features) for name, head in zip(self.names, self.heads, strict=True)}


def siamese(body: nn.Module, head: nn.Module | None = None) -> Siamese:
    """A network of two inputs: the distance of what the body makes of them, or a head on its absolute difference.

    With a head of one output it learns "same or not" by a binary loss; without, the distance suits contrastive losses.
    """
    return remembered(Siamese(body, head), "siamese", body=body, head=head)


def multi_output(body: nn.Module, heads: Mapping[str, nn.Module]) -> MultiOutput:
    """A network of several outputs: `multi_output(body, {"kind": linear(64, 3), "age": linear(64, 1)})`."""
    model = MultiOutput(body, heads)
    return remembered(model, "multi_output", body=body, heads=dict(heads))
