"""A text as it reads -> the plain cry of somebody who wants to die. No lesson teaches it: public chat calls such lines
harmless, and the pens wrote despair in other words and these words in jest."""

import re

SURE = 0.9  # of nine such lines among the pens eight were meant
_END = r"(?:다|어요?|아요?|습니다|네요?|음)(?=[\s.,!…~ㅠㅜ]|$)(?!\s?(?:까지|까진|이런|라|하는|는|고|던|란|말))"
_CRY = re.compile(
    r"(?:(?:(?:죽고|그만\s?살고|자[살해]\s?하고|사라지고|없어지고|(?:다|전부|모두|인생을?)\s?끝내고)\s?싶|살기\s?싫"
    r"|살고\s?싶지(?:가|도)?\s?않|(?:손목|팔목)(?:을|도)?\s?(?:또\s?)?그었|유서(?:를|도)?\s?(?:다\s?)?(?:썼|써\s?놨|쓰고\s?있)"
    r"|번개탄(?:을|도)?\s?(?:샀|사\s?놨|피웠))"
    + _END
    + r"|뒤지고\s?싶(?:다|네|음)(?=[\s.,!…~ㅠㅜ]|$)(?!\s?(?:까지|까진|이런|라|하는|는|고|던|란|말))"
    + r"|(?:나|난|내가|저|걍|그냥|조용히|혼자|오늘)\s?(?:[가-힣]{1,5}\s){0,2}뒤질(?:게|래|란다)(?=[\s.,!…~ㅠㅜ]|$)"
    + r"|(?:자살\s?(?:할래요?|할\s?거(?:야|예요)|하려고요?)|(?:나|난|저|전|그냥)\s?죽을래요?)(?=[\s.,!…~ㅠㅜ]|$))"
)
_JEST = re.compile(
    "ㅋㅋ|ㅎㅎ|배고|배불|쪽팔|부끄|민망|창피|오글|더워|더운|추워|추운|졸려|웃겨|귀여|심심|맛있|간지|다이어트|부러"
)


def cry(read: str) -> str | None:
    found = _CRY.search(read)
    return found[0] if found and not _JEST.search(read) else None
