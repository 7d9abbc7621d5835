"""The courses at their full length; exits with 1 where a promise was broken.

python -m tests.courses [discord|telegram] [FAULT] [--outage SECONDS] [--rate MESSAGES A SECOND]
python -m tests.courses raid|platform-hangs|poison|overload|sigterm-while-away|odd-answers [--seconds SECONDS]
python -m tests.courses soak [--days DAYS]
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from tests.courses import faults, hostile, soak
from tests.courses.faults import FAULTS, LONG, Outcome, Plan, run_course
from tests.courses.hostile import COURSES
from tests.servers.postgres import Postgres


def hostile_course(name: str, seconds: float | None, postgres: Postgres) -> bool:
    """Whether every promise held."""
    course, usual, _ = COURSES[name]
    folder = Path(tempfile.mkdtemp(prefix=f"course-{name}-"))
    report = asyncio.run(course(postgres, folder, seconds=seconds or usual))
    Console(width=160).print(hostile.table([report]), f"({folder})")
    return not report.problems


def fault_courses(plans: Sequence[Plan], postgres: Postgres) -> bool:
    """Whether every promise held in all of them."""
    console, outcomes = Console(width=200), list[Outcome]()
    for plan in plans:
        folder = Path(tempfile.mkdtemp(prefix=f"course-{plan.platform}-{plan.fault}-"))
        outcomes.append(asyncio.run(run_course(plan, postgres, folder, asyncio.Lock())))
        console.print(f"{plan.platform} {plan.fault}: {outcomes[-1].problems or 'every promise held'} ({folder})")
    console.print(faults.table(outcomes))
    return not any(outcome.problems for outcome in outcomes)


def soaked(days: int) -> bool:
    """Whether nothing was found of what was planted, and the database does not grow."""
    folder = Path(tempfile.mkdtemp(prefix="course-soak-"))
    remains = asyncio.run(soak.soak(folder, soak.Plan(days=days)))
    shown = ", ".join(f"{number}" for number in remains.pages[::30])
    print(f"pages in use, each thirtieth day: {shown}", *remains.problems or ["every promise held"], folder, sep="\n")
    return not remains.problems


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.courses")
    parser.add_argument("course", nargs="?", choices=[*FAULTS, *COURSES, "soak"])
    parser.add_argument("fault", nargs="?")
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--outage", type=float)
    parser.add_argument("--days", type=int, default=soak.Plan().days)
    parser.add_argument("--rate", type=float, default=100.0)
    asked = parser.parse_args()
    if asked.course == "soak":
        sys.exit(not soaked(asked.days))
    plans = [
        Plan(platform=platform, fault=fault, outage=asked.outage or LONG.get((platform, fault), 20.0), rate=asked.rate)
        for platform in ([asked.course] if asked.course in FAULTS else FAULTS)
        for fault in ([asked.fault] if asked.fault else FAULTS[platform])
    ]
    postgres = Postgres()
    try:
        if asked.course in COURSES:
            held = hostile_course(asked.course, asked.seconds, postgres)
        else:
            held = fault_courses(plans, postgres)
    finally:
        postgres.stop()
    sys.exit(not held)


if __name__ == "__main__":
    main()
