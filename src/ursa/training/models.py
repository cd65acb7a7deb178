"""Body + head: the classifier that is trained, exported and served."""

import itertools

import torch
from torch import Tensor, nn

from ursa.embed.extractor import Extractor
from ursa.embed.probe import Head


class Standardise(nn.Module):
    """features [N, D] -> (features - mean) * scale: as the probe saw them, so that one learning rate fits all."""

    mean: Tensor
    scale: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("scale", torch.ones(features))

    def forward(self, features: Tensor) -> Tensor:
        """features [N, D] -> [N, D]."""
        return (features - self.mean) * self.scale


class Classifier(nn.Module):
    """pictures [N, S, S, 3] uint8 -> logits [N, K] float32."""

    def __init__(self, extractor: Extractor, features: int, classes: int) -> None:
        super().__init__()
        self.extractor = extractor
        self.standardise = Standardise(features)
        self.head = nn.Linear(features, classes)

    @classmethod
    def from_probe(cls, extractor: Extractor, head: Head) -> "Classifier":
        """A classifier that predicts what the probe predicts (linear probing, then fine-tuning: Kumar et al. 2022)."""
        model = cls(extractor, *head.weight.shape)
        with torch.no_grad():
            model.standardise.mean.copy_(torch.from_numpy(head.mean))
            model.standardise.scale.copy_(torch.from_numpy(head.scale))
            model.head.weight.copy_(torch.from_numpy(head.weight.T))
            model.head.bias.copy_(torch.from_numpy(head.bias))
        return model

    def forward(self, pictures: Tensor) -> Tensor:
        """pictures [N, S, S, 3] uint8 -> logits [N, K]."""
        logits: Tensor = self.head(self.standardise(self.extractor(pictures)))
        return logits

    def layer_groups(self, parts: int = 3) -> list[list[nn.Module]]:
        """The body's layers with weights in `parts` runs of about equal number, first layers first; then the head."""
        own = [m for m in self.extractor.body.modules() if any(True for _ in m.parameters(recurse=False))]
        bounds = [round(i * len(own) / parts) for i in range(parts + 1)]
        runs = [own[a:b] for a, b in itertools.pairwise(bounds)]
        return [*(run for run in runs if run), [self.head]]
