"""Small checkpoints for the engine tests: the product's own words in, model folders that vLLM serves out.

    python -m tests.engine.checkpoints OUT_DIR
    python -m tests.engine.checkpoints OUT_DIR tokenizer.model    (Llama 3's vocabulary alone, see llama_3_tokenizer)

`wildguard-ko` is Llama-shaped, has its own small vocabulary with Llama 3's control tokens, and is trained for a minute
in the guard's exact format, so that it truly answers. `wildguard` (Mistral), `shieldgemma` (Gemma 2) and
`qwen3guard` (Qwen 3) are untrained; only their label tokens can win, so that every answer parses.
The folder names hold a hash of what they are made from: a second run trains nothing. Needs torch and transformers.
"""

import ast
import hashlib
import json
import os
import random
import shutil
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    Gemma2Config,
    Gemma2ForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
)
from transformers.cache_utils import DynamicCache

from adapters.guards.dialects import DIALECTS, Dialect, Piece, Question, encoder
from bot.core.guarding.verdict import Exchange

SEED = 20241025
ROWS, HELD_OUT = 20_000, 2000
BATCH = 2500  # tokens
LONG, LENGTHS = 0.015, (15, 30, 60)  # share of texts that fill a window, and of how many others they are made
PAIRS = 0.4  # share of prompts with a response
PEAK = 4e-3  # learning rate

# Llama 3's pre-tokenizer and control tokens (meta-llama/llama-models: llama3/tokenizer.py).
_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
LLAMA_3_CONTROL = (
    "<|begin_of_text|>", "<|end_of_text|>", "<|reserved_special_token_0|>", "<|reserved_special_token_1|>",
    "<|finetune_right_pad_id|>", "<|step_id|>", "<|start_header_id|>", "<|end_header_id|>", "<|eom_id|>",
    "<|eot_id|>", "<|python_tag|>",
)  # fmt: skip

#: Renders exactly the bytes that wildguard-ko was trained on.
_TRAINED_TEMPLATE = (
    "{{- bos_token -}}{%- for m in messages -%}<|start_header_id|>{{ m['role'] }}<|end_header_id|>{{ '\\n\\n' }}"
    "{{ m['content'] }}<|eot_id|>{%- if m['role'] == 'user' -%}{{ '\\n' }}{%- endif -%}{%- endfor -%}"
    "{%- if add_generation_prompt -%}<|start_header_id|>assistant<|end_header_id|>{{ '\\n\\n' }}{%- endif -%}"
)
_REFUSALS = tuple(
    f"{sorry} {what} {cannot}".strip() + after
    for sorry in ("죄송하지만", "미안하지만", "죄송합니다만", "아쉽지만", "")
    for what in ("그 요청은", "그건", "해당 내용은", "이런 질문에는", "그런 말씀에는", "")
    for cannot in ("도와드릴 수 없습니다.", "답변드릴 수 없어요.", "제공할 수 없습니다.", "응하지 않겠습니다.")
    for after in ("", " 다른 질문을 해 주세요.", " 양해 부탁드립니다.")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One labelled exchange. Without a response only `prompt_harm` counts."""

    prompt: str
    response: str | None = None
    prompt_harm: bool
    response_refusal: bool = False
    response_harm: bool = False

    @property
    def exchange(self) -> Exchange:
        return Exchange(prompt=self.prompt, response=self.response)

    @property
    def labels(self) -> tuple[bool, ...]:
        """In the order of the form's fields."""
        if self.response is None:
            return (self.prompt_harm,)
        return (self.prompt_harm, self.response_refusal, self.response_harm)


@dataclass(frozen=True, slots=True)
class Corpus:
    """Rows to train on, and held-out ones whose texts do not occur there."""

    training: Sequence[Row]
    held_out: Sequence[Row]


def kept() -> Path:
    """Where checkpoints stay between runs: the folder in JIKIMI_CHECKPOINTS, or build/checkpoints."""
    folder = Path(os.environ.get("JIKIMI_CHECKPOINTS") or Path(__file__).parents[2] / "build" / "checkpoints")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


# ---- texts ------------------------------------------------------------------------------------------------------


@cache
def corpus() -> Corpus:
    """Sentences of the rehearsal, half of them with a word of the lexicon put in. No sentence is in both parts."""
    draw = random.Random(SEED)
    stems = tomllib.loads(files("adapters.guards.embedded").joinpath("lexicon.toml").read_text("utf-8"))["stems"]
    words = [word for group in stems.values() for word in group][::3]  # so that each is seen often
    folder = files("bot.cli.rehearsal")
    rows = [json.loads(line) for line in folder.joinpath("transcript.jsonl").read_text("utf-8").splitlines()]
    expected = [json.loads(line) for line in folder.joinpath("expected.jsonl").read_text("utf-8").splitlines()]
    fine = [row.get("text") or "" for row, said in zip(rows, expected, strict=True) if said["expect"] == "fine"]
    parts = [sentence.split() for text in fine for sentence in text.replace("?", ".").split(".") if sentence.split()]
    draw.shuffle(parts)
    answers = [" ".join(part) for part in parts]

    def mixed(parts: Sequence[list[str]], count: int, long: float = 0.0) -> list[tuple[str, bool]]:
        found = []
        for number in range(count):
            text, harmful = list[str](), number % 2 == 0
            for _ in range(draw.choice(LENGTHS) if draw.random() < long else 1):
                some = [*draw.choice(parts)]
                for word in draw.sample(words, 2 if harmful else 0):
                    some.insert(draw.randrange(len(some) + 1), word)
                text += some
            found.append((" ".join(text), harmful))
        draw.shuffle(found)
        return found

    cut = len(parts) // 5
    training, held_out = mixed(parts[cut:], ROWS, LONG), mixed(parts[:cut], HELD_OUT)
    return Corpus(_rows(training, answers, draw), _rows(held_out, answers, draw))


def _rows(texts: Sequence[tuple[str, bool]], answers: Sequence[str], draw: random.Random) -> list[Row]:
    """The texts as prompts, a share of them with a response: a refusal, a harmless answer or a harmful one. Only the
    combinations of labels that the real guard writes occur."""
    harmful_answers = [text for text, harmful in texts if harmful]
    rows = []
    for text, harmful in texts:
        response, refused, answered = None, False, False
        if draw.random() < PAIRS:
            refused = draw.random() < 0.35
            answered = harmful and not refused and draw.random() < 0.6
            response = draw.choice(_REFUSALS if refused else harmful_answers if answered else answers)
        rows.append(
            Row(
                prompt=text,
                response=response,
                prompt_harm=harmful,
                response_refusal=refused,
                response_harm=answered,
            )
        )
    return rows


# ---- vocabularies -----------------------------------------------------------------------------------------------


def _byte_level(texts: Iterator[str], size: int, control: Sequence[str], **special: str) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=size,
            special_tokens=list(control),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, clean_up_tokenization_spaces=False, **special)


def _metaspace(texts: Iterator[str], size: int, control: Sequence[str], **special: str) -> PreTrainedTokenizerFast:
    """SentencePiece's manner: spaces are ▁, unknown characters their bytes."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    in_bytes = [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=[*control, *in_bytes], show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", clean_up_tokenization_spaces=False, **special
    )


def _template_texts(dialect: Dialect) -> Iterator[str]:
    """What the guard reads and writes beside user text, often enough to become whole tokens."""
    exchange = Exchange(prompt="", response="")
    for question in dialect.questions(exchange):
        text = "".join(piece.text for piece in question.pieces())
        for field in question.form.fields:
            text += "".join(f"\n{(field.anchor or '').strip()}{label.text}" for label in field.labels)
        yield from [text] * 200


def piece_encoder(tokenizer: PreTrainedTokenizerFast) -> Any:
    """Pieces of a dialect to token ids, for this tokenizer."""
    backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    backend.encode_special_tokens = True  # control tokens in a text are text
    return encoder(
        {token.content: number for number, token in tokenizer.added_tokens_decoder.items() if token.special},
        lambda text: backend.encode(text, add_special_tokens=False).ids,
    )


# ---- the trained guard ------------------------------------------------------------------------------------------


def wildguard_ko(out: Path) -> Path:
    """The trained checkpoint, from an earlier run where nothing has changed since. Prints a line now and then."""
    folder = out / f"wildguard-ko-{_fingerprint()}"
    if (folder / "config.json").exists():
        return folder
    dialect, rows = DIALECTS["wildguard-ko"], corpus()
    texts = [text for row in rows.training for text in (row.prompt, row.response) if text]
    tokenizer = _byte_level(
        iter([*texts, *_template_texts(dialect)]),
        8192,
        LLAMA_3_CONTROL,
        bos_token="<|begin_of_text|>",
        eos_token="<|eot_id|>",
        pad_token="<|finetune_right_pad_id|>",
    )
    tokenizer.chat_template = _TRAINED_TEMPLATE
    torch.manual_seed(SEED)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=96,
            intermediate_size=256,
            num_hidden_layers=2,
            num_attention_heads=3,
            num_key_value_heads=1,
            head_dim=32,
            max_position_embeddings=4096,
            rope_parameters={"rope_type": "default", "rope_theta": 500_000.0},
            initializer_range=0.1,
            tie_word_embeddings=True,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    _train(model, tokenizer, dialect, rows.training)
    return _saved(model, tokenizer, folder)


def held_out() -> Sequence[Row]:
    """Labelled rows that no checkpoint was trained on."""
    return corpus().held_out


def _train(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, dialect: Dialect, rows: Sequence[Row]) -> None:
    """Next-token loss on the answers alone; logits are computed nowhere else, since they cost more than the layers."""
    encode = piece_encoder(tokenizer)
    end = Piece("<|eot_id|>", trusted=True)
    examples = []
    for row in rows:
        question = dialect.questions(row.exchange)[-1]  # the response form where there is a response
        pieces = question.pieces()
        whole = encode([*pieces, Piece(answer(question, row.labels), trusted=True), end])
        examples.append((whole, len(encode(pieces))))
    optimizer = torch.optim.AdamW(model.parameters(), lr=PEAK, betas=(0.9, 0.98), weight_decay=0.05)
    batches = _batches([(row.response is None, len(whole)) for row, (whole, _) in zip(rows, examples, strict=True)])
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / 50) * (1 - step / len(batches))
    )
    threads = torch.get_num_threads()
    torch.set_num_threads(os.cpu_count() or 1)  # whatever the tests' own are told to keep to
    model.train()
    for step, batch in enumerate(batches):
        loss = _loss(model, [examples[index] for index in batch], tokenizer.pad_token_id)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        if step % 50 == 0:
            print(f"step {step} of {len(batches)}: loss {loss.item():.3f}", flush=True)
    model.eval()
    torch.set_num_threads(threads)


def answer(question: Question, labels: Sequence[bool]) -> str:
    """What the guard writes for these labels."""
    pairs = zip(question.form.fields, labels, strict=True)
    chosen = [next(label for label in field.labels if label.positive == said) for field, said in pairs]
    return question.forced(chosen[:-1]) + chosen[-1].text


def _batches(keys: Sequence[tuple[bool, int]]) -> list[list[int]]:
    """Rows of the same form and of like length together, BATCH tokens at a time, the batches in random order."""
    draw = random.Random(SEED)
    batches: list[list[int]] = []
    form, order = None, sorted(range(len(keys)), key=lambda index: (*keys[index], draw.random()))
    for index in order:
        if keys[index][0] is not form or keys[index][1] * (len(batches[-1]) + 1) > BATCH:
            batches.append([])
        batches[-1].append(index)
        form = keys[index][0]
    draw.shuffle(batches)
    return [batch for batch in batches if len(batch) > 1]


def _loss(model: LlamaForCausalLM, examples: Sequence[tuple[list[int], int]], pad: int) -> torch.Tensor:
    """The template that all examples begin with passes through the layers once."""
    first, last = min(whole for whole, _ in examples), max(whole for whole, _ in examples)
    shared = next(place for place, (one, other) in enumerate(zip(first, last, strict=False)) if one != other)
    width = max(len(whole) for whole, _ in examples)
    ids = torch.tensor([whole + [pad] * (width - len(whole)) for whole, _ in examples])
    rows, places, targets = list[int](), list[int](), list[int]()
    for row, (whole, start) in enumerate(examples):
        rows += [row] * (len(whole) - start)
        places += range(start - 1 - shared, len(whole) - 1 - shared)
        targets += whole[start:]
    cache = DynamicCache()
    model.model(input_ids=ids[:1, :shared], past_key_values=cache, use_cache=True)
    cache.batch_repeat_interleave(len(examples))
    # Causal, and the padding stands at the end: no mask is needed.
    hidden = model.model(input_ids=ids[:, shared:], past_key_values=cache, use_cache=True).last_hidden_state
    logits = model.lm_head(hidden[rows, places])
    return torch.nn.functional.cross_entropy(logits, torch.tensor(targets), reduction="sum") / len(examples)


# ---- untrained ones of other shapes -----------------------------------------------------------------------------


_SMALL = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 32,
    "max_position_embeddings": 16384,
}


def wildguard(out: Path) -> Path:
    """Mistral-shaped, with SentencePiece's ▁yes and ▁no."""
    dialect = DIALECTS["wildguard"]
    tokenizer = _metaspace(
        _template_texts(dialect), 1024, ("<unk>", "<s>", "</s>"), bos_token="<s>", eos_token="</s>", pad_token="</s>"
    )
    return _untrained(out, dialect, tokenizer, MistralConfig, MistralForCausalLM, sliding_window=None)


def shieldgemma(out: Path) -> Path:
    """Gemma-2-shaped."""
    dialect = DIALECTS["shieldgemma"]
    tokenizer = _byte_level(
        _template_texts(dialect),
        1024,
        ("<pad>", "<eos>", "<bos>", "<start_of_turn>", "<end_of_turn>"),
        bos_token="<bos>",
        eos_token="<eos>",
        pad_token="<pad>",
    )
    return _untrained(out, dialect, tokenizer, Gemma2Config, Gemma2ForCausalLM, query_pre_attn_scalar=32)


def qwen3guard(out: Path) -> Path:
    """Qwen-3-shaped."""
    dialect = DIALECTS["qwen3guard"]
    tokenizer = _byte_level(
        _template_texts(dialect),
        1024,
        ("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
    )
    return _untrained(out, dialect, tokenizer, Qwen3Config, Qwen3ForCausalLM)


def _untrained(
    out: Path, dialect: Dialect, tokenizer: PreTrainedTokenizerFast, config: Any, shape: Any, **more: Any
) -> Path:
    folder = out / f"{dialect.name}-{_fingerprint()}"
    if (folder / "config.json").exists():
        return folder
    torch.manual_seed(SEED)
    model = shape(
        config(
            vocab_size=len(tokenizer),
            tie_word_embeddings=True,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            **_SMALL,
            **more,
        )
    )
    field = dialect.forms[0].fields[0]
    ids = list(field.label_ids(lambda text: tokenizer.encode(text, add_special_tokens=False)).values())
    with torch.no_grad():
        # The first coordinate is large whatever is read, and the labels look at it most: one of them always wins.
        tied = model.get_input_embeddings().weight
        tied[:, 0] = 1.0
        tied[ids] = torch.randn(len(ids), tied.shape[1])
        tied[ids, 0] = 4.0
    return _saved(model, tokenizer, folder)


# ---- Llama 3's own vocabulary -----------------------------------------------------------------------------------


def llama_3_tokenizer(model: Path, out: Path) -> Path:
    """A tokenizer.json of 6 MB from `tokenizer.model` of Llama 3 (in the PyPI package llama-models, llama3/), for the
    speed bench on random weights. With the chat template that wildguard-ko was trained with."""
    from transformers.convert_slow_tokenizer import TikTokenConverter

    reserved = [f"<|reserved_special_token_{number}|>" for number in range(2, 247)]
    converted = TikTokenConverter(
        vocab_file=str(model), pattern=_SPLIT, extra_special_tokens=[*LLAMA_3_CONTROL, *reserved]
    ).converted()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=converted,
        bos_token="<|begin_of_text|>",
        eos_token="<|eot_id|>",
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = _TRAINED_TEMPLATE
    tokenizer.save_pretrained(out)
    file = out / "tokenizer.json"
    content = json.loads(file.read_text("utf-8"))
    content["model"]["merges"] = [" ".join(pair) for pair in content["model"]["merges"]]
    file.write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")), "utf-8")
    return out


# ---- files ------------------------------------------------------------------------------------------------------


def _saved(model: Any, tokenizer: PreTrainedTokenizerFast, folder: Path) -> Path:
    partial = folder.with_suffix(f".{os.getpid()}")
    model.to(torch.bfloat16).save_pretrained(partial)
    tokenizer.save_pretrained(partial)
    try:
        partial.rename(folder)
    except OSError:  # another process was faster
        shutil.rmtree(partial)
    return folder


def _fingerprint() -> str:
    """Of this module, the dialects' templates and the texts."""
    code = ast.unparse(ast.parse(Path(__file__).read_text("utf-8")))  # without comments
    made_from = code, [dialect.hash for dialect in DIALECTS.values()], corpus()
    return hashlib.sha256(repr(made_from).encode()).hexdigest()[:12]


def main() -> None:
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    if len(sys.argv) > 2:
        print(llama_3_tokenizer(Path(sys.argv[2]), out))
        return
    for make in (wildguard, shieldgemma, qwen3guard, wildguard_ko):
        print(make(out), flush=True)


if __name__ == "__main__":
    main()
