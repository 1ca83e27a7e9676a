"""Train a causal language model by the paper's curriculum, from alignment to two streams.

    python examples/train.py OUT --to runs/tiny                              # tiny, a minute or two on a CPU
    python examples/train.py OUT --to runs/qwen --model Qwen/Qwen2.5-0.5B --tokens 2e9 --batch-size 32 --at-once 4
    torchrun --nproc-per-node 8 examples/train.py OUT --to runs/qwen --model ...    # the same training on 8 GPUs

OUT is a finished build with the tasks of the curriculum. Sizes that are not given are made to fit it. Everything
that is missing is reported before training. A step is the same for any number of GPUs and any --at-once.
A stopped run resumes when it is started again, and ends with the weights of one that was never stopped. It writes
a checkpoint of transformers for each stage, `loss.csv` and `loss.png`.
Next: datagen evaluate turns OUT --model runs/tiny/two_stream
"""

import argparse
import contextlib
import csv
import math
import resource
import sys
import time
from pathlib import Path

try:
    import numpy as np
    import torch
    import transformers
    from torch import distributed
    from torch.nn.parallel import DistributedDataParallel

    import datagen
    from datagen.errors import DatagenError
    from datagen.feed import Batch, Feed, Stage
    from datagen.feed.learner import Learner, learn, parts_of, reads_flat
    from datagen.feed.pretrained import extend, tokenizer_faults
    from datagen.feed.ranks import is_first, join_ranks, merged_state, ranks
    from datagen.seeds import seed32
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
MOST_LOOKED_AT = 1e8  # tokens of a build whose rows are looked through for the longest
STEP_TOKENS = 8192  # of a step by default, unless a row is longer: they decide the memory
PASSES, MOST_TOKENS = 10, 4e5  # over the build by default; a minute or two of a tiny model on a CPU
SPEAK_SECONDS = 30

# -- the plan: stages and sizes -----------------------------------------------------------------------------------


def curriculum(without: list[str] | None = None) -> dict[str, tuple[dict[str, float], float]]:
    """The stages, those of an ablation left out; the others keep their tokens."""
    return {name: stage for name, stage in CURRICULUM.items() if name not in (without or ())}


def tasks_of(arguments: argparse.Namespace) -> list[str]:
    """All tasks of the curriculum."""
    return sorted({task for tasks, _ in curriculum(arguments.without).values() for task in tasks})


def stages(
    n_tokens: float, max_tokens: int, batch_size: int, n_ranks: int = 1, without: list[str] | None = None
) -> list[Stage]:
    """The curriculum in whole steps of `batch_size` sequences, which the ranks share."""
    found = []
    for name, (tasks, share) in curriculum(without).items():
        n_steps = max(round(n_tokens * share / max_tokens / batch_size), 1)
        found.append(Stage(name, tasks, max_tokens, batch_size // n_ranks, n_steps * batch_size))
    return found


def faults(arguments: argparse.Namespace, manifest: Manifest, n_ranks: int = 1) -> list[str]:
    """Everything that the build or the options lack, each with its fix."""
    found, out, tasks = [], arguments.out, tasks_of(arguments)
    if missing := [task for task in tasks if task not in manifest.tasks]:
        options = " ".join(f"--task {task}" for task in tasks)
        found.append(f"{out} has no rows of {', '.join(missing)}: run `datagen flatten {out} {options} --out DIR`")
    there = [task for task in tasks if task not in missing]
    if empty := [f"{task} in train" for task in there if not n_tokens(manifest, task, "train")]:
        found.append(f"{out} has no rows of {', '.join(empty)}: add dialogues")
    fits = fitting(argparse.Namespace(**{**vars(arguments), "tokens": None}), manifest, n_ranks)
    longest = longest_row(manifest, tasks)
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
    if fits.batch_size % n_ranks:
        near = -(-fits.batch_size // n_ranks) * n_ranks
        found.append(f"--batch-size {fits.batch_size} cannot be shared by {n_ranks} ranks: use --batch-size {near}")
    return found if arguments.model == "tiny" else [*found, *checkpoint_faults(arguments, manifest, fits.max_tokens)]


def checkpoint_faults(arguments: argparse.Namespace, manifest: Manifest, max_tokens: int) -> list[str]:
    """Reasons why a pretrained model cannot train on the build, found without its weights."""
    name = arguments.model
    try:
        config = transformers.AutoConfig.from_pretrained(name)
    except (OSError, ValueError) as error:
        return [f"--model {name}: {str(error).splitlines()[0]}"]
    found = []
    if (n_most := getattr(config, "max_position_embeddings", max_tokens)) < max_tokens:
        found.append(
            f"--model {name} reads {n_most:,} tokens, and a row has {max_tokens:,}: make shorter rows with "
            f"`datagen flatten {arguments.out} --max-tokens {n_most} --out DIR`"
        )
    if arguments.any_tokenizer:
        return found
    files = ("tokenizer_config.json", "tokenizer.json")
    if not any(
        transformers.utils.cached_file(name, file, _raise_exceptions_for_missing_entries=False) for file in files
    ):
        fix = "save it with the model, or add --any-tokenizer if you know that its ids are the build's"
        return [*found, f"--model {name} has no tokenizer to compare with the build's: {fix}"]
    theirs = transformers.AutoTokenizer.from_pretrained(name)
    ours = datagen.open(arguments.out, trust=arguments.trust).text_tokenizer
    differences = tokenizer_faults(
        lambda text: theirs.encode(text, add_special_tokens=False, truncation=False),
        ours.encode,
        set(theirs.get_vocab().values()),
        manifest.vocabulary,
    )
    fix = "build with the model's tokenizer (engine hf), or add --any-tokenizer to train all the same"
    return [*found, *(f"--model {name}: {difference}; {fix}" for difference in differences)]


def longest_row(manifest: Manifest, tasks: list[str]) -> int:
    """Tokens of the longest row; of a large build the limit of its recipe."""
    flatten = manifest.recipe["flatten"]
    tables = {task: manifest.tables.get(task, {}) for task in tasks}
    if sum(sums.n_tokens for splits in tables.values() for sums in splits.values()) > MOST_LOOKED_AT:
        return max(flatten["max_tokens"], flatten["max_alignment_tokens"])
    longest = 1
    for file in (file for task in tasks for file in manifest.files(task)):
        lengths = from_parquet(manifest.store.read(file.key), file.key, ["n_tokens"]).column("n_tokens")
        longest = max(longest, *lengths.to_pylist())
    return longest


def least_tokens(arguments: argparse.Namespace) -> int:
    """Tokens of one batch in each stage."""
    return math.ceil(arguments.max_tokens * arguments.batch_size / min(share for _, share in CURRICULUM.values()))


def fitting(arguments: argparse.Namespace, manifest: Manifest, n_ranks: int = 1) -> argparse.Namespace:
    """The options, with sizes that fit the build where none are given."""
    found, stages = argparse.Namespace(**vars(arguments)), curriculum(arguments.without).values()
    found.max_tokens = found.max_tokens or longest_row(manifest, tasks_of(arguments))
    in_stage = [sum(n_tokens(manifest, task, "train") for task in tasks) for tasks, _ in stages]
    share = min(share for _, share in CURRICULUM.values())
    most = int(min(STEP_TOKENS, *in_stage, share * (found.tokens or math.inf)) // found.max_tokens)
    if not found.batch_size:
        found.batch_size = -(-min(max(most, 2 if found.shuffle_users else 1), 4) // n_ranks) * n_ranks
    found.tokens = found.tokens or max(min(PASSES * sum(in_stage), MOST_TOKENS), least_tokens(found))
    found.at_once = found.at_once or found.batch_size
    return found


def n_tokens(manifest: Manifest, task: str, split: str) -> int:
    """Tokens of a task in a split; 0 if it has none."""
    sums = manifest.tables.get(task, {}).get(split)
    return sums.n_tokens if sums else 0


def check(arguments: argparse.Namespace, n_ranks: int = 1) -> argparse.Namespace:
    """The options with sizes that fit, or the end with all faults at once; tells if a batch repeats tokens."""
    manifest = Manifest.load(open_store(arguments.out))
    if lines := faults(arguments, manifest, n_ranks):
        raise SystemExit("\n".join(lines))
    arguments = fitting(arguments, manifest, n_ranks)
    batch = arguments.max_tokens * arguments.batch_size
    for name, (tasks, _) in curriculum(arguments.without).items():
        n = sum(n_tokens(manifest, task, "train") for task in tasks)
        if n < batch and is_first():
            print(f"{name}: train has {n:,} tokens, fewer than a batch of {batch:,}, which repeats them")
    return arguments


# -- the model ----------------------------------------------------------------------------------------------------


def new_model(
    name: str,
    out: str,
    max_tokens: int,
    plan: list[Stage],
    attention: str = "sdpa",
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
) -> tuple[transformers.PreTrainedModel, np.ndarray | None]:
    """A model, and the token id of each row of its embedding; None if a row is its id.

    A pretrained model keeps its rows and gets new ones for speech. A tiny one has rows for the ids in
    the build.
    """
    vocabulary = Feed(out, plan).vocabulary
    if name != "tiny":
        model = transformers.AutoModelForCausalLM.from_pretrained(name, dtype=dtype, attn_implementation=attention)
        extend(model, vocabulary, seed)
        return model, None
    once = Stage("all", {task: 1 for stage in plan for task in stage.tasks}, max_tokens, 16)
    seen = [np.unique(batch.inputs["input_ids"]) for batch in Feed(out, once, epochs=1, rank=0, n_ranks=1)]
    speech = np.arange(vocabulary.speech_offset, vocabulary.size)
    token_ids = np.unique(np.concatenate([*seen, speech, [vocabulary[name] for name in SPECIALS]]))
    config = transformers.Qwen2Config(
        vocab_size=len(token_ids), hidden_size=128, intermediate_size=384, num_hidden_layers=3, num_attention_heads=4,
        num_key_value_heads=4, max_position_embeddings=max(max_tokens, 8192), tie_word_embeddings=True,
    )  # fmt: skip
    return transformers.Qwen2ForCausalLM(config), token_ids


def rows_of(token_ids: np.ndarray | None) -> torch.Tensor | None:
    """The row of the embedding of each id."""
    if token_ids is None:
        return None
    rows = torch.zeros(int(token_ids.max()) + 1, dtype=torch.int64)
    rows[torch.from_numpy(token_ids)] = torch.arange(len(token_ids))
    return rows


def flash(device: torch.device) -> str:
    """The fastest attention that is installed, as transformers names it."""
    there = device.type == "cuda" and transformers.utils.is_flash_attn_2_available()
    return "flash_attention_2" if there else "sdpa"


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
    rows: torch.Tensor | None,
    max_tokens: int,
    split: str = "test",
    at_once: int = 4,
    bf16: bool = False,
) -> float:
    """Mean cross-entropy over the learned tokens of held-out rows of two_stream."""
    learner, found, n = Learner(model, rows, bf16).to(model.device), 0.0, 0
    held_out = Stage("test", {"two_stream": 1}, max_tokens, at_once)
    for batch in Feed(out, held_out, split=split, epochs=1, rank=0, n_ranks=1):
        for part in parts_of(batch, model.device, at_once, reads_flat(model)):
            found += float(learner(*part))
            n += int((part[1][:, 1:] != -100).sum())
    return found / n


# -- the run ------------------------------------------------------------------------------------------------------


class Training:
    """Model, optimizer, feed and loss curve of a run, with the state from which it resumes."""

    def __init__(self, arguments: argparse.Namespace, device: torch.device) -> None:
        """Begin a run, or resume it from `last.pt`."""
        sizes, to = (arguments.tokens, arguments.max_tokens, arguments.batch_size), Path(arguments.to)
        plan = stages(*sizes, ranks()[1], arguments.without)
        self.arguments, self.to, self.device = arguments, to, device
        self.names = [stage.name for stage in plan for _ in range(stage.n_batches(ranks()[1]) or 0)]
        dtype = torch.bfloat16 if arguments.bf16_weights else torch.float32
        self.model, self.token_ids = new_model(
            arguments.model, arguments.out, arguments.max_tokens, plan, flash(device), arguments.seed, dtype
        )
        self.model.to(device).train()
        bf16 = device.type == "cuda" if arguments.bf16 is None else arguments.bf16
        self.alone = Learner(self.model, rows_of(self.token_ids), bf16, arguments.gradient_checkpointing).to(device)
        lr, n = arguments.lr or (2e-3 if arguments.model == "tiny" else 2e-5), len(self.names)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=lr, betas=(0.9, 0.95), weight_decay=0.1)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda step: min((step + 1) / 50, 0.5 + 0.5 * math.cos(math.pi * min(step / n, 0.95)))
        )
        self.feed, self.curve = Feed(arguments.out, plan, seed=arguments.seed), Curve(to / "loss.csv")
        self._parts = {
            "model": self.model, "optimizer": self.optimizer, "schedule": self.schedule, "feed": self.feed,
            "curve": self.curve,
        }  # fmt: skip
        if (to / "last.pt").exists():
            for name, state in torch.load(to / "last.pt", weights_only=True, map_location="cpu").items():
                self._parts[name].load_state_dict(state)
        self._learner: torch.nn.Module = self.alone
        if ranks()[1] > 1:
            self._learner = DistributedDataParallel(self.alone, broadcast_buffers=False)

    @property
    def step(self) -> int:
        """Steps that are done."""
        return int(self.schedule.last_epoch)

    def learn(self, batch: Batch) -> float:
        """Learn from a batch; returns its loss."""
        torch.manual_seed(seed32(self.arguments.seed, "step", self.step, ranks()[0]))  # dropout, if there is any
        if self.arguments.shuffle_users:
            batch = shuffle_users(batch)
        loss = learn(self._learner, batch, self.device, self.arguments.at_once, reads_flat(self.model)).item()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.schedule.step()
        self.optimizer.zero_grad()
        return loss

    def save_state(self) -> None:
        """Write the state of all ranks to `last.pt`."""
        own = {name: part.state_dict() for name, part in self._parts.items() if name != "feed"}
        states = {**own, "feed": merged_state(self.feed)}
        if is_first():
            torch.save(states, self.to / "writing.pt")
            (self.to / "writing.pt").replace(self.to / "last.pt")  # a stop while it writes loses nothing


def train(arguments: argparse.Namespace) -> float | None:
    """Run the curriculum; returns the test loss, if the first of the ranks has reached the end and found one."""
    device = join_ranks()
    arguments = check(arguments, ranks()[1])
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    Path(arguments.to).mkdir(parents=True, exist_ok=True)
    run = Training(arguments, device)
    progress = Progress(run)
    for batch in run.feed:
        name = run.names[run.step]
        loss = run.learn(batch)
        step, stops = run.step, run.step == arguments.stop_after
        ends = step == len(run.names) or run.names[step] != name
        if step % 20 == 0 or ends:
            run.curve.add(step, name, loss)
        progress.tell(step, name, loss, ends)
        if ends and is_first():
            save(run.model, run.token_ids, run.to / name)
        if step % arguments.save_every == 0 or ends or stops:
            run.save_state()
        if stops:
            return print(saved(run.to)) if is_first() else None
    return report(run) if is_first() else None


def report(run: Training) -> float | None:
    """Draw the curve; print and return the test loss, None if there are no test rows."""
    run.curve.draw()
    out, sizes = run.arguments.out, (run.arguments.max_tokens, "test", min(run.arguments.at_once, 4))
    if not n_tokens(Manifest.load(open_store(out)), "two_stream", "test"):
        print("no test loss: the build has no test rows; datagen evaluate needs --split train")
        return None
    loss = test_loss(run.model.eval(), out, run.alone.rows, *sizes, bf16=run.alone.bf16)
    print(f"test loss of two_stream: {loss:.4f}")
    return loss


class Progress:
    """A line at the first step, every 30 s and at the end of each stage, with speed, memory and the time left."""

    def __init__(self, run: Training) -> None:
        """Begin after the steps of earlier runs, with a line about the sizes."""
        self._n_before, self._n_steps, self._device = run.step, len(run.names), run.device
        n, length = run.arguments.batch_size, run.arguments.max_tokens
        self._step_tokens = n * length
        self._began, self._told = time.monotonic(), -math.inf
        n_weights = sum(each.numel() for each in run.model.parameters())
        if is_first():
            print(
                f"{self._n_steps} steps of {n} x {length:,} tokens, {n_weights:,} parameters, {ranks()[1]} x "
                f"{run.device}; the time left follows the first step",
                flush=True,
            )

    def tell(self, step: int, stage: str, loss: float, ends: bool) -> None:
        """Print a line if one is due."""
        now = time.monotonic()
        if not is_first() or (not ends and now - self._told < SPEAK_SECONDS):
            return
        self._told = now
        step_s = (now - self._began) / (step - self._n_before)
        left_s = step_s * (self._n_steps - step)
        left = f"{left_s / 60:.0f} min" if left_s >= 90 else f"{left_s:.0f} s"
        print(
            f"{step:6} of {self._n_steps}  {stage:12}  loss {loss:.3f}  {self._step_tokens / step_s:,.0f} tokens/s  "
            f"at most {most_memory_gb(self._device):.1f} GB  about {left} left",
            flush=True,
        )


def most_memory_gb(device: torch.device) -> float:
    """The most memory that this process has held, on its GPU if it has one."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e9
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 1e9 if sys.platform == "darwin" else most * 1024 / 1e9


def saved(to: Path) -> str:
    """A line about what a stopped run has left."""
    stages = [name for name in CURRICULUM if (to / name / "config.json").exists()]
    step = 0
    if (to / "last.pt").exists():
        with contextlib.suppress(Exception):
            step = torch.load(to / "last.pt", weights_only=True, map_location="cpu")["schedule"]["last_epoch"]
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
        if is_first():
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
        for name in dict.fromkeys(stage for _, stage, _ in self.points):
            own = [(step, loss) for step, stage, loss in self.points if stage == name]
            axes.plot(*zip(*own, strict=True), label=name)
        axes.set(xlabel="step", ylabel="loss", title="cross-entropy of learned tokens")
        axes.legend()
        figure.savefig(self.file.with_suffix(".png"), dpi=120)


def save(model: transformers.PreTrainedModel, token_ids: np.ndarray | None, to: Path) -> None:
    """Save a checkpoint of transformers, and the token ids of its embedding rows if they are not their numbers."""
    model.save_pretrained(to)
    if token_ids is not None:
        np.save(to / "token_ids.npy", token_ids)


def options(line: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add, unset = parser.add_argument, argparse.SUPPRESS
    add("out", help="finished build with the tasks of the curriculum")
    add("--to", required=True, help="directory for checkpoints and losses")
    add("--model", default="tiny", help="name or directory of a causal model such as Qwen/Qwen2.5-0.5B, or `tiny`")
    add(
        "--tokens", type=float, metavar="N", default=unset,
        help=f"tokens to train on, padding included (default: {PASSES} times the build, at most {MOST_TOKENS:,.0f})",
    )  # fmt: skip
    add(
        "--max-tokens", type=int, metavar="N", default=unset,
        help="length of a sequence; no row may be longer (default: the longest row)",
    )  # fmt: skip
    add(
        "--batch-size", type=int, metavar="N", default=unset,
        help=f"sequences per step, of all GPUs together (default: up to 4, {STEP_TOKENS:,} tokens)",
    )  # fmt: skip
    add(
        "--at-once", type=int, metavar="N", default=unset,
        help="sequences per GPU and forward pass; fewer need less memory and train the same (default: all)",
    )  # fmt: skip
    add("--lr", type=float, metavar="X", default=unset, help="peak learning rate (default: 2e-3 for tiny, else 2e-5)")
    add("--bf16", action=argparse.BooleanOptionalAction, default=unset, help="compute in bfloat16 (default: on GPUs)")
    add("--bf16-weights", action="store_true", help="weights and optimizer in bfloat16: half the memory, less exact")
    add("--gradient-checkpointing", action="store_true", help="compute activations twice, which saves memory")
    add("--without", nargs="+", choices=list(CURRICULUM)[:-1], metavar="STAGE", default=unset, help="an ablation")
    add("--any-tokenizer", action="store_true", help="do not compare the model's tokenizer with the build's")
    add("--trust", action="store_true", help="load a text tokenizer that the build names by a path (SECURITY.md)")
    add("--seed", type=int, default=0, help="of the weights and the order of the rows")
    add("--save-every", type=int, default=200, help="steps between the states from which a stopped run resumes")
    add("--stop-after", type=int, metavar="STEP", default=unset, help="stop after this step; the same command resumes")
    add("--shuffle-users", action="store_true", help="a control: users of other conversations")
    add("--threads", type=int, default=torch.get_num_threads(), help="of the CPU")
    names = ("tokens", "max_tokens", "batch_size", "at_once", "lr", "bf16", "without", "stop_after")
    return parser.parse_args(line, argparse.Namespace(**dict.fromkeys(names)))


if __name__ == "__main__":
    given = options()
    try:
        train(given)
    except DatagenError as error:  # a damaged build
        raise SystemExit(str(error)) from error
    except KeyboardInterrupt:
        raise SystemExit(saved(Path(given.to))) from None
    finally:
        if ranks()[1] > 1:
            distributed.destroy_process_group()
