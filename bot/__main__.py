"""`jikimi`: the command line; bad input is one sentence on stderr and exit code 2."""

import sys

from bot.cli.app import build, language_first, wanted_language
from bot.core.base.errors import BotError


def main() -> None:
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
