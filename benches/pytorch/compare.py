"""Trains the same models for the same steps in Ballast, PyTorch eager and torch.compile, in one run.

    compare.py --steps PATH [--out results.json] [--only TEXT] [--seconds 0.3] [--rounds 9]

PATH is the example `steps` of crate train. Blocks of steps alternate between three processes of one
thread each, so that whatever else the machine does hits all alike. Before anything is timed, losses of
three steps and all gradients of the first are compared; a mismatch ends the run. See docs/measurements.md.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
SEED = 20
TOLERANCE = 1e-4
PHASES = ("data", "passes", "optimizer")
PARTIES = ("ours", "eager", "compiled")
CASES = [
    ("conditional", "mlp"),
    ("autoencode", "mlp"),
    ("predict", "mlp"),
    ("hierarchical", "mlp"),
    ("conditional", "linear"),
    ("conditional", "gru"),
    ("conditional", "conv"),
    ("conditional", "patch"),
]

CONFIG = """\
[data]
path = "none.csv"
time = "time"
targets = ["a", "b", "c", "d", "e", "f", "g"]
context = {context}
horizon = 24
split = {{ train = 0.7, validation = 0.1, test = 0.2 }}

[noise]
schedule = "linear"

# The sizes of the model, written out for PyTorch.
[model]
kind = "{kind}"
backbone = "{backbone}"
latent = 8
hidden = 128
layers = 1
decoder_layers = 1
groups = 2
dropout = 0.0
channels = "independent"
channel_embedding = 8
patch = 16
heads = 4
kernel = 3
instance_norm = true
instance_floor = 0.1

[objective]
likelihood = "gaussian"
kl_weight = 1.0
crps_weight = 0.0

[train]
ridge_start = false
batch_size = 64
learning_rate = 1e-3
weight_decay = 0.01
clip_norm = 1.0
"""


class Worker:
    """A process that answers a line with a line of JSON."""

    def __init__(self, command):
        environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen(command, env=environment, **pipes)

    def ask(self, command, count):
        self.process.stdin.write(f"{command} {count}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"error: {self.process.args[0]} ended while it was asked for `{command} {count}`")
        return json.loads(answer)

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def relative(a, b):
    return abs(a - b) / max(abs(b), 1e-6)


def compared(case, party, ours, theirs):
    """Largest relative differences of losses and gradients; ends the run if they are not the same model."""
    losses = max(relative(a, b) for a, b in zip(theirs["losses"], ours["losses"], strict=True))
    worst = max(theirs["gradients"], key=theirs["gradients"].get)
    gradients = theirs["gradients"][worst]
    if not (losses < TOLERANCE and gradients < TOLERANCE):
        details = json.dumps({"ours": ours["losses"], "theirs": theirs}, indent=1)
        sys.exit(f"error: {case}: {party} is not the same model ({losses:.1e}, {worst}: {gradients:.1e})\n{details}")
    return {"losses": losses, "gradients": gradients}


def run(case, arguments, folder):
    kind, backbone, context = case
    config = folder / "config.toml"
    config.write_text(CONFIG.format(kind=kind, backbone=backbone, context=context))
    workers = {"ours": Worker([arguments.steps, config, folder])}
    ours = workers["ours"].ask("check", 3)
    agreement = {}
    for party in PARTIES[1:]:
        command = [sys.executable, HERE / "twin.py", config, folder, str(SEED), party]
        workers[party] = Worker(command)
        agreement[party] = compared(case, party, ours, workers[party].ask("check", 3))
    counts = {}
    for party, worker in workers.items():
        worker.ask("steps", 10)
        step = sum(worker.ask("steps", 5)["cpu"].values())
        counts[party] = max(2, round(arguments.seconds / step))
    blocks = {party: [] for party in PARTIES}
    for _ in range(arguments.rounds):
        for party, worker in workers.items():
            blocks[party].append(worker.ask("steps", counts[party]))
    for worker in workers.values():
        worker.end()
    return {
        "kind": kind,
        "backbone": backbone,
        "context": context,
        "parameters": ours["parameters"],
        "agreement": agreement,
        "parties": {party: summary(of) for party, of in blocks.items()},
        "blocks": blocks,
    }


def summary(blocks):
    """Least and median over blocks, in milliseconds of processor time a step."""
    totals = [sum(block["cpu"].values()) * 1e3 for block in blocks]
    walls = [sum(block["wall"].values()) * 1e3 for block in blocks]
    phases = {of: min(block["cpu"][of] for block in blocks) * 1e3 for of in PHASES}
    return {
        "cpu_least": min(totals),
        "cpu_median": statistics.median(totals),
        "wall_median": statistics.median(walls),
        "phases_least": phases,
        "peak_mb": max(block["peak_bytes"] for block in blocks) / 1e6,
    }


def row(result):
    parties = result["parties"]
    ours = parties["ours"]
    cells = [f"`{result['kind']}` {result['backbone']} {result['context']}"]
    cells += [f"{parties[party]['cpu_least']:.2f}" for party in PARTIES]
    for of in ("cpu_least", "cpu_median"):
        cells += [f"{parties[party][of] / ours[of]:.2f}" for party in PARTIES[1:]]
    phases = ours["phases_least"]
    cells.append(f"{100 * (phases['data'] + phases['optimizer']) / sum(phases.values()):.1f} %")
    cells.append(" / ".join(f"{parties[party]['peak_mb']:.0f}" for party in PARTIES))
    return "| " + " | ".join(cells) + " |"


HEAD = """\
| case | ours | eager | compiled | eager/ours | compiled/ours | by medians | | data + optimizer | peak MB |
|---|---|---|---|---|---|---|---|---|---|"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--steps", required=True, help="the example `steps` of crate train")
    parser.add_argument("--out", help="write everything measured as JSON")
    parser.add_argument("--only", default="", help="only cases whose name contains this")
    parser.add_argument("--seconds", type=float, default=0.3, help="length of a block")
    parser.add_argument("--rounds", type=int, default=9, help="blocks of each party")
    arguments = parser.parse_args()
    cases = [(*case, context) for context in (24, 96) for case in CASES]
    results = []
    print(HEAD, flush=True)
    for case in cases:
        if arguments.only not in " ".join(map(str, case)):
            continue
        with tempfile.TemporaryDirectory() as folder:
            results.append(run(case, arguments, pathlib.Path(folder)))
        print(row(results[-1]), flush=True)
    if arguments.out:
        pathlib.Path(arguments.out).write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
