"""Bytes that somebody has written -> their text, in any encoding that Koreans usually have."""

import codecs


def decoded(content: bytes) -> str:
    """UTF-8, UTF-16 with its mark, or CP949, as Korean Windows writes. Raises UnicodeDecodeError for anything else."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp949")
