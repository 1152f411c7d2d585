"""`beadctl --help` against bare `python -c "import typer"`: CPU time of whole processes, in pairs.

    python tests/benchmarks/bench_startup.py [--pairs 15]

Goal: at most 1.5.
"""

import argparse
import resource
import statistics
import subprocess
import sys


def cpu_s(arguments: list[str]) -> float:
    """CPU seconds of a new process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Print the median ratio."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=15)
    pairs = parser.parse_args().pairs
    ours, theirs = ["-m", "beadctl", "--help"], ["-c", "import typer"]
    cpu_s(ours), cpu_s(theirs)
    ratios = [cpu_s(ours) / cpu_s(theirs) for _ in range(pairs)]
    print(f"beadctl --help / import typer: median {statistics.median(ratios):.2f} of {pairs} pairs")


if __name__ == "__main__":
    main()
