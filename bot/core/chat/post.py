"""What is posted in a chat as a whole: text, a picture, files, and less of them where a network takes less."""

from dataclasses import dataclass, replace

from bot.core.chat.message import CommunityRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file for the chat; `description` is its alternative text."""

    name: str
    content: bytes
    description: str


@dataclass(frozen=True, slots=True)
class Advised:
    """A threshold that a button sets, for whoever may: of which community and rule, and the score, 0..1."""

    community_id: str
    rule: str
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """A report as it is posted: three sentences, the picture that goes with them, and the files, the most useful
    first."""

    text: str
    picture: Attachment
    files: tuple[Attachment, ...]
    language: str = "ko"
    left_out: tuple[str, ...] = ()  # names of files that a platform finds too large
    named: CommunityRef | None = None  # with names of this one's members
    advised: tuple[Advised, ...] = ()
    remark: str = ""  # one sentence for whoever asked for it: what could not be made here, and what to do

    def fitting(self, most: int) -> "Post":
        """Without the files of more than `most` bytes."""
        heavy = tuple(file for file in self.files if len(file.content) > most)
        return self._without(heavy)

    def lighter(self) -> "Post | None":
        """Without the file that is missed least of those that are left: the PDF, then the page, then any other."""
        for ending in (".pdf", ".html", ""):
            for file in self.files:
                if file.name.endswith(ending):
                    return self._without((file,))
        return None

    def _without(self, files: tuple[Attachment, ...]) -> "Post":
        kept = tuple(file for file in self.files if file not in files)
        return replace(self, files=kept, left_out=(*self.left_out, *(file.name for file in files)))
