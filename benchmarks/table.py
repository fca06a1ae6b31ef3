"""The tables of README.md, made from the latest result of each benchmark.

python -m benchmarks.table
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from benchmarks.bars import NOT_MEASURED, Result, Results, Row, judge, megabytes, yes
from benchmarks.chart import TOOLS, draw_processes
from benchmarks.engines import BARS
from benchmarks.origin import ROOT, spell
from benchmarks.page import replaced
from benchmarks.records import RESULTS, latest
from mergekit_speech.superb.engines import ENGINES

README = ROOT / "benchmarks" / "README.md"
CHART = RESULTS / "processes.svg"
NAME = "benchmarks.table"
BENCHMARKS = ("engine", "peers", "strategies", "memory", "layouts", "kernels", "engines", "finetuning")


def render(results: Results) -> str:
    """Write all tables.

    Args:
        results: The latest result by the name of the benchmark; None where there is none.
    """
    parts = [
        "## The bars",
        _table(("work", "must reach", "measured", "reached"), judge(results)),
        "## Whole processes",
        "HuBERT Base in float32; ties at density 0.2; task_arithmetic and ties with two tuned encoders.",
        *_processes(results["peers"]),
        "## Strategies",
        "The engine's time beside that of linear on as many tuned encoders, at most two.",
        *_strategies(results["strategies"]),
        "## Memory",
        "Peak memory above the imports, in MB, by budget.",
        *_memory(results["memory"]),
        "The same of conversions, and of merges of a base and tuned encoders in files of different programs.",
        *_layouts(results["layouts"]),
        "## The two engines of `msm bench`",
        *_engines(results["engines"]),
        "## Where the figures come from",
        _table(("benchmark", "commit", "machine", "load at the end", "versions"), _origins(results)),
    ]
    return "\n\n".join(parts) + "\n"


def _table(head: Row, rows: Iterable[Row]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _processes(result: Result | None) -> list[str]:
    if result is None:
        return [NOT_MEASURED]
    head = ("work", "tool", "wall s", "CPU s", "anonymous MB", "resident MB", "times the wall time of msm")
    rows = [
        (work, TOOLS[tool], *_cost(cost), str(found["times_faster"][tool]))
        for work, found in result["works"].items()
        for tool, cost in found["tools"].items()
    ]
    floor = ("", "`import torch` alone", *_cost(result["import_torch"]), "")
    return [_table(head, [*rows, floor]), f"![Wall time of whole processes](results/{CHART.name})"]


def _strategies(result: Result | None) -> list[str]:
    if result is None:
        return [NOT_MEASURED]
    found = sorted(result["strategies"].items(), key=lambda item: item[1]["times_linear"])
    rows = [
        (
            name,
            str(each["tuned"]),
            each["checkpoint"],
            str(each["seconds"]),
            f"{each['times_linear']} ×",
            "" if each["bar"] is None else f"{each['bar']:g} ×",
        )
        for name, each in found
    ]
    return [_table(("strategy", "tuned encoders", "checkpoint", "seconds", "linear's time", "bar"), rows)]


def _memory(result: Result | None) -> list[str]:
    if result is None:
        return [NOT_MEASURED]
    first = next(iter(next(iter(result["checkpoints"].values())).values()))
    head = ("checkpoint", "strategy", *(f"{int(budget) >> 20} MB" for budget in first))
    rows = [
        (kind, strategy, *map(megabytes, peaks.values()))
        for kind, strategies in result["checkpoints"].items()
        for strategy, peaks in strategies.items()
    ]
    return [_table(head, rows)]


def _layouts(result: Result | None) -> list[str]:
    if result is None:
        return [NOT_MEASURED]
    rows = [(result["checkpoint"], work, megabytes(peak)) for work, peak in result["works"].items()]
    return [_table(("checkpoint", "work", "MB"), rows)]


def _engines(result: Result | None) -> list[str]:
    if result is None:
        return [NOT_MEASURED]
    intro = (
        f"Probes of `{result['encoder']}` at the few steps of `engines.PLAN`: mean and standard deviation of test"
        " figures over seeds, the 95 % interval of the difference of means (Welch), and the median seconds of a probe."
    )
    head = (
        "task",
        "metric",
        "seeds",
        "native",
        "s3prl",
        "difference",
        "agree",
        "native s",
        "s3prl s",
        "times faster",
        "bar",
    )
    rows = [
        (
            task,
            metric,
            str(found["seeds"]),
            *(f"{each['means'][engine]:.3f} ± {each['deviations'][engine]:.3f}" for engine in ENGINES),
            "{:+.3f} to {:+.3f}".format(*each["interval"]),
            yes(each["agrees"]),
            *(f"{found['seconds'][engine]:.1f}" for engine in ENGINES),
            f"{found['times_faster']} ×",
            f"{BARS[task]:g} ×",
        )
        for task, found in result["tasks"].items()
        for metric, each in found["metrics"].items()
    ]
    return [intro, _table(head, rows)]


def _origins(results: Results) -> list[Row]:
    return [(name, *_origin(results[name])) for name in BENCHMARKS]


def _origin(result: Result | None) -> Row:
    if result is None:
        return (NOT_MEASURED, "", "", "")
    machine = result["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    return (result["commit"], spell(machine), f"{machine['load']:.1f}", versions)


def _cost(cost: Mapping[str, float]) -> Row:
    memory = (megabytes(cost["anonymous_bytes"]), megabytes(cost["resident_bytes"]))
    return (f"{cost['wall_seconds']:.2f}", f"{cost['cpu_seconds']:.2f}", *memory)


def main() -> None:
    """Write README.md anew, and draw its chart."""
    results = {name: latest(name) for name in BENCHMARKS}
    README.write_text(replaced(README.read_text(encoding="utf-8"), render(results), NAME), encoding="utf-8")
    if results["peers"] is not None:
        draw_processes(results["peers"], CHART)


if __name__ == "__main__":
    main()
