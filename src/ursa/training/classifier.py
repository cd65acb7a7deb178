"""Body + head: the classifier that is trained, exported and served."""

import torch
from torch import Tensor, nn

from ursa.embed.extractor import Extractor
from ursa.embed.probe import Head


class Standardize(nn.Module):
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

    def __init__(self, extractor: Extractor, features: int, classes: int, views: int = 1) -> None:
        """views: 2 for predictions that are the mean over a picture and its mirror image (test-time augmentation)."""
        super().__init__()
        self.views = views
        self.extractor = extractor
        self.standardize = Standardize(features)
        self.head = nn.Linear(features, classes)

    @classmethod
    def from_probe(cls, extractor: Extractor, head: Head, views: int = 1) -> "Classifier":
        """A classifier that predicts what the probe predicts (linear probing, then fine-tuning: Kumar et al. 2022)."""
        features, classes = head.weight.shape
        model = cls(extractor, features, classes, views)
        with torch.no_grad():
            model.standardize.mean.copy_(torch.from_numpy(head.mean))
            model.standardize.scale.copy_(torch.from_numpy(head.scale))
            model.head.weight.copy_(torch.from_numpy(head.weight.T))
            model.head.bias.copy_(torch.from_numpy(head.bias))
        return model

    def forward(self, pictures: Tensor) -> Tensor:
        """pictures [N, S, S, 3] uint8 -> logits [N, K]."""
        logits = self._of_view(pictures)
        if self.views == 1 or self.training:
            return logits
        return (logits + self._of_view(pictures.flip(2))) / 2

    def _of_view(self, pictures: Tensor) -> Tensor:
        logits: Tensor = self.head(self.standardize(self.extractor(pictures)))
        return logits

    def train(self, mode: bool = True) -> "Classifier":
        """Training mode, but batch norm keeps the statistics that it was pretrained with.

        So the first step starts exactly from the probe, and the result does not depend on the size of parts.
        """
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()
        return self
