"""The files that are shipped, to be run as they are, or to be copied and adapted."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from mergekit_speech.errors import RecipeError
from mergekit_speech.registry import suggestion


@dataclass(frozen=True)
class Ready:
    """The shipped files of a kind.

    Attributes:
        kind: In messages, such as "recipe".
        folder: Below the package.
    """

    kind: str
    folder: str

    def names(self) -> list[str]:
        """List their names, sorted."""
        folder = files("mergekit_speech") / self.folder
        return sorted(each.name.removesuffix(".yaml") for each in folder.iterdir() if each.name.endswith(".yaml"))

    def path(self, name: str) -> Path:
        """Give the place of one.

        Args:
            name: Such as "speech_ft".

        Raises:
            RecipeError: There is none of this name.
        """
        names = self.names()
        if name not in names:
            listed = ", ".join(names)
            raise RecipeError(
                f"expected a ready {self.kind}, came {name!r}{suggestion(name, names)}; there are: {listed}"
            )
        return Path(str(files("mergekit_speech") / self.folder / f"{name}.yaml"))

    def text(self, name: str) -> str:
        """Give the text of one; its first line, behind `# `, says what it does.

        Raises:
            RecipeError: There is none of this name.
        """
        return self.path(name).read_text(encoding="utf-8")

    def summary(self, name: str) -> str:
        """What one does, in a line.

        Raises:
            RecipeError: There is none of this name.
        """
        return self.text(name).partition("\n")[0].removeprefix("# ")


RECIPES = Ready("recipe", "recipes")
WORKFLOWS = Ready("workflow", "workflows/ready")
