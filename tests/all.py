"""Run every test, in parallel, with the coverage gate: ``python -m tests.all [pytest options]``."""

import os
import subprocess
import sys


def main() -> int:
    # One more than there are cores: a third of the time the tests wait for clocks, disks and other processes.
    workers = str(min(os.cpu_count() or 2, 7) + 1)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-n",
        workers,
        "--dist",
        "loadfile",
        "--no-loadscope-reorder",
    ]
    # Files in their order, not the largest first: the few slow tests of `flow` would all come last.
    command += ["--cov", "--cov-report=term"]
    return subprocess.run([*command, *sys.argv[1:]], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
