"""From the documents of a recipe to a `Recipe`: which encoder is the base, what names mean, and what cannot be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mergekit_speech.merging.arguments import Fault
from mergekit_speech.merging.documents.merges import build_merge
from mergekit_speech.merging.documents.schema import Document
from mergekit_speech.merging.recipe import Merge, Named, Recipe

MOST_INPUTS = 256


def build_recipe(documents: Sequence[Document], faults: list[Fault]) -> Recipe | None:
    """Put the merges of a file together.

    Args:
        documents: One for each merge, in any order; places of faults begin with the number of the document.
        faults: What is wrong is added here.

    Returns:
        The recipe; with faults, it is of no use, or None.
    """
    last = _find_last(documents, faults)
    numbers = _number_names(documents, last, faults)
    merges = [build_merge(number, each, numbers, faults) for number, each in enumerate(documents)]
    order = _sort(last, merges, numbers, faults)
    if order is None:
        return None
    _check_use(order, merges, numbers, faults)
    document = documents[last]
    return Recipe(
        merge=merges[last],
        named={documents[number].name or "": merges[number] for number in order if number != last},
        dtype=document.out_dtype or document.dtype,
        seed=document.seed,
        base_digest=document.base_digest,
        force=document.force,
    )


def _find_last(documents: Sequence[Document], faults: list[Fault]) -> int:
    unnamed = [number for number, document in enumerate(documents) if document.name is None]
    for number in unnamed[1:]:
        text = f"expected a name for every merge but one, came none here and in document {unnamed[0] + 1}"
        faults.append(Fault((number,), text))
    return unnamed[0] if unnamed else len(documents) - 1


def _number_names(documents: Sequence[Document], last: int, faults: list[Fault]) -> dict[str, int]:
    numbers: dict[str, int] = {}
    for number, document in enumerate(documents):
        if number == last or document.name is None:
            continue
        if document.name in numbers:
            text = f"expected the name {document.name!r} once, came again from document {numbers[document.name] + 1}"
            faults.append(Fault((number, "name"), text))
        numbers.setdefault(document.name, number)
        for key in ("seed", "base_digest", "force"):
            if key in document.model_fields_set:
                faults.append(Fault((number, key), f"expected {key} in the merge without a name only, came it here"))
    return numbers


def _sort(last: int, merges: Sequence[Merge], numbers: dict[str, int], faults: list[Fault]) -> list[int] | None:
    """Give the merges that the last one needs, each behind all that it needs itself."""
    order: list[int] = []
    path: list[int] = []

    def visit(number: int) -> bool:
        if number in path:
            names = {number: name for name, number in numbers.items()}
            circle = " → ".join(repr(names[each]) for each in [*path[path.index(number) :], number])
            faults.append(Fault((number, "name"), f"expected merges that need only earlier ones, came {circle}"))
            return False
        if number in order:
            return True
        path.append(number)
        fine = True
        for name in _names(merges[number]):
            fine = visit(numbers[name]) and fine
        path.pop()
        order.append(number)
        return fine

    return order if visit(last) else None


def _names(merge: Merge) -> list[str]:
    return [source.name for source in merge.sources if isinstance(source, Named)]


def _check_use(order: Sequence[int], merges: Sequence[Merge], numbers: Mapping[str, int], faults: list[Fault]) -> None:
    for name, number in numbers.items():
        if number not in order:
            faults.append(Fault((number, "name"), f"expected a merge that uses {name!r}, came none; remove this one"))
    sizes: dict[int, int] = {}
    for number in order:
        sources = merges[number].sources
        sizes[number] = sum(sizes[numbers[each.name]] if isinstance(each, Named) else 1 for each in sources)
        if sizes[number] > MOST_INPUTS:
            text = f"expected at most {MOST_INPUTS} inputs with those of the merges that it uses, came {sizes[number]}"
            faults.append(Fault((number,), text))
            return
