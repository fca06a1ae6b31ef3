"""Which parameter of the base goes with which of each tuned encoder: by name, and all of them, or the merge stops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from mergekit_speech.errors import PairingError
from mergekit_speech.registry import suggestion
from mergekit_speech.shards.dtypes import FLOATS
from mergekit_speech.shards.header import Parameter


def is_kept(name: str, keep: Sequence[str]) -> bool:
    """Say whether a parameter is to be copied from the base."""
    return any(fnmatchcase(name, pattern) for pattern in keep)


def check_pairs(
    base: Mapping[str, Parameter], tuned: Mapping[str, Mapping[str, Parameter]], keep: Sequence[str] = ()
) -> None:
    """Check that every parameter of the base has its counterpart in every tuned encoder.

    Args:
        base: Parameters of the base, by name.
        tuned: The same of each tuned encoder, by what to call the encoder in messages.
        keep: Glob patterns of parameters that are copied from the base, and so need no counterpart.

    Raises:
        PairingError: Names are missing on either side, shapes differ, or one side holds integers; all are listed. Or a
            pattern matches nothing.
    """
    faults = [fault for label, parameters in tuned.items() for fault in _differences(base, label, parameters, keep)]
    if faults:
        raise PairingError(
            f"{'; '.join(faults)}; give encoders of one base, or name what to keep from it (--keep GLOB)"
        )
    everything = set(base).union(*tuned.values())
    for pattern in keep:
        if not any(fnmatchcase(name, pattern) for name in everything):
            raise PairingError(
                f"expected a parameter that matches keep {pattern!r}{suggestion(pattern, everything)}, came none"
            )


def _differences(
    base: Mapping[str, Parameter], label: str, tuned: Mapping[str, Parameter], keep: Sequence[str]
) -> list[str]:
    wanted = {name for name in base if not is_kept(name, keep)}
    missing = [name for name in base if name in wanted and name not in tuned]
    extra = [name for name in tuned if name not in base and not is_kept(name, keep)]
    both = [name for name in base if name in wanted and name in tuned]
    shapes = [name for name in both if base[name].shape != tuned[name].shape]
    kinds = [name for name in both if (base[name].dtype in FLOATS) != (tuned[name].dtype in FLOATS)]
    faults = []
    if missing:
        faults.append(f"{label} lacks {len(missing)} of the base's parameters: {', '.join(missing)}")
    if extra:
        faults.append(f"{label} has {len(extra)} that the base lacks: {', '.join(extra)}")
    if shapes:
        listed = ", ".join(f"{name} {base[name].shape} against {tuned[name].shape}" for name in shapes)
        faults.append(f"shapes differ between the base and {label}: {listed}")
    if kinds:
        listed = ", ".join(f"{name} {base[name].dtype} against {tuned[name].dtype}" for name in kinds)
        faults.append(f"numbers differ in kind between the base and {label}: {listed}")
    return faults
