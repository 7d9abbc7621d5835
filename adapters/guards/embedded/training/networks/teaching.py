"""How a network is taught: lessons come in, and the network has learned from them. What was interrupted goes on from
where it was."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random

import torch
from torch import nn

from adapters.guards.embedded.training.corpora import Lesson, said, sampled
from adapters.guards.embedded.training.disguises import disguised
from adapters.guards.embedded.training.networks.encoder import Ids, padded

BATCH = 32
RATE, LAST_RATE = 1.3e-4, 6e-5  # of the body, at its highest; that of the heads is higher
HEADS_RATE = 15
DISGUISED = 0.25  # of the lines in each epoch
KEPT_EVERY = 200  # steps, some three minutes
#: How many texts of each public corpus an epoch reads.
PER_EPOCH = {
    "kmhas_valid": 1800, "beep_train": 500, "kodoli": 800, "curse": 400, "kosbi_valid": 150, "chatbot": 400,
    "komuchat": 3500,
}  # fmt: skip


def epoch(ours: Sequence[Lesson], theirs: Sequence[Lesson], chance: Random) -> list[Lesson]:
    """All of our lines, and a sample of the public texts."""
    return [*ours, *sampled(theirs, PER_EPOCH, chance)]


def taught(
    network: nn.Module,
    ids: Ids,
    epochs: Sequence[Sequence[Lesson]],
    *,
    rate: float,
    seed: int,
    progress: Callable[[str], None],
    kept: Path | None = None,
) -> None:
    """Teaches the network in place, the same for the same lessons and seed, at a rate that rises first and then falls.
    `kept`: the file in which it is put away now and then, and from which it goes on."""
    body, optimiser, schedule = _pace(network, rate, sum(-(-len(lessons) // BATCH) for lessons in epochs))
    parts = {"network": network, "optimiser": optimiser, "schedule": schedule}
    torch.manual_seed(seed)
    done = 0
    if kept and kept.exists():
        saved = torch.load(kept, weights_only=True)
        for name, part in parts.items():
            part.load_state_dict(saved[name])
        torch.set_rng_state(saved["chance"])
        done = saved["done"]
    network.train()
    total, step = 0.0, 0
    for number, lessons in enumerate(epochs):
        for batch, read in _batches(ids, lessons, Random(f"{seed} {number}")):
            step += 1
            if step <= done:
                continue
            total += _step(network, body, optimiser, batch, read)
            schedule.step()
            if step % 50 == 0:
                progress(f"step {step} of {schedule.steps}, loss {total / 50:.4f}")
                total = 0.0
            if kept and step % KEPT_EVERY == 0:
                states = {name: part.state_dict() for name, part in parts.items()}
                torch.save(states | {"chance": torch.get_rng_state(), "done": step}, kept)
    network.eval()


def _pace(network: nn.Module, rate: float, steps: int) -> tuple[list[nn.Parameter], "torch.optim.AdamW", "_Schedule"]:
    learns = [(name, one) for name, one in network.named_parameters() if one.requires_grad]
    heads = [one for name, one in learns if name.startswith(("head", "look"))]
    body = [one for name, one in learns if not name.startswith(("head", "look"))]
    optimiser = torch.optim.AdamW(
        [{"params": body, "lr": rate}, {"params": heads, "lr": HEADS_RATE * rate}], weight_decay=0.01, fused=True
    )
    return body, optimiser, _Schedule(optimiser, steps)


class _Schedule(torch.optim.lr_scheduler.LambdaLR):  # type: ignore[misc]
    def __init__(self, optimiser: torch.optim.AdamW, steps: int) -> None:
        self.steps = steps
        super().__init__(optimiser, lambda step: min((step + 1) / (0.06 * steps), max(0.02, 1 - step / steps)))


def _step(
    network: nn.Module,
    body: Sequence[nn.Parameter],
    optimiser: torch.optim.AdamW,
    lessons: Sequence[Lesson],
    read: Sequence[Sequence[int]],
) -> float:
    """The loss of what the lessons say something of."""
    wanted = torch.tensor(said(lessons))
    with torch.autocast("cpu", torch.bfloat16):
        logits = network(*padded(read))
    known = ~wanted.isnan()
    losses = nn.functional.binary_cross_entropy_with_logits(logits.float(), wanted.nan_to_num(), reduction="none")
    loss = (losses * known).sum() / len(lessons)
    optimiser.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(body, 1.0)
    optimiser.step()
    return float(loss.detach())


def _batches(ids: Ids, lessons: Sequence[Lesson], chance: Random) -> Iterator[tuple[list[Lesson], list[list[int]]]]:
    """An epoch: every fourth line disguised, lines of like length together, in random order."""
    texts = [disguised(one.text, chance) if chance.random() < DISGUISED else one.text for one in lessons]
    read = ids(texts)
    order = sorted(range(len(lessons)), key=lambda i: len(read[i]) + chance.uniform(0, 4))
    batches = [order[start : start + BATCH] for start in range(0, len(order), BATCH)]
    chance.shuffle(batches)
    for batch in batches:
        yield [lessons[i] for i in batch], [read[i] for i in batch]
