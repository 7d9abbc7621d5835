"""A text -> a sketch of what it says: texts that differ in a few words, digits or signs have nearly the same."""

import re

from bot.core.text.addresses import addresses
from bot.core.text.views import unstyled

Sketch = frozenset[int]

LONGEST = 2_000  # characters that are looked at
FEW, FEWEST = 20, 8  # letters below which many say the same by chance: without an address in it, and with one
SIZE = 16  # hashes of a sketch at most
ALIKE = 0.5  # share of the same hashes from which on two texts are one

_NO_LETTER = re.compile(r"[^가-힣a-z]+")
_WORD = 4  # letters
#: What many say at the same time, each for themselves: greetings, thanks, wishes, condolences, calls.
_RITUAL = re.compile(
    r"안녕(?:하세요|하십니까|히|)|반갑습니다|반가워요?|잘부탁(?:드립니다|드려요|해요|)|어서오세요|환영(?:합니다|해요|)|좋은(?:아침|하루|밤|저녁)(?:입니다|되세요|보내세요|이에요|)"
    r"|(?:생일|결혼|합격|취업|승진|개업|출산|당첨|졸업|우승|일주년|주년)|(?:진심으로|정말|너무|다시한번|모두|항상|늘|오늘도|내일도)"
    r"|축하(?:합니다|드립니다|드려요|해요|해)?|감사(?:합니다|드립니다|해요)?|고맙습니다|고마워요?|수고(?:하셨습니다|하셨어요|하세요|많으셨습니다)?"
    r"|고생(?:하셨습니다|하셨어요|많으셨습니다|많았어요)?|행복하세요|행복(?:하길|하시길)?(?:바랍니다|바라요)?|건강(?:하세요|하시고)?|화이팅(?:입니다|하세요|)|파이팅|힘내세요|응원(?:합니다|해요|할게요)?"
    r"|새해|복많이받(?:으세요|아요|으시길)?|메리크리스마스|해피뉴이어|즐거운|풍성한|한가위|추석|설날|명절|연휴|주말|되세요|보내세요"
    r"|삼가|고인의|명복을|빕니다|애도(?:합니다|)|위로(?:를|)|전합니다"
    r"|출석(?:합니다|체크|)|출첵|참여(?:합니다|완료|했습니다|)|신청(?:합니다|완료|했습니다|)|완료(?:했습니다|)|확인(?:했습니다|)|저요|좋아요|최고(?:예요|입니다|)|사랑(?:해요|합니다|)|기대(?:됩니다|할게요)?"
    r"|대박|나이스|굿|만세|경축|여러분|모두|님들?|선생님|사장님|형님|언니|오빠|누나"
)  # fmt: skip


def sketch(text: str) -> Sketch:
    """Empty where too little is said to tell who says the same from who happens to."""
    letters = _NO_LETTER.sub("", unstyled(text[:LONGEST]).lower())
    if len(letters) < FEWEST or text.lstrip()[:1] in ("/", "!", "?"):  # a command of some bot
        return frozenset()
    links = bool(addresses(text[:LONGEST]))
    if len(letters) < FEW and not links:
        return frozenset()
    letters = _RITUAL.sub("", letters)
    if len(letters) < (FEWEST if links else FEW) or (len(set(letters)) < FEW // 2 and not links):
        return frozenset()
    words = {hash(letters[place : place + _WORD]) for place in range(len(letters) - _WORD + 1)}
    return frozenset(sorted(words)[:SIZE])


def alike(one: Sketch, other: Sketch) -> bool:
    """Whether two texts are one, but for what people change in it."""
    if not one or not other:
        return False
    together = sorted(one | other)[:SIZE]  # a fair sample of all that both say
    return sum(word in one and word in other for word in together) >= ALIKE * len(together)
