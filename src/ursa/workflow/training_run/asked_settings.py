"""Settings as they were given -> a recipe, for whichever backbone they come to be read with."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ursa.recipe import Recipe, recipe_from
from ursa.workflow.training_run import training_diagnosed, unread_settings


@dataclass(frozen=True)
class AskedSettings:
    """Of a training."""

    given: Recipe | Mapping[str, Any] | None
    short: Mapping[str, Any]  # the commonest ones: epochs, lr, batch_size, seed
    minutes: float | None
    device: str
    confirm: bool

    def usual(self, backbone: str) -> Recipe:
        """What they differ from; a whole recipe is taken as it is."""
        return Recipe() if isinstance(self.given, Recipe) else Recipe.for_backbone(backbone)

    def recipe(self, backbone: str) -> Recipe:
        """All settings. Raises TrainingError for wrong ones, and for those that would not be read."""
        usual = self.usual(backbone)
        recipe = recipe_from(self.given, usual, **self.short)
        if self.confirm:
            training_diagnosed.refuse_confirm(recipe, timed=self.minutes is not None)
        unread_settings.refuse(recipe, timed=self.minutes is not None, device=self.device, usual=usual)
        return recipe
