"""Networks that take pictures as they are decoded: a backbone with a head, and custom ones."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ursa.embed.extractor import Extractor
from ursa.embed.probe import Head

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of a color, in [0, 1]


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
        return _averaged(self._of_view, pictures, 1 if self.training else self.views)

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


class PictureNetwork(nn.Module):
    """A custom network on pictures: [N, S, S, 3] uint8 -> its outputs. It gets [N, 3, S, S], as ImageNet."""

    def __init__(self, network: nn.Module, size: int, views: int = 1) -> None:
        """size: of the pictures, pixels; views: as of `Classifier`."""
        super().__init__()
        self.views = views
        self.extractor = Extractor(network, IMAGENET_MEAN, IMAGENET_STD, size)

    def forward(self, pictures: Tensor) -> Tensor:
        """pictures [N, S, S, 3] uint8 -> [N, K] logits, or [N, M] numbers."""
        return _averaged(self.extractor, pictures, 1 if self.training else self.views)


def _averaged(of_view: Callable[[Tensor], Tensor], pictures: Tensor, views: int) -> Tensor:
    """The outputs, or their mean over the pictures and their mirror images."""
    outputs = of_view(pictures)
    return outputs if views == 1 else (outputs + of_view(pictures.flip(2))) / 2
