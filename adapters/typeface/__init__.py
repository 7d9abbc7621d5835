"""The typeface of everything that is drawn: Noto Sans KR, as it is, under the licence beside it."""

from pathlib import Path

FILE = Path(__file__).parent / "NotoSansKR-Regular.otf"
