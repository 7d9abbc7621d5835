"""`jikimi`: the command line; bad input is one sentence on stderr and exit code 2, what passes by itself one and 75."""

import os
import sys
from contextlib import suppress

from bot.cli.app import typed


def keep_to_ourselves() -> None:
    """What we write is ours alone to read, and our memory, full of texts and keys, lands in no file."""
    os.umask(0o077)
    with suppress(ImportError):  # Windows
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> None:
    keep_to_ourselves()
    try:
        sys.exit(typed(sys.argv[1:]))
    except BrokenPipeError:
        sys.stderr.close()  # the reader has gone; nothing to complain about
        sys.exit(1)


if __name__ == "__main__":
    main()
