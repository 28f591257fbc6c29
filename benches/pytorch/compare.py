"""Trains the same models for the same steps in Ballast, PyTorch eager and torch.compile, in one run.

    compare.py --steps PATH [--out results.json] [--only TEXT] [--seconds 0.3] [--rounds 9]

PATH is the example `steps` of crate train. Blocks of steps alternate between three processes of one
thread each, so that whatever else the machine does hits all alike. Before anything is timed, losses of
three steps and all gradients of the first are compared; a mismatch ends the run. See docs/measurements.md.
"""

import argparse
import datetime
import json
import math
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
SEED = 20
TOLERANCE = 1e-4
PHASES = ("data", "noise", "passes", "optimizer")
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
path = "walk.csv"
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
ema_decay = 0.0
"""

# Steps that users take: the default config and the benchmark's own, on ETTh1, with and without noise. Keys that PyTorch has to
# know are written out.
SHIPPED = """\
[data]
path = "{data}"
time = "date"
targets = ["HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT"]
calendar = {calendar}
context = 24
horizon = 24
split = {split}

[noise]
schedule = "{schedule}"

[model]
kind = "conditional"
latent = 1
hidden = 128
dropout = 0.2
instance_norm = true

[objective]
likelihood = "{likelihood}"
kl_weight = {{ schedule = "linear", steps = 500 }}
crps_weight = 5.0
crps_samples = 4

[train]
ridge_start = true
choose_instance_norm = false
batch_size = 64
learning_rate = 1e-3
learning_rate_schedule = "cosine"
weight_decay = {weight_decay}
ema_decay = {ema_decay}
"""
DEFAULT = {
    "calendar": '["hour", "weekday"]',
    "split": "{ train = 0.7, validation = 0.1, test = 0.2 }",
    "schedule": "none",
    "likelihood": "laplace",
    "weight_decay": 1.0,
    "ema_decay": 0.995,
}
BENCHMARK = DEFAULT | {"calendar": "[]", "split": '{ protocol = "ett" }', "weight_decay": 0.0, "ema_decay": 0.0}
SHIPPED_CASES = {
    "default": DEFAULT,
    "benchmark": BENCHMARK,
    "default, Gaussian, noise": DEFAULT | {"likelihood": "gaussian", "schedule": "linear"},
}


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


def walk(path, channels, rows=4000):
    """Random walks as a file of hourly rows."""
    generator = random.Random(SEED)
    values = [0.0] * channels
    names = "abcdefghijklmnopqrstuvwxyz"[:channels]
    start = datetime.datetime(2020, 1, 1)
    with open(path, "w") as file:
        file.write("time," + ",".join(names) + "\n")
        for row in range(rows):
            values = [value + generator.gauss(0.0, 0.1) for value in values]
            time = start + datetime.timedelta(hours=row)
            file.write(f"{time:%Y-%m-%d %H:%M:%S}," + ",".join(f"{value:.6f}" for value in values) + "\n")


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


def agreeing(case, party, ours, theirs):
    """As `compared`, of means over passes with other random numbers, in units of their errors."""
    if not all(map(math.isfinite, ours["losses"] + theirs["losses"])):
        sys.exit(f"error: {case}: a loss of {party} or of ours is not finite")
    error = math.hypot(*(statistics.stdev(of["losses"]) / len(of["losses"]) ** 0.5 for of in (ours, theirs)))
    gap = abs(statistics.mean(ours["losses"]) - statistics.mean(theirs["losses"])) / error
    worst = max(theirs["gradients"], key=theirs["gradients"].get)
    gradient = theirs["gradients"][worst]
    # The difference of two sums is about as large as the difference of their halves; a tensor whose gradient has
    # one direction scatters like Student's t with two degrees of freedom.
    if not (gap < 4.0 and gradient < 10.0):
        means = {"ours": statistics.mean(ours["losses"]), "theirs": statistics.mean(theirs["losses"]), "error": error}
        details = json.dumps(means | theirs["gradients"], indent=1)
        sys.exit(f"error: {case}: {party} is not the same model ({gap:.1f} errors, {worst}: {gradient:.1f})\n{details}")
    return {"losses_in_errors": gap, "gradients_in_errors": gradient}


def run(name, config_text, shipped, arguments, folder):
    config = folder / "config.toml"
    config.write_text(config_text)
    workers = {"ours": Worker([arguments.steps, config, folder])}
    command, count = ("mean", 400) if shipped else ("check", 3)
    ours = workers["ours"].ask(command, count)
    agreement = {}
    for party in PARTIES[1:]:
        program = [sys.executable, HERE / "twin.py", config, folder, str(SEED), party]
        workers[party] = Worker([*program, "shipped" if shipped else "plain"])
        theirs = workers[party].ask(command, count)
        agreement[party] = (agreeing if shipped else compared)(name, party, ours, theirs)
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
        "case": name,
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
    cells = [result["case"]]
    cells += [f"{parties[party]['cpu_least']:.2f}" for party in PARTIES]
    for of in ("cpu_least", "cpu_median"):
        cells += [f"{parties[party][of] / ours[of]:.2f}" for party in PARTIES[1:]]
    phases = ours["phases_least"]
    rest = sum(phases[of] for of in ("data", "noise", "optimizer"))
    cells.append(f"{100 * rest / sum(phases.values()):.1f} %")
    cells.append(" / ".join(f"{parties[party]['peak_mb']:.0f}" for party in PARTIES))
    return "| " + " | ".join(cells) + " |"


HEAD = """\
| case | ours | eager | compiled | eager/ours | compiled/ours | by medians | | data, noise, optimizer | peak MB |
|---|---|---|---|---|---|---|---|---|---|"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--steps", required=True, help="the example `steps` of crate train")
    parser.add_argument("--out", help="write everything measured as JSON")
    parser.add_argument("--only", default="", help="only cases whose name contains this")
    parser.add_argument("--seconds", type=float, default=0.3, help="length of a block")
    parser.add_argument("--rounds", type=int, default=9, help="blocks of each party")
    parser.add_argument("--etth1", help="ETTh1.csv; without it, what users run is not measured")
    arguments = parser.parse_args()
    cases = []
    if arguments.etth1:
        data = os.path.abspath(arguments.etth1)
        cases += [(name, SHIPPED.format(data=data, **keys), True) for name, keys in SHIPPED_CASES.items()]
    else:
        print("not measured: what users run, which needs --etth1 PATH", file=sys.stderr)
    for context in (24, 96):
        for kind, backbone in CASES:
            text = CONFIG.format(kind=kind, backbone=backbone, context=context)
            cases.append((f"`{kind}` {backbone} {context}", text, False))
    results = []
    print(HEAD, flush=True)
    for name, text, shipped in cases:
        if arguments.only not in name.replace("`", ""):
            continue
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            walk(folder / "walk.csv", 7)
            results.append(run(name, text, shipped, arguments, folder))
        print(row(results[-1]), flush=True)
    if arguments.out:
        pathlib.Path(arguments.out).write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
