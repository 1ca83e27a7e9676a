"""Train a causal language model by the paper's curriculum, from alignment to two streams.

    python examples/train.py OUT --to runs/tiny                             # tiny, a minute or two on a CPU
    python examples/train.py OUT --to runs/qwen --model Qwen/Qwen2-0.5B --tokens 2e9 --batch-size 8  # on a GPU

OUT is a finished build with all five tasks. Sizes that are not given are made to fit it. Everything that is missing
is reported before training.
A stopped run resumes when it is started again. It writes a checkpoint of transformers for each
stage, `loss.csv` and `loss.png`. Next: datagen evaluate OUT --model runs/tiny/two_stream
"""

import argparse
import contextlib
import csv
import math
import time
from pathlib import Path

try:
    import numpy as np
    import torch
    import transformers

    from datagen.errors import DatagenError
    from datagen.feed import Batch, Feed, Stage
    from datagen.shards.manifest import Manifest
    from datagen.shards.store import open_store
    from datagen.shards.tables import from_parquet
    from datagen.shards.vocab import SPECIALS
except ImportError as error:
    raise SystemExit(
        f"{error}. The example needs datagen with the extra train: pip install '.[train]' in its clone"
    ) from error

CURRICULUM = {  # stage: tasks and their shares, share of all training tokens
    "alignment": ({"asr": 1, "tts": 1}, 0.1),
    "half_duplex": ({"four_stream": 1}, 0.1),
    "three_stream": ({"three_stream": 1}, 0.3),
    "two_stream": ({"two_stream": 1}, 0.5),
}
TASKS = sorted({task for tasks, _ in CURRICULUM.values() for task in tasks})
MOST_LOOKED_AT = 1e8  # tokens of a build whose rows are looked through for the longest
STEP_TOKENS = 8192  # of a step by default, unless a row is longer: they decide the memory
PASSES, MOST_TOKENS = 10, 4e5  # over the build by default; a minute or two of a tiny model on a CPU
SPEAK_SECONDS = 30


def stages(n_tokens: float, max_tokens: int, batch_size: int, n_ranks: int = 1) -> list[Stage]:
    """The curriculum in whole steps of all ranks."""
    step = batch_size * n_ranks
    n_steps = {name: max(round(n_tokens * share / max_tokens / step), 1) for name, (_, share) in CURRICULUM.items()}
    return [Stage(name, tasks, max_tokens, batch_size, n_steps[name] * step) for name, (tasks, _) in CURRICULUM.items()]


def faults(arguments: argparse.Namespace, manifest: Manifest) -> list[str]:
    """Everything that the build or the options lack, each with its fix."""
    found, out = [], arguments.out
    if missing := [task for task in TASKS if task not in manifest.tasks]:
        options = " ".join(f"--task {task}" for task in TASKS)
        found.append(f"{out} has no rows of {', '.join(missing)}: run `datagen flatten {out} {options} --out DIR`")
    there = [task for task in TASKS if task not in missing]
    if empty := [f"{task} in train" for task in there if not n_tokens(manifest, task, "train")]:
        found.append(f"{out} has no rows of {', '.join(empty)}: add dialogues")
    fits = fitting(argparse.Namespace(**{**vars(arguments), "tokens": None}), manifest)
    longest = longest_row(manifest)
    if arguments.max_tokens and arguments.max_tokens < longest:
        found.append(
            f"--max-tokens {arguments.max_tokens} is less than the longest row: use --max-tokens {longest}, or make "
            f"shorter rows with `datagen flatten {out} --max-tokens {arguments.max_tokens} --out DIR`"
        )
        fits.max_tokens = longest
    least = least_tokens(fits)
    if arguments.tokens and arguments.tokens < least:
        found.append(
            f"--tokens {arguments.tokens:g} is less than one batch of {fits.batch_size} x {fits.max_tokens} in each "
            f"stage: use --tokens {least} or more, or leave it out"
        )
    return found


def longest_row(manifest: Manifest) -> int:
    """Tokens of the longest row; of a large build the limit of its recipe."""
    flatten = manifest.recipe["flatten"]
    tables = {task: manifest.tables.get(task, {}) for task in TASKS}
    if sum(sums.n_tokens for splits in tables.values() for sums in splits.values()) > MOST_LOOKED_AT:
        return max(flatten["max_tokens"], flatten["max_alignment_tokens"])
    longest = 1
    for file in (file for task in TASKS for file in manifest.files(task)):
        lengths = from_parquet(manifest.store.read(file.key), file.key, ["n_tokens"]).column("n_tokens")
        longest = max(longest, *lengths.to_pylist())
    return longest


def least_tokens(arguments: argparse.Namespace) -> int:
    """Tokens of one batch in each stage."""
    return math.ceil(arguments.max_tokens * arguments.batch_size / min(share for _, share in CURRICULUM.values()))


def fitting(arguments: argparse.Namespace, manifest: Manifest) -> argparse.Namespace:
    """The options, with sizes that fit the build where none are given."""
    found = argparse.Namespace(**vars(arguments))
    found.max_tokens = found.max_tokens or longest_row(manifest)
    in_stage = [sum(n_tokens(manifest, task, "train") for task in tasks) for tasks, _ in CURRICULUM.values()]
    share = min(share for _, share in CURRICULUM.values())
    most = int(min(STEP_TOKENS, *in_stage, share * (found.tokens or math.inf)) // found.max_tokens)
    found.batch_size = found.batch_size or min(max(most, 2 if found.shuffle_users else 1), 4)
    found.tokens = found.tokens or max(min(PASSES * sum(in_stage), MOST_TOKENS), least_tokens(found))
    return found


def n_tokens(manifest: Manifest, task: str, split: str) -> int:
    """Tokens of a task in a split; 0 if it has none."""
    sums = manifest.tables.get(task, {}).get(split)
    return sums.n_tokens if sums else 0


def check(arguments: argparse.Namespace) -> argparse.Namespace:
    """The options with sizes that fit, or the end with all faults at once; tells if a batch repeats tokens."""
    manifest = Manifest.load(open_store(arguments.out))
    if lines := faults(arguments, manifest):
        raise SystemExit("\n".join(lines))
    arguments = fitting(arguments, manifest)
    batch = arguments.max_tokens * arguments.batch_size
    for name, (tasks, _) in CURRICULUM.items():
        n = sum(n_tokens(manifest, task, "train") for task in tasks)
        if n < batch:
            print(f"{name}: train has {n:,} tokens, fewer than a batch of {batch:,}, which repeats them")
    return arguments


def new_model(
    name: str, out: str, max_tokens: int, plan: list[Stage]
) -> tuple[transformers.PreTrainedModel, np.ndarray]:
    """A model, and the token id of each row of its embedding.

    A pretrained model keeps its rows and gets new ones for speech. A tiny one has rows for the ids
    in the build.
    """
    vocabulary = Feed(out, plan).vocabulary
    if name != "tiny":
        model = transformers.AutoModelForCausalLM.from_pretrained(
            name, dtype=torch.float32
        )  # trained in bfloat16 by autocast
        model.resize_token_embeddings(vocabulary.size)
        return model, np.arange(vocabulary.size)
    once = Stage("all", {task: 1 for stage in plan for task in stage.tasks}, max_tokens, 16)
    seen = [np.unique(batch.inputs["input_ids"]) for batch in Feed(out, once, epochs=1)]
    speech = np.arange(vocabulary.speech_offset, vocabulary.size)
    token_ids = np.unique(np.concatenate([*seen, speech, [vocabulary[name] for name in SPECIALS]]))
    config = transformers.Qwen2Config(
        vocab_size=len(token_ids), hidden_size=128, intermediate_size=384, num_hidden_layers=3, num_attention_heads=4,
        num_key_value_heads=4, max_position_embeddings=max(max_tokens, 8192), tie_word_embeddings=True,
    )  # fmt: skip
    return transformers.Qwen2ForCausalLM(config), token_ids


def loss_of(model: transformers.PreTrainedModel, batch: Batch, rows: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy of the learned tokens; logits of those alone, which halves the work."""
    inputs = {name: batch.inputs[name].to(model.device) for name in ("input_ids", "labels", "position_ids")}
    labels = inputs["labels"][:, 1:]
    learned = labels != -100
    ids, positions = rows[inputs["input_ids"]], inputs["position_ids"]
    with torch.autocast(model.device.type, torch.bfloat16, enabled=model.device.type == "cuda"):
        hidden = model.model(input_ids=ids, position_ids=positions, use_cache=False)[0]
        logits = model.lm_head(hidden[:, :-1][learned])
    return torch.nn.functional.cross_entropy(logits.float(), rows[labels[learned]])


def shuffle_users(batch: Batch) -> Batch:
    """A control: in full duplex every sequence gets the user channel of another one.

    Chunks of packed rows lie on one grid, so users stay in the slots of users.
    """
    full_duplex = [task in ("three_stream", "two_stream") for task in batch.tasks]
    if len(full_duplex) < 2:
        raise SystemExit("--shuffle-users needs a --batch-size of 2 or more")
    ids = batch.inputs["input_ids"]
    users = (batch.inputs["labels"] == -100) & torch.tensor(full_duplex)[:, None]
    return batch._replace(inputs={**batch.inputs, "input_ids": torch.where(users, ids.roll(1, 0), ids)})


@torch.inference_mode()
def test_loss(
    model: transformers.PreTrainedModel,
    out: str,
    rows: torch.Tensor,
    max_tokens: int,
    split: str = "test",
    at_once: int = 4,
) -> float:
    """Mean cross-entropy over the learned tokens of held-out rows of two_stream."""
    total, n = 0.0, 0
    for batch in Feed(out, Stage("test", {"two_stream": 1}, max_tokens, at_once), split=split, epochs=1):
        n_here = int((batch.inputs["labels"] != -100).sum())
        total += float(loss_of(model, batch, rows)) * n_here
        n += n_here
    return total / n


def train(arguments: argparse.Namespace) -> None:
    """Run the curriculum, from the beginning or from the state in `last.pt`."""
    arguments = check(arguments)
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    to, plan = Path(arguments.to), stages(arguments.tokens, arguments.max_tokens, arguments.batch_size)
    to.mkdir(parents=True, exist_ok=True)
    model, token_ids = new_model(arguments.model, arguments.out, arguments.max_tokens, plan)
    model.to("cuda" if torch.cuda.is_available() else "cpu").train()
    rows = torch.zeros(int(token_ids.max()) + 1, dtype=torch.int64)  # of the embedding, by id
    rows[torch.from_numpy(token_ids)] = torch.arange(len(token_ids))
    rows = rows.to(model.device)
    names = [stage.name for stage in plan for _ in range(stage.n_batches(1) or 0)]  # of the stage, by step
    lr = arguments.lr or (2e-3 if arguments.model == "tiny" else 2e-5)
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, betas=(0.9, 0.95), weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / 50, 0.5 + 0.5 * math.cos(math.pi * min(step / len(names), 0.95)))
    )
    feed, curve = Feed(arguments.out, plan, seed=arguments.seed), Curve(to / "loss.csv")
    parts = {"model": model, "optimizer": optimizer, "schedule": schedule, "feed": feed, "curve": curve}
    if (to / "last.pt").exists():
        for name, state in torch.load(to / "last.pt", weights_only=True).items():
            parts[name].load_state_dict(state)
    print(
        f"{len(names)} steps of {arguments.batch_size} x {arguments.max_tokens:,} tokens, "
        f"{sum(each.numel() for each in model.parameters()):,} parameters; the time left follows the first step",
        flush=True,
    )
    progress = Progress(schedule.last_epoch, len(names))
    for batch in feed:
        name = names[schedule.last_epoch]
        loss = loss_of(model, shuffle_users(batch) if arguments.shuffle_users else batch, rows)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        step = schedule.last_epoch
        ends = step == len(names) or names[step] != name
        if step % 20 == 0 or ends:
            curve.add(step, name, loss.item())
        progress.tell(step, name, loss.item(), ends)
        if ends:
            save(model, token_ids, to / name)
        if step % arguments.save_every == 0 or ends:
            torch.save({key: part.state_dict() for key, part in parts.items()}, to / "writing.pt")
            (to / "writing.pt").replace(to / "last.pt")  # a run that is stopped while it writes loses nothing
    curve.draw()
    if n_tokens(Manifest.load(open_store(arguments.out)), "two_stream", "test"):
        loss = test_loss(model.eval(), arguments.out, rows, arguments.max_tokens, at_once=arguments.batch_size)
        print(f"test loss of two_stream: {loss:.4f}")
    else:
        print("no test loss: the build has no test rows; datagen evaluate needs --split train")


class Progress:
    """A line at the first step, every 30 s and at the end of each stage, with the time left."""

    def __init__(self, n_before: int, n_steps: int) -> None:
        """Begin after the steps of earlier runs."""
        self._n_before, self._n_steps = n_before, n_steps
        self._began, self._told = time.monotonic(), -math.inf

    def tell(self, step: int, stage: str, loss: float, ends: bool) -> None:
        """Print a line if one is due."""
        now = time.monotonic()
        if not ends and now - self._told < SPEAK_SECONDS:
            return
        self._told = now
        left_s = (now - self._began) / (step - self._n_before) * (self._n_steps - step)
        left = f"{left_s / 60:.0f} min" if left_s >= 90 else f"{left_s:.0f} s"
        print(f"{step:6} of {self._n_steps}  {stage:12}  loss {loss:.3f}  about {left} left", flush=True)


def saved(to: Path) -> str:
    """A line about what a stopped run has left."""
    stages = [name for name in CURRICULUM if (to / name / "token_ids.npy").exists()]
    step = 0
    if (to / "last.pt").exists():
        with contextlib.suppress(Exception):
            step = torch.load(to / "last.pt", weights_only=True)["schedule"]["last_epoch"]
    there = f"finished stages: {', '.join(stages) or 'none'}"
    return f"stopped; {to} holds the state after step {step}, {there}. The same command resumes there."


class Curve:
    """The loss over the steps, as `loss.csv` and, where matplotlib is installed, `loss.png`."""

    def __init__(self, file: Path) -> None:
        """Create an empty curve."""
        self.file, self.points = file, list[tuple[int, str, float]]()

    def add(self, step: int, stage: str, loss: float) -> None:
        """Add a loss."""
        self.points.append((step, stage, round(loss, 4)))
        with self.file.open("w") as file:
            csv.writer(file).writerows(self.points)

    def state_dict(self) -> dict[str, list]:
        """State with which a run resumes."""
        return {"points": self.points}

    def load_state_dict(self, state: dict[str, list]) -> None:
        """Restore a state; later points are dropped."""
        self.points = list(state["points"])

    def draw(self) -> None:
        """Draw one line per stage."""
        try:
            from matplotlib.figure import Figure
        except ImportError:
            return
        figure = Figure((8, 4.5), layout="constrained")
        axes = figure.subplots()
        for name in CURRICULUM:
            own = [(step, loss) for step, stage, loss in self.points if stage == name]
            axes.plot(*zip(*own, strict=True), label=name)
        axes.set(xlabel="step", ylabel="loss", title="cross-entropy of learned tokens")
        axes.legend()
        figure.savefig(self.file.with_suffix(".png"), dpi=120)


def save(model: transformers.PreTrainedModel, token_ids: np.ndarray, to: Path) -> None:
    """Save a checkpoint of transformers, and the token ids of its embedding rows."""
    model.save_pretrained(to)
    np.save(to / "token_ids.npy", token_ids)


def options(line: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("out", help="finished build with all five tasks")
    parser.add_argument("--to", required=True, help="directory for checkpoints and losses")
    parser.add_argument("--model", default="tiny", help="name or directory of a causal model, or `tiny`")
    parser.add_argument(
        "--tokens", type=float, metavar="N", default=argparse.SUPPRESS,
        help=f"tokens to train on, padding included (default: {PASSES} times the build, at most {MOST_TOKENS:,.0f})",
    )  # fmt: skip
    parser.add_argument(
        "--max-tokens", type=int, metavar="N", default=argparse.SUPPRESS,
        help="length of a sequence; no row may be longer (default: the longest row)",
    )  # fmt: skip
    parser.add_argument(
        "--batch-size", type=int, metavar="N", default=argparse.SUPPRESS,
        help=f"sequences per step (default: up to 4, {STEP_TOKENS:,} tokens; more needs more memory)",
    )  # fmt: skip
    parser.add_argument(
        "--lr", type=float, metavar="X", default=argparse.SUPPRESS,
        help="peak learning rate (default: 2e-3 for tiny, else 2e-5)",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, help="of the weights and the order of the rows")
    parser.add_argument(
        "--save-every", type=int, default=200, help="steps between the states from which a stopped run resumes"
    )
    parser.add_argument("--shuffle-users", action="store_true", help="a control: users of other conversations")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of the CPU")
    unset = argparse.Namespace(tokens=None, max_tokens=None, batch_size=None, lr=None)
    return parser.parse_args(line, unset)


if __name__ == "__main__":
    given = options()
    try:
        train(given)
    except DatagenError as error:  # a damaged build
        raise SystemExit(str(error)) from error
    except KeyboardInterrupt:
        raise SystemExit(saved(Path(given.to))) from None
