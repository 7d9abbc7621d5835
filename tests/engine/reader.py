"""A folder -> a model that answers whoever reads rules: whatever it is asked, it closes what is open. Untrained."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

CONTROL = ("<|end|>", "<|begin|>")
TEMPLATE = "{%- for m in messages -%}{{ m['role'] }}: {{ m['content'] }}\n{% endfor -%}assistant:"

#: What it would write most of all, where it may: without a shape to keep to it writes quotation marks for ever. And
#: what least: white space, as bytes are spelled.
LIKED, DISLIKED = '"}', "ĠĊĉč"


def reader(out: Path) -> Path:
    """Llama-shaped, of single bytes."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate((*CONTROL, *alphabet))}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token=CONTROL[0], bos_token=CONTROL[1])
    tokenizer.chat_template = TEMPLATE
    torch.manual_seed(1)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer), hidden_size=64, intermediate_size=128, num_hidden_layers=2,
            num_attention_heads=2, num_key_value_heads=1, head_dim=32, max_position_embeddings=8192,
            tie_word_embeddings=True, bos_token_id=1, eos_token_id=0,
        )
    )  # fmt: skip
    with torch.no_grad():
        # The first coordinate is large whatever is read, and what it likes looks at it most.
        tied = model.get_input_embeddings().weight
        tied[:, 0] = 1.0
        for more, token in enumerate(reversed(LIKED), start=2):
            tied[vocabulary[token], 0] = 2.0 * more
        tied[[vocabulary[token] for token in DISLIKED], 0] = 0.0
    model.to(torch.bfloat16).save_pretrained(out)
    tokenizer.save_pretrained(out)
    return out
