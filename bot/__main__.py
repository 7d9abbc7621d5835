"""`jikimi`: the command line; bad input is one sentence on stderr and exit code 2."""

import os
import sys
from contextlib import suppress

from bot.cli.app import build, language_first, wanted_language
from bot.core.base.errors import BotError


def keep_to_ourselves() -> None:
    """What we write is ours alone to read, and our memory, full of texts and keys, lands in no file."""
    os.umask(0o077)
    with suppress(ImportError):  # Windows
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> None:
    keep_to_ourselves()
    arguments = language_first(sys.argv[1:])
    try:
        build(wanted_language(arguments))(args=arguments)
    except BotError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:
        sys.stderr.close()  # the reader has gone; nothing to complain about
        sys.exit(1)


if __name__ == "__main__":
    main()
