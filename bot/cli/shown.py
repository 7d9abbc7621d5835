"""A value -> the line of JSON that programs read."""

import json
import sys


def print_json(value: object) -> None:
    """One line, readable Korean; escaped only where the text cannot be printed as it is (lone surrogates)."""
    line = json.dumps(value, ensure_ascii=False, allow_nan=False)
    try:
        line.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        line = json.dumps(value, allow_nan=False)
    print(line, flush=True)
