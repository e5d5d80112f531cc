"""`make audit`: run every check and say what each found; 1 when one has a problem."""

import sys
from pathlib import Path

from tools.audit.checks import CHECKS


def main() -> int:
    """Run the checks with the tools of the environment that `make audit` has made."""
    failed = False
    for name, check in CHECKS.items():
        verdict = check(Path(sys.argv[1]).resolve())
        print(f"  {name:<18} {'PROBLEMS' if verdict.problems else 'ok':<9} {verdict.note}", flush=True)
        for problem in verdict.problems:
            print(f"      {problem}")
        failed = failed or bool(verdict.problems)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
