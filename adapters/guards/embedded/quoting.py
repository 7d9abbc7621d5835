"""A text as it was typed -> whether it bears the signs of somebody who passes on what another said. The model sees
meaning; these are the forms in which Korean marks it, and enough not to sanction anybody."""

import re

PERHAPS = 0.2  # of the innocent lines of pens with such a sign two in three quote or report
_SAID = (
    r"(?:했|하더|한대|하던|하네|하길래|하심|하셨|하시|들었|들은|말했|말하|그랬|그러|보냈|보내|왔|쓰|썼|쓴|적|욕|협박|놀리"
    r"|부르|불렀)"
)
_WHO = r"(?:저|나|제|내|우리|걔|쟤|애|친구|동생|엄마|아빠|언니|오빠|누나|형)(?:보고|한테|더러|에게)"
_SIGNS = re.compile(
    r"(?m)^> ?\S.*\n(?!>)\S"  # a quotation of the network's own, and what is said to it
    r"|[\"'“”‘’「『].{2,160}?[\"'“”‘’」』].{0,3}?(?:이?라[고는며면]|이?래|이?랬|이?란|하고|같은 (?:말|글|표현|문자)|"
    + _SAID
    + r")|"
    + _WHO
    + r"\s[^.!?\n]{1,50}?(?:래요?|래서|랬|라고|다고|냐고|자고|하래|했대|하더라)(?=[\s.,!?ㅋㅎㅠ~]|$|했|하)"
    r"|(?:라고|다고|냐고|자고)\s?"
    + _SAID
    + r"|(?:전문|원문|사연|내용)(?:입니다|이에요|임|을 옮| 옮)|옮겨 ?적|옮깁니다|박제합니다|신고합니다|신고:"
    r"|전하래|전해 ?달래|(?:룰|규칙|공지|금지어|예시|대사|가사|제목)\s?:"
)


def quoted(text: str) -> bool:
    return _SIGNS.search(text) is not None
