"""Every parser of what others have written, for a while; exits with 1 where one failed. What is new goes to corpus/.

python -m tests.courses.fuzzing [PARSER...] [--seconds SECONDS]
"""

import argparse
import json
import logging
import sys
import time

import structlog

from tests.courses.fuzzing import corpora
from tests.courses.fuzzing.course import fuzzed
from tests.courses.fuzzing.parsers import PARSERS


def main() -> None:
    command = argparse.ArgumentParser(prog="python -m tests.courses.fuzzing")
    command.add_argument("parsers", nargs="*", metavar="PARSER", help=", ".join(PARSERS))
    command.add_argument("--seconds", type=float, default=1800.0, help="for all of them together")
    asked = command.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    names, failed = asked.parsers or list(PARSERS), 0
    for name in names:
        found = fuzzed(
            PARSERS[name], corpora.read(name), asked.seconds / len(names), beginning=time.time_ns() % 1_000_000
        )
        known = corpora.read(name)
        new = [one for one in (*found.new, *([found.failed_at] if found.fault else [])) if one not in known]
        corpora.add(name, new)
        print(f"{name}: {found.inputs} inputs, {len(new)} new", flush=True)
        if found.fault:
            failed += 1
            print(f"{found.fault}\nat {json.dumps(found.failed_at)[:2000]}", flush=True)
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
