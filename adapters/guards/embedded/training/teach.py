"""From lessons to the files that ship: pens and public texts come in; `kinds.npz`, `encoder.onnx`, and what the guard
makes of lines that it has not learned from, go out.

Both halves are taught twice: without the lines kept away, to see what each half's word is worth there and where bars
may lie, and with them. The encoder learns the first epochs once, without these lines."""

import json
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np

from adapters.guards.embedded.kinds import KindModel
from adapters.guards.embedded.model import SHIPPED as COMMENTS
from adapters.guards.embedded.ngrams import Ngrams
from adapters.guards.embedded.reading import LATEST, reading
from adapters.guards.embedded.training import bars, joint, linear_kinds
from adapters.guards.embedded.training.comparison import SEED, apart, disguise_table, provenance, through_disguises
from adapters.guards.embedded.training.corpora import HEADS, Lesson, own, public, said, sampled
from adapters.guards.embedded.training.disguises import disguised
from adapters.guards.embedded.training.run import Run
from adapters.guards.embedded.training.side_by_side import beside

if TYPE_CHECKING:
    from adapters.guards.embedded.training.networks.pretrained import Cut, Pretrained

#: How many texts of each public corpus n-grams learn from beside our lines, and which tell them what a comment is.
PUBLIC = {"beep_train": 2_000, "kodoli": 4_000, "curse": 1_500, "kosbi_valid": 400, "chatbot": 1_500, "komuchat": 8_000}
COMMENTS_FROM = dict.fromkeys(("kodoli", "curse", "kosbi_valid"), 0) | {
    "kmhas_valid": 4_500, "beep_train": 4_000, "komuchat": 5_000, "chatbot": 1_000,
}  # fmt: skip
AGAIN = 0.6  # of the lines learned from twice: how many are disguised then
EPOCHS = 2  # that both encoders share, before one of their own
TAUGHT = HEADS[: HEADS.index("quotes") + 1]  # of n-grams


def teach(corpus: Path, data: Path, out: Path, work: Path, say: Callable[[str], None]) -> None:
    """Writes the files that ship to `out`, and to `work` all that is needed to go on after an interruption; there stays
    the same guard without the lines kept away (folder "fold")."""
    learned_from = provenance(read(corpus, data))
    about = {"licence": "CC BY-SA 4.0; see LICENSE-MODEL.md", "from": learned_from, "reading": LATEST}
    run = Run.of(work, learned_from, say)
    (run.folder / "fold").mkdir(exist_ok=True)
    near, away = apart(own(corpus))
    others = public(data)
    say(f"{len(near)} lines to learn from, {len(away)} kept away, {len(others)} public texts; {run.folder}")
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:  # n-grams on a core of their own
        quick = pool.submit(_quick, run, corpus, data)
        networks = _thorough(replace(run, say=partial(_while, quick, say)), near, away, others)
        say("waiting for the n-grams")
        quick.result()
    whole = [*near, *away]
    _packed(run, networks, away, about, out)
    say(f"{out}: taught with {len(whole)} lines")
    _reported(run, away)


def read(corpus: Path, data: Path) -> list[Path]:
    """All that is learned from, or measured with."""
    return [*(corpus / "lines").glob("*.jsonl"), *data.glob("*.jsonl.gz")]


def _while(quick: "Future[None]", say: Callable[[str], None], line: str) -> None:
    """Says it while the other half is well: where that has failed, half an hour more would be for nothing."""
    if quick.done():
        quick.result()
    say(line)


# ---- n-grams ----------------------------------------------------------------------------------------------------


def _quick(run: Run, corpus: Path, data: Path) -> None:
    """In a process of its own, which reads for itself what it learns from."""
    near, away = apart(own(corpus))
    others = public(data)
    for name, ours in (("fold-ngrams.npz", near), ("whole-ngrams.npz", [*near, *away])):
        run.step(name, partial(_taught_ngrams, ours, others))


def _taught_ngrams(ours: Sequence[Lesson], others: Sequence[Lesson], path: Path) -> None:
    of = ngrams(ours, others)
    with path.open("wb") as file:
        np.savez(file, weights=of.weights, scale=of.scale, bias=of.bias)


def ngrams(ours: Sequence[Lesson], others: Sequence[Lesson]) -> Ngrams:
    """Learned from the lines as they are, and from some of them disguised or beside innocent ones."""
    chance = Random(SEED)
    theirs = sampled(others, PUBLIC, chance)
    again = beside([*chance.sample(ours, len(ours) // 2), *chance.sample(theirs, len(theirs) // 4)], chance)
    again = [replace(one, text=disguised(one.text, chance)) if chance.random() < AGAIN else one for one in again]
    return linear_kinds.learned([*ours, *theirs, *again], TAUGHT, [*ours, *sampled(others, COMMENTS_FROM, chance)])


def _ngrams(path: Path) -> Ngrams:
    with np.load(path, allow_pickle=False) as file:
        return Ngrams(file["weights"], file["scale"], file["bias"])


# ---- the encoder ------------------------------------------------------------------------------------------------


def _thorough(run: Run, near: Sequence[Lesson], away: Sequence[Lesson], others: Sequence[Lesson]) -> dict[str, Path]:
    """The files of the encoders, "fold" and "whole": one that has not learned from what is kept away, one that has."""
    from adapters.guards.embedded.training.networks.pretrained import Pretrained
    from adapters.guards.embedded.training.networks.teaching import epoch

    pretrained = Pretrained.load()
    cut = pretrained.cut(one.text for one in (*near, *away, *others))
    run.say(f"{len(cut[1])} pieces")
    chance = Random(SEED)
    first = [epoch(near, others, chance) for _ in range(EPOCHS)]
    base = run.step("base.pt", partial(_network, run, pretrained, cut, first, None))
    files = {}
    for name, ours in (("fold", near), ("whole", [*near, *away, *away])):  # what was kept away is caught up with
        chance = Random(f"{SEED} {name}")
        last = [beside(epoch(ours, others, chance), chance)]
        path = run.step(f"{name}.pt", partial(_network, run, pretrained, cut, last, base))
        files[name] = run.step(f"{name}.onnx", partial(_exported, pretrained, cut, path))
    return files


def _network(
    run: Run, of: "Pretrained", cut: "Cut", epochs: Sequence[Sequence[Lesson]], after: Path | None, path: Path
) -> None:
    """Taught from the start, or on from what another has learned."""
    import torch

    from adapters.guards.embedded.training.networks import encoder, teaching

    torch.manual_seed(SEED)
    network, seed = encoder.Encoder(of, cut[1]), SEED
    if after:
        network.load_state_dict(torch.load(after, weights_only=True))
        seed += 1
    teaching.taught(
        network,
        encoder.pieces(cut[0]),
        epochs,
        rate=teaching.LAST_RATE if after else teaching.RATE,
        seed=seed,
        progress=run.say,
        kept=(kept := path.with_suffix(".kept")),
    )
    torch.save(network.state_dict(), path)
    kept.unlink(missing_ok=True)


def _exported(of: "Pretrained", cut: "Cut", taught: Path, path: Path) -> None:
    import torch

    from adapters.guards.embedded.training.networks import encoder

    network = encoder.Encoder(of, cut[1])
    network.load_state_dict(torch.load(taught, weights_only=True))
    notes = {"jikimi": json.dumps({"heads": HEADS, "tokens": encoder.TOKENS}), "tokeniser": cut[0].to_str()}
    encoder.export(network, path, notes)


# ---- both -------------------------------------------------------------------------------------------------------


def _packed(run: Run, networks: dict[str, Path], away: Sequence[Lesson], about: dict[str, Any], out: Path) -> None:
    """The guard with everything learned to `out`, the one without what was kept away to the run's folder."""
    from adapters.guards.embedded.encoder import Encoder

    read = [reading(line.text) for line in away]
    quick = _ngrams(run.folder / "fold-ngrams.npz")
    fit = joint.fitted(
        Encoder.read(networks["fold"]).logits(read)[:, : len(TAUGHT)],
        quick.logits(read)[:, :-1],
        said(away),
    )
    for name, into in (("fold", run.folder / "fold"), ("whole", out)):
        shutil.copy(networks[name], into / "encoder.onnx")
        if not (into / COMMENTS.name).exists():
            shutil.copy(COMMENTS, into)
        joint.save(into / "kinds.npz", _ngrams(run.folder / f"{name}-ngrams.npz"), fit, TAUGHT, about)


def _reported(run: Run, away: Sequence[Lesson]) -> None:
    """What the guard makes of the lines that it has not learned from, in figures and line by line."""
    model = KindModel.load(run.folder / "fold" / "kinds.npz")
    judged = model.judged([line.text for line in away])
    disguises = through_disguises(lambda texts: model.probabilities(texts).max(axis=1, keepdims=True), away)
    table = f"{bars.table(away, model.kinds, judged)}\n\n{disguise_table(disguises)}\n"
    (run.folder / "away.md").write_text(table, "utf-8")
    np.savez_compressed(run.folder / "away.npz", kinds=judged.kinds, quotes=judged.quotes, names=model.kinds)
    run.say(table)
