"""test_cpu_ddp_train.py - templates/cpu_ddp/train.py with two real ranks on this machine."""

import math
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

try:
    import torch
except ImportError as absent:
    torch, REASON = None, f"needs PyTorch in {sys.executable}: {absent}"
else:
    REASON = ""

TRAIN = os.path.join(os.path.dirname(__file__), "..", "..", "templates", "cpu_ddp", "train.py")
SMALL = ["--width", "32", "--layers", "1", "--context", "32", "--batch", "8", "--steps", "24", "--lr", "0.01"]
RANKS = 2
LIMIT = 50  # seconds for one run, far above what it takes


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start(*args):
    """Both ranks, running; their standard output and error are pipes."""
    env = {**os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": str(RANKS)}
    env.pop("GLOO_SOCKET_IFNAME", None)
    return [subprocess.Popen([sys.executable, TRAIN, *SMALL, *args], text=True, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, env={**env, "RANK": str(r), "LOCAL_RANK": str(r)})
            for r in range(RANKS)]


class Run:
    """Both ranks, ended: exit statuses, texts, and what the log grammar yields."""

    def __init__(self, *args):
        ranks = start(*args)
        try:
            texts = [p.communicate(timeout=LIMIT) for p in ranks]
        finally:
            for p in ranks:
                p.kill()
        self.status = [p.returncode for p in ranks]
        self.out, self.err = [t[0] for t in texts], [t[1] for t in texts]
        lines = re.findall(r"^step ([0-9]+)/24 loss ([0-9.]+) tokens/s ([0-9]+) lr ([0-9.]+) step_time ([0-9.]+)$",
                           self.out[0], re.M)
        self.loss = {int(step): float(loss) for step, loss, *_ in lines}
        self.weights = [re.findall(r"^weights rank [01] sha256 ([0-9a-f]{64})$", text, re.M) for text in self.out]


@unittest.skipIf(torch is None, REASON)
class Train(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.whole = Run()  # the uninterrupted run others are compared with

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="cpu-ddp-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def damage(self, step):
        path = os.path.join(self.folder, f"step-{step}.pt")
        with open(path, "r+b") as f:
            f.seek(os.path.getsize(path) // 2)
            middle = f.read(64)
            f.seek(-64, os.SEEK_CUR)
            f.write(bytes(b ^ 0xff for b in middle))

    def test_a_run_learns_and_ends_with_the_same_weights_on_every_rank(self):
        run = self.whole
        self.assertEqual(run.status, [0, 0], run.err)
        self.assertEqual(sorted(run.loss), list(range(1, 25)))
        self.assertLess(abs(run.loss[1] / math.log(256) - 1), 0.05)
        self.assertLess(run.loss[24], 0.8 * run.loss[1])
        for rank, text in enumerate(run.out):
            self.assertRegex(text, rf"(?m)^rank {rank}/2 pid [0-9]+ host \S+ device cpu params [0-9]+ "
                                   r"data [0-9]+ files [0-9]+ bytes$")
        self.assertEqual(len(run.weights[0]), 1)
        self.assertEqual(run.weights[0], run.weights[1])
        self.assertRegex(run.out[0], rf"\ndone steps 24 loss {run.loss[24]:.4f} tokens 12288 seconds [0-9.]+\n\Z")

    def test_a_killed_run_resumes_at_the_next_step_and_ends_with_the_same_loss(self):
        keep = ["--checkpoint-dir", self.folder, "--checkpoint-every", "5"]
        killed = Run(*keep, "--crash-after", "18")
        self.assertEqual(killed.status, [1, -signal.SIGKILL], killed.err)
        self.assertRegex(killed.err[0], r"(?m)^train: rank 0 stopped: .*another rank has ended")
        self.assertEqual(sorted(os.listdir(self.folder)), ["latest", "step-10.pt", "step-15.pt"])
        with open(os.path.join(self.folder, "latest"), encoding="ascii") as f:
            self.assertEqual(f.read(), "step-15.pt\n")
        resumed = Run(*keep, "--crash-after", "18")
        self.assertEqual(resumed.status, [0, 0], resumed.err)
        self.assertIn("\nresumed from step 15\n", resumed.out[0])
        self.assertNotIn("warning", resumed.out[0])
        self.assertEqual(sorted(resumed.loss), list(range(16, 25)))
        for step, loss in {**killed.loss, **resumed.loss}.items():
            self.assertAlmostEqual(loss, self.whole.loss[step], places=3)

    def test_a_damaged_checkpoint_is_skipped_for_the_one_before_it(self):
        keep = ["--checkpoint-dir", self.folder, "--checkpoint-every", "6"]
        self.assertEqual(Run(*keep, "--stop-after", "18").status, [0, 0])
        self.damage(18)
        run = Run(*keep)
        self.assertEqual(run.status, [0, 0], run.err)
        self.assertRegex(run.out[0], r"\nwarning: checkpoint \S+/step-18\.pt is damaged and skipped: ")
        self.assertIn("\nresumed from step 12\n", run.out[0])
        self.assertAlmostEqual(run.loss[24], self.whole.loss[24], places=3)
        with open(os.path.join(self.folder, "step-24.pt"), "r+b") as f:
            f.truncate(5000)
        open(os.path.join(self.folder, ".step-30.pt.tmp"), "wb").close()
        again = Run(*keep)
        self.assertRegex(again.out[0], r"\nwarning: checkpoint \S+/step-24\.pt is damaged and skipped: ")
        self.assertIn("\nresumed from step 18\n", again.out[0])
        self.assertNotIn(".step-30.pt.tmp", os.listdir(self.folder))

    def test_a_checkpoint_of_another_shape_is_refused_by_every_rank(self):
        keep = ["--checkpoint-dir", self.folder]
        self.assertEqual(Run(*keep, "--stop-after", "1").status, [0, 0])
        run = Run(*keep, "--width", "16")
        self.assertEqual(run.status, [1, 1])
        for text in run.err:
            self.assertIn("width 32 (now 16)", text)
        self.assertEqual(sorted(os.listdir(self.folder)), ["latest", "step-1.pt"])

    def test_a_folder_is_read_for_its_text_files_alone(self):
        text = "the quick brown fox\n".encode() * 100
        os.makedirs(os.path.join(self.folder, "sub"))
        for name, content in {"a.txt": text, "sub/b.txt": text, "c.bin": b"\0\1\2" * 500, "d.latin1": b"\xe9t\xe9" * 99,
                              ".hidden": text}.items():
            with open(os.path.join(self.folder, name), "wb") as f:
                f.write(content)
        os.mkfifo(os.path.join(self.folder, "fifo"))
        os.symlink("/nowhere", os.path.join(self.folder, "dangling"))
        run = Run("--data", self.folder, "--stop-after", "1", "--max-bytes", "3000")
        self.assertEqual(run.status, [0, 0], run.err)
        for text in run.out:
            self.assertIn(" data 2 files 3000 bytes\n", text)

    def test_unreadable_data_ends_every_rank_at_once_with_its_path(self):
        begun = time.monotonic()
        run = Run("--data", os.path.join(self.folder, "absent"))
        self.assertEqual(run.status, [1, 1])
        for text in run.err:
            self.assertRegex(text, r"(?m)^train: --data \S+/absent cannot be read: No such file or directory\. [^\n]+\n\Z")
        self.assertLess(time.monotonic() - begun, 20)

    def test_sigterm_ends_a_run_with_status_143(self):
        ranks = start("--steps", "100000")
        try:
            for line in ranks[0].stdout:
                if line.startswith("step 2/"):
                    break
            for p in ranks:
                p.terminate()
            self.assertEqual([p.wait(timeout=LIMIT) for p in ranks], [143, 143])
        finally:
            for p in ranks:
                p.kill()
                p.communicate()

    def test_a_usage_error_has_status_2(self):
        for args in (["--steps", "0"], ["--heads", "5"], ["--lr", "nan"], ["--stesp", "3"]):
            p = subprocess.run([sys.executable, TRAIN, *args], capture_output=True, timeout=LIMIT, check=False)
            self.assertEqual((p.returncode, p.stdout), (2, b""))


if __name__ == "__main__":
    unittest.main()
