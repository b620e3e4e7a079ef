#!/usr/bin/env python3
"""train.py - a byte-level transformer language model trained with DistributedDataParallel.

One process is one rank; whoever starts the ranks sets RANK, LOCAL_RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT
(torchrun does; so does the local target). Without them it is a world of one. Python 3.10, PyTorch 1.13 or newer.
"""

import argparse
import codecs
import ctypes
import datetime
import hashlib
import io
import json
import math
import os
import pickle
import re
import signal
import socket
import stat
import sys
import sysconfig
import threading
import time
import warnings
import zipfile

warnings.filterwarnings("ignore", "Failed to initialize NumPy")  # it is not needed here
try:
    import torch
    import torch.distributed as dist
    from torch import nn
    from torch.nn import functional as F
    from torch.nn.parallel import DistributedDataParallel
except ImportError as absent:
    sys.exit(f"train: PyTorch cannot be imported by {sys.executable} ({absent}). Install Debian's python3-torch, "
             "or put torch into the environment whose python runs this.")

VOCABULARY = 256  # bytes
KEPT = 2  # checkpoints left in the folder
SHAPE = ("context", "layers", "heads", "width")
COURSE = ("steps", "batch", "lr", "seed")  # other values resume well, but to another end


class Fatal(Exception):
    """Ends this rank with its text as the message and exit status 1."""


def first_line(err):
    return (str(err).strip() or type(err).__name__).splitlines()[0]


def bytes_of(tensor):
    t = tensor.detach().cpu().contiguous()
    return ctypes.string_at(t.data_ptr(), t.numel() * t.element_size())


def say(line):
    print(line + "\n", end="", flush=True)  # in one write, as ranks may share the pipe


def arguments(argv):
    def count(text, least=1):
        if not re.fullmatch(r"[0-9]{1,12}", text) or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} on")
        return int(text)

    def positive(text):
        if not 0 < float(text) < math.inf:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
        return float(text)

    p = argparse.ArgumentParser(description=__doc__.splitlines()[0][len("train.py - "):], allow_abbrev=False)
    p.add_argument("--data", metavar="PATH", help="text file, or folder of text files (default: Python's own library)")
    p.add_argument("--max-bytes", type=count, default=16 << 20, help="read no more than this (default: %(default)s)")
    p.add_argument("--steps", type=count, default=60, help="optimiser steps in all (default: %(default)s)")
    p.add_argument("--batch", type=count, default=8, help="sequences per rank and step (default: %(default)s)")
    p.add_argument("--context", type=count, default=64, help="bytes per sequence (default: %(default)s)")
    p.add_argument("--layers", type=count, default=2, help="transformer blocks (default: %(default)s)")
    p.add_argument("--heads", type=count, default=4, help="attention heads per block (default: %(default)s)")
    p.add_argument("--width", type=count, default=64, help="size of the residual stream (default: %(default)s)")
    p.add_argument("--lr", type=positive, default=3e-3, help="peak learning rate (default: %(default)s)")
    p.add_argument("--seed", type=lambda text: count(text, 0), default=1, help="for weights and batches (default: 1)")
    p.add_argument("--checkpoint-dir", metavar="DIR", help="write checkpoints here, and resume from the newest")
    p.add_argument("--checkpoint-every", type=count, default=20, metavar="N", help="steps (default: %(default)s)")
    p.add_argument("--log-every", type=count, default=1, metavar="N", help="steps (default: %(default)s)")
    p.add_argument("--timeout", type=positive, default=300, metavar="S", help="wait for other ranks (default: 300)")
    p.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="cuda: one GPU per local rank")
    p.add_argument("--stop-after", type=count, metavar="N", help="checkpoint and end well after step N of --steps")
    p.add_argument("--crash-after", type=count, metavar="N", help="drill: unless resumed, the last rank dies then")
    args = p.parse_args(argv)
    if args.width % args.heads:
        p.error(f"--width {args.width} is not a multiple of --heads {args.heads}")
    return args


class World:
    """Which rank this is, on which device, and the process group once joined."""

    def __init__(self, device):
        self.size, self.rank = self.number("WORLD_SIZE", 1), self.number("RANK", 0)
        if not 0 <= self.rank < self.size:
            raise Fatal(f"RANK={self.rank} does not lie below WORLD_SIZE={self.size}.")
        self.device = torch.device("cpu")
        if device == "cuda":
            local = self.number("LOCAL_RANK", self.rank)
            if local >= torch.cuda.device_count():
                raise Fatal(f"--device cuda: local rank {local} finds {torch.cuda.device_count()} GPUs here. "
                            "Start no more ranks on a node than it has GPUs, or use --device cpu.")
            torch.cuda.set_device(local)
            self.device = torch.device("cuda", local)

    @staticmethod
    def number(name, default):
        text = os.environ.get(name, str(default))
        if not re.fullmatch(r"[0-9]{1,9}", text):
            raise Fatal(f"{name}={text!r} in the environment is not a whole number.")
        return int(text)

    def join(self, timeout):
        backend = "nccl" if self.device.type == "cuda" else "gloo"
        master, port = os.environ.get("MASTER_ADDR", ""), os.environ.get("MASTER_PORT", "")
        if self.size > 1 and not (master and port):
            raise Fatal(f"WORLD_SIZE={self.size} needs MASTER_ADDR and MASTER_PORT in the environment.")
        # Gloo would look for an interface by the host's name, which need not resolve on a lone machine.
        lone = self.size == 1 or master in ("localhost", "::1") or master.startswith("127.")
        if lone and os.path.exists("/sys/class/net/lo"):
            os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
        try:
            store = {"store": dist.HashStore()} if self.size == 1 else {"init_method": "env://"}
            dist.init_process_group(backend, rank=self.rank, world_size=self.size,
                                    timeout=datetime.timedelta(seconds=timeout), **store)
        except (RuntimeError, ValueError, OSError) as err:  # it raises TimeoutError too
            raise Fatal(f"rank {self.rank} could not meet the other {self.size - 1} at {master}:{port} "
                        f"within {timeout:g} s: {first_line(err)}") from err

    def agree(self, work):
        """Runs work() here; raises on every rank when it failed on any, so that none waits for a dead one."""
        result, failure = None, ""
        try:
            result = work()
        except (Fatal, OSError, MemoryError) as err:
            failure = str(err) or type(err).__name__
        failures = self.gather(failure)
        if any(failures):
            raise Fatal(failure or next(f"rank {r} failed: {text}" for r, text in enumerate(failures) if text))
        return result

    def gather(self, text):
        """Every rank's text, each cut to 1 KiB. The object collectives of torch.distributed would need NumPy."""
        raw = text.encode(errors="replace")[:1024].ljust(1024, b"\0")
        mine = torch.tensor(list(raw), dtype=torch.uint8, device=self.device)
        every = [torch.empty_like(mine) for _ in range(self.size)]
        dist.all_gather(every, mine)
        return [bytes(one.tolist()).rstrip(b"\0").decode(errors="replace") for one in every]

    def from_first(self, raw):
        """The bytes that rank 0 gives."""
        size = torch.tensor([len(raw)], device=self.device)
        dist.broadcast(size, 0)
        if not size.item():
            return b""
        given = torch.frombuffer(bytearray(raw or size.item()), dtype=torch.uint8).to(self.device)
        dist.broadcast(given, 0)
        return bytes_of(given)


def text_of(path, limit):
    """The first `limit` bytes of a regular UTF-8 file, or nothing for any other."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        return b""
    with open(path, "rb") as f:
        raw = f.read(limit)
    try:
        codecs.getincrementaldecoder("utf-8")().decode(raw)  # not final: the limit may cut a character
    except UnicodeDecodeError:
        return b""
    return b"" if b"\0" in raw else raw


def files_below(folder, suffix, passed):
    for here, folders, names in os.walk(folder):
        folders[:] = sorted(d for d in folders if not d.startswith(".") and d not in passed)
        for name in sorted(names):
            if name.endswith(suffix) and not name.startswith("."):
                yield os.path.join(here, name)


def read_corpus(data, limit):
    """All the text as one bytearray, in an order that depends on names alone, and the number of files."""
    path = data or sysconfig.get_path("stdlib")
    try:
        if os.path.isdir(path):
            os.listdir(path)  # os.walk would pass over an unreadable one in silence
            files = files_below(path, "", ()) if data else files_below(path, ".py", ("site-packages", "dist-packages"))
        else:
            text_of(path, 1)
            files = [path]
    except OSError as err:
        raise Fatal(f"--data {path} cannot be read: {err.strerror}. Name a text file or a folder of text files that "
                    "this rank can read.") from err
    corpus, count = bytearray(), 0
    for name in files:
        if len(corpus) >= limit:
            break
        try:
            raw = text_of(name, limit - len(corpus))
        except OSError:
            continue
        corpus += raw
        count += bool(raw)
    return corpus, count


def batch_at(data, args, step, rank):
    """The batch depends on nothing but (seed, step, rank), so that a resumed run sees what it would have seen."""
    digest = hashlib.sha256(f"{args.seed} {step} {rank}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))
    starts = torch.randint(len(data) - args.context, (args.batch, 1), generator=generator)
    return data[starts + torch.arange(args.context + 1)].long()


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x, future):
        b, t, c = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(b, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        scores = (q @ k.transpose(-2, -1)) * (c // self.heads) ** -0.5
        mixed = (scores + future).softmax(-1) @ v
        x = x + self.out(mixed.transpose(1, 2).reshape(b, t, c))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class Model(nn.Module):
    def __init__(self, args):
        super().__init__()
        self.token, self.place = nn.Embedding(VOCABULARY, args.width), nn.Embedding(args.context, args.width)
        self.blocks = nn.ModuleList(Block(args.width, args.heads) for _ in range(args.layers))
        self.norm = nn.LayerNorm(args.width)
        self.head = nn.Linear(args.width, VOCABULARY, bias=False)
        # Added to the scores; not bool, which gloo cannot broadcast.
        self.register_buffer("future", torch.full((args.context, args.context), -math.inf).triu(1), persistent=False)
        # Small weights: the first guess is close to uniform, so the first loss is close to ln 256.
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                deep = name.endswith(("out.weight", "down.weight"))
                nn.init.normal_(weight, std=0.02 / math.sqrt(2 * args.layers) if deep else 0.02)
            elif name.endswith("bias"):
                nn.init.zeros_(weight)

    def forward(self, sequence):
        x, target = sequence[:, :-1], sequence[:, 1:]
        h = self.token(x) + self.place.weight
        for block in self.blocks:
            h = block(h, self.future)
        return F.cross_entropy(self.head(self.norm(h)).flatten(0, 1), target.flatten())


def digest_of(model):
    """SHA-256 over names, types, shapes and bytes of the state dictionary."""
    digest = hashlib.sha256()
    for name, t in sorted(model.state_dict().items()):
        digest.update(f"{name} {t.dtype} {tuple(t.shape)}\n".encode() + bytes_of(t))
    return digest.hexdigest()


def unpack(raw):
    state = torch.load(io.BytesIO(raw), map_location="cpu", weights_only=True)
    return {**state, **json.loads(state["about"])}


class Checkpoints:
    """The folder of checkpoints, which rank 0 alone touches."""

    def __init__(self, folder, args, data_digest):
        self.folder, self.shape = folder, {key: getattr(args, key) for key in SHAPE}
        self.course = {"data": data_digest, **{key: getattr(args, key) for key in COURSE}}

    def steps(self):
        found = (re.fullmatch(r"step-([0-9]{1,12})\.pt", name) for name in os.listdir(self.folder))
        return sorted((int(m[1]) for m in found if m), reverse=True)

    def path(self, step):
        return os.path.join(self.folder, f"step-{step}.pt")

    def newest(self):
        """The bytes of the newest whole checkpoint, or none; raises when it has another shape."""
        try:
            os.makedirs(self.folder, exist_ok=True)
            for name in os.listdir(self.folder):
                if re.fullmatch(r"\.(step-[0-9]+\.pt|latest)\.tmp", name):  # an earlier start died while it wrote
                    os.unlink(os.path.join(self.folder, name))
        except OSError as err:
            raise Fatal(f"--checkpoint-dir {self.folder} cannot be used: {err.strerror}.") from err
        for step in self.steps():
            try:
                with open(self.path(step), "rb") as f:
                    raw = f.read()
                with zipfile.ZipFile(io.BytesIO(raw)) as archive:  # torch.load checks no checksum
                    torn = archive.testzip()
                damage = torn and f"{torn} has a wrong checksum"
            except Exception as err:  # zipfile raises many kinds on many kinds of damage
                damage = first_line(err)
            if not damage:
                self.compare(step, raw)
                return raw
            say(f"warning: checkpoint {self.path(step)} is damaged and skipped: {damage}")
        return b""

    def compare(self, step, raw):
        try:
            state = unpack(raw)
            shape, course = state["shape"], state["course"]
        except (RuntimeError, pickle.UnpicklingError, ValueError, KeyError, TypeError) as err:
            raise Fatal(f"checkpoint {self.path(step)} is whole, but not one of this program: {first_line(err)}. "
                        "Move it away, or name another --checkpoint-dir.") from err

        def differing(old, new):
            return [f"{key} {old.get(key)} (now {new[key]})" for key in new if old.get(key) != new[key]]

        if differing(shape, self.shape):
            raise Fatal(f"checkpoint {self.path(step)} holds a model of another shape: "
                        f"{', '.join(differing(shape, self.shape))}. Resume with the arguments it was made "
                        "with, or name another --checkpoint-dir.")
        if differing(course, self.course):
            say(f"warning: checkpoint {self.path(step)} was made with {', '.join(differing(course, self.course))}")

    def write(self, name, content):
        """Whole or not at all, also after a power cut: temporary file, fsync, rename, fsync of the folder."""
        temporary = os.path.join(self.folder, f".{name}.tmp")
        try:
            with open(temporary, "wb") as f:
                f.write(content)
                f.flush()
                os.fsync(f.fileno())
            os.replace(temporary, os.path.join(self.folder, name))
            folder = os.open(self.folder, os.O_RDONLY)
            os.fsync(folder)
            os.close(folder)
        except OSError as err:
            if os.path.exists(temporary):
                os.unlink(temporary)
            raise Fatal(f"{os.path.join(self.folder, name)} cannot be written: {err.strerror}.") from err

    def save(self, step, loss, model, optimizer):
        # Numbers travel as JSON: the safe reader of PyTorch 1.13 knows no floats. The optimiser's settings come from
        # the arguments, so its state is tensors only.
        about = json.dumps({"step": step, "loss": loss, "shape": self.shape, "course": self.course})
        whole = io.BytesIO()
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()["state"], "about": about}, whole)
        self.write(f"step-{step}.pt", whole.getbuffer())
        self.write("latest", f"step-{step}.pt\n".encode())
        for old in [s for s in self.steps() if s <= step][KEPT:]:
            os.unlink(self.path(old))


def rate_at(step, args):
    """Linear warm-up over the first tenth, then half a cosine down to a tenth of the peak."""
    warm = min(1.0, step / max(1, args.steps // 10))
    return args.lr * warm * (0.55 + 0.45 * math.cos(math.pi * (step - 1) / args.steps))


class Trainer:
    def __init__(self, args, world):
        self.args, self.world, self.per_step = args, world, args.batch * args.context * world.size
        corpus, files = world.agree(self.corpus)
        torch.manual_seed(args.seed)
        model = Model(args).to(world.device)
        self.data = torch.frombuffer(corpus, dtype=torch.uint8)
        say(f"rank {world.rank}/{world.size} pid {os.getpid()} host {socket.gethostname()} device {world.device} "
            f"params {sum(p.numel() for p in model.parameters())} data {files} files {len(corpus)} bytes")
        ours = args.checkpoint_dir and world.rank == 0
        self.checkpoints = Checkpoints(args.checkpoint_dir, args, hashlib.sha256(corpus).hexdigest()) if ours else None
        raw = world.from_first(world.agree(lambda: self.checkpoints.newest() if ours else b""))
        state = unpack(raw) if raw else None
        self.start, self.loss, self.tokens = 0, math.nan, 0
        if state:
            self.start, self.loss = state["step"], state["loss"]
            model.load_state_dict(state["model"])
        self.model = DistributedDataParallel(model)
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr, betas=(0.9, 0.95), weight_decay=0.1)
        if state:
            groups = self.optimizer.state_dict()["param_groups"]
            self.optimizer.load_state_dict({"state": state["optimizer"], "param_groups": groups})
            if world.rank == 0:
                say(f"resumed from step {self.start}")

    def corpus(self):
        corpus, files = read_corpus(self.args.data, self.args.max_bytes)
        if len(corpus) <= self.args.context:
            raise Fatal(f"--data {self.args.data or 'of the Python library'} holds {len(corpus)} bytes of UTF-8 text, "
                        f"less than one sequence (--context {self.args.context}).")
        return corpus, files

    def step(self, step):
        for group in self.optimizer.param_groups:
            group["lr"] = rate_at(step, self.args)
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.model(batch_at(self.data, self.args, step, self.world.rank).to(self.world.device))
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.tokens += self.per_step
        return loss.detach()

    def mean_over_ranks(self, loss, step):
        dist.all_reduce(loss)
        mean = loss.item() / self.world.size
        if not math.isfinite(mean):
            raise Fatal(f"the loss is {mean} at step {step}. Resume from a checkpoint before it with a lower --lr.")
        return mean

    def run(self):
        args, first = self.args, self.world.rank == 0
        last = min(args.steps, args.stop_after or args.steps)
        mark, marked = time.monotonic(), self.start
        for step in range(self.start + 1, last + 1):
            loss = self.step(step)
            log = step % args.log_every == 0 or step in (self.start + 1, last)
            save = args.checkpoint_dir and (step % args.checkpoint_every == 0 or step == last)
            if log or save:
                self.loss = self.mean_over_ranks(loss, step)
            if log and first:
                each = (time.monotonic() - mark) / (step - marked)
                say(f"step {step}/{args.steps} loss {self.loss:.4f} tokens/s {self.per_step / each:.0f} "
                    f"lr {rate_at(step, args):.6f} step_time {each:.4f}")
            if save and first:
                self.checkpoints.save(step, self.loss, self.model.module, self.optimizer)
                say(f"checkpoint {self.checkpoints.path(step)}")
            if log:
                mark, marked = time.monotonic(), step
            if step == args.crash_after and self.start == 0 and self.world.rank == self.world.size - 1:
                say(f"rank {self.world.rank} kills itself after step {step}, as --crash-after asks")
                os.kill(os.getpid(), signal.SIGKILL)
        return max(self.start, last)

    def finish(self):
        """Prints the digest of the weights, which must be the same on every rank."""
        digest = digest_of(self.model.module)
        say(f"weights rank {self.world.rank} sha256 {digest}")
        digests = self.world.gather(digest)
        if len(set(digests)) > 1:
            raise Fatal("the ranks ended with different weights: " + " ".join(d[:12] for d in digests))


def leave_on_signals():
    """A rank may sit in a collective for minutes, where Python runs no handler; a waiting thread ends it at once."""
    ends = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)

    def wait():
        number = signal.sigwait(ends)
        os.write(2, f"train: ended by {signal.Signals(number).name}\n".encode())
        os._exit(128 + number)

    threading.Thread(target=wait, daemon=True).start()


def train(args):
    begun = time.monotonic()
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1)
    world = World(args.device)
    world.join(args.timeout)
    trainer = Trainer(args, world)
    try:
        steps = trainer.run()
        trainer.finish()
    except RuntimeError as err:
        raise Fatal(f"rank {world.rank} stopped: {first_line(err)}. When this speaks of a connection or a timeout, "
                    "another rank has ended: its own last lines tell why.") from err
    if world.rank == 0:
        say(f"done steps {steps} loss {trainer.loss:.4f} tokens {trainer.tokens} "
            f"seconds {time.monotonic() - begun:.1f}")
    if world.device.type == "cuda":
        dist.destroy_process_group()
    # Past all destructors: that of PyTorch 1.13's gloo group may join a thread which waits for the interpreter.
    os._exit(0)


def main(argv):
    args = arguments(argv)
    leave_on_signals()
    try:
        train(args)
    except (Fatal, OSError, RuntimeError, MemoryError) as err:
        time.sleep(0.2)  # a signal to all ranks shall be answered by its thread, not by a broken connection
        os.write(2, f"train: {str(err) or type(err).__name__}\n".encode(errors="replace"))
        os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
