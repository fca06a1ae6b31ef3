"""What must be reached, beside what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from benchmarks.chart import TOOLS
from benchmarks.engine import MOST_TIMES_COPY
from benchmarks.finetuning import LEAST, MOST_WAITING
from benchmarks.layouts import ALLOWED as LAYOUTS_ALLOWED
from benchmarks.layouts import TIMES_LARGEST
from benchmarks.memory import ALLOWED
from benchmarks.peers import BARS

Result: TypeAlias = Mapping[str, Any]
Results: TypeAlias = Mapping[str, Result | None]
Row: TypeAlias = Sequence[str]

NOT_MEASURED = "not measured"
KERNELS = {
    "linear": "linear",
    "task_arithmetic": "task arithmetic",
    "ties_apply": "ties, thresholds known",
    "ties_with_thresholds": "ties with thresholds",
}


def judge(results: Results) -> list[Row]:
    """Give a row for each bar: the work, the bar, what was measured, and whether the bar was reached.

    Args:
        results: The latest result by the name of the benchmark; None where there is none.
    """
    return [
        *_engine_bars(results["engine"]),
        *_peer_bars(results["peers"]),
        *_strategy_bars(results["strategies"]),
        *_memory_bars(results["memory"]),
        _layout_bar(results["layouts"]),
        *_kernel_bars(results["kernels"]),
        *_finetuning_bars(results["finetuning"]),
    ]


def _engine_bars(result: Result | None) -> list[Row]:
    bar = f"at most {MOST_TIMES_COPY} × `cp` of the output"
    if result is None:
        return [("linear, the engine alone", bar, NOT_MEASURED, "")]
    rows: list[Row] = []
    for kind, found in result["checkpoints"].items():
        times = f"{found['times_copy']} × ({found['times_durable_copy']} × with both written out to the disk)"
        rows.append((f"linear, the engine alone: {kind}", bar, times, yes(found["times_copy"] <= MOST_TIMES_COPY)))
        cost = f"{found['digest_cost']:+.0%} of the engine's time"
        rows.append((f"digests of the inputs: {kind}", "shown only", cost, ""))
    return rows


def _peer_bars(result: Result | None) -> list[Row]:
    rows: list[Row] = []
    for (work, tool), bar in BARS.items():
        title, expected = f"{work}, whole process", f"at least {bar:g} × less time than {TOOLS[tool]}"
        if result is None:
            rows.append((title, expected, NOT_MEASURED, ""))
        else:
            times = result["works"][work]["times_faster"][tool]
            rows.append((title, expected, f"{times} ×", yes(times >= bar)))
    return rows


def _strategy_bars(result: Result | None) -> list[Row]:
    if result is None:
        return [("strategies, the engine alone", "at most 3 ×, 5 × (dare) and 12 × (ties) linear", NOT_MEASURED, "")]
    worst: dict[float, tuple[float, str]] = {}
    for name, found in result["strategies"].items():
        if found["bar"] is not None:
            worst[found["bar"]] = max(worst.get(found["bar"], (0.0, "")), (found["times_linear"], name))
    return [
        (f"slowest strategy with this bar: {name}", f"at most {bar:g} × linear", f"{times} ×", yes(times <= bar))
        for bar, (times, name) in sorted(worst.items())
    ]


def _memory_bars(result: Result | None) -> list[Row]:
    title, bar = "peak memory above the imports", f"at most the budget + {ALLOWED >> 20} MB"
    if result is None:
        return [(title, bar, NOT_MEASURED, "")]
    worst: dict[int, int] = {}
    for strategies in result["checkpoints"].values():
        for peaks in strategies.values():
            for budget, peak in peaks.items():
                worst[int(budget)] = max(worst.get(int(budget), 0), peak)
    return [
        (f"{title}, --memory {budget >> 20}MB", bar, f"at most {megabytes(peak)} MB", yes(peak <= budget + ALLOWED))
        for budget, peak in sorted(worst.items())
    ]


def _layout_bar(result: Result | None) -> Row:
    title = "peak memory above the imports, conversions and merges across layouts"
    bar = f"at most {TIMES_LARGEST} × the largest parameter in fp32 + {LAYOUTS_ALLOWED >> 20} MB"
    if result is None:
        return (title, bar, NOT_MEASURED, "")
    peak, most = max(result["works"].values()), result["bar_bytes"]
    return (title, f"{bar} ({megabytes(most)} MB)", f"at most {megabytes(peak)} MB", yes(peak <= most))


def _kernel_bars(result: Result | None) -> list[Row]:
    rows: list[Row] = []
    for name, title in KERNELS.items():
        bar = f"at least {50 if name == 'ties_with_thresholds' else 85} % of the copy bandwidth"
        found = None if result is None else result[name]
        measured = NOT_MEASURED if found is None else f"{found['share']:.0%}"
        rows.append((f"GPU, {title}", bar, measured, "" if found is None else yes(found["reached"])))
    return rows


def _finetuning_bars(result: Result | None) -> list[Row]:
    device = "cpu" if result is None else result["device"]
    title = f"CTC fine-tuning of HuBERT Base, {device}"
    bars = (f"at least {LEAST[device]:g} × the audio a second of transformers' Trainer", f"at most {MOST_WAITING:.0%}")
    waiting = f"{title}: share of the time spent waiting for audio"
    if result is None:
        return [(title, bars[0], NOT_MEASURED, ""), (waiting, bars[1], NOT_MEASURED, "")]
    speeds = result["audio_seconds_per_second"]
    use = ", ".join(f"{name} {share:.0%}" for name, share in result["model_flops_use"].items())
    both = f"{speeds['msm']:.2f} against {speeds['transformers']:.2f} s of audio a second in {result['precision']}"
    times = f"{result['times_faster']} × ({both}; of a matrix product's operations: {use})"
    return [
        (title, bars[0], times, yes(result["times_faster"] >= LEAST[device])),
        (waiting, bars[1], f"{result['waited']:.1%}", yes(result["waited"] <= MOST_WAITING)),
    ]


def megabytes(size: float) -> str:
    """Spell a number of bytes in MB, rounded."""
    return f"{size / (1 << 20):.0f}"


def yes(reached: bool) -> str:
    """Spell whether something is so."""
    return "yes" if reached else "no"
