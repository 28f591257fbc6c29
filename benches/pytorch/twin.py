"""Ballast's models as one would write them in PyTorch, and a worker that trains them step by step.

The same mathematics as crates vae, objective, noise and train: docs/math.md. Windows are channel-first,
[B, C, L], since channels are independent. `worker()` is started by compare.py.
"""

import json
import math
import resource
import sys
import time
import tomllib

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn

BOUND = 7.0


def soft_bound(raw):
    return BOUND * torch.tanh(raw / BOUND)


class Mlp(nn.Module):
    def __init__(self, context, statics, hidden, layers, nonlinear=True):
        super().__init__()
        sizes = [context + statics] + [hidden] * layers
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes, sizes[1:]))
        self.nonlinear = nonlinear
        self.features = hidden

    def forward(self, x, embedding):
        h = torch.cat([x, embedding], -1)
        for layer in self.layers:
            h = layer(h)
            h = F.silu(h) if self.nonlinear else h
        return h

    def names(self):
        yield "encoder.layer0", self.layers[0], ["targets", "channel"]
        for i, layer in enumerate(self.layers[1:], 1):
            yield f"encoder.layer{i}", layer, []


class Gru(nn.Module):
    def __init__(self, statics, hidden, layers):
        super().__init__()
        self.start = nn.Linear(statics, layers * hidden)
        self.gru = nn.GRU(1, hidden, layers, batch_first=True)
        self.layers, self.features = layers, hidden

    def forward(self, x, embedding):
        b, c, length = x.shape
        start = torch.tanh(self.start(embedding)).reshape(b * c, self.layers, -1)
        _, last = self.gru(x.reshape(b * c, length, 1), start.transpose(0, 1).contiguous())
        return last[-1].view(b, c, -1)

    def names(self):
        yield "encoder.start", self.start, []
        yield "encoder", self.gru, None


class Conv(nn.Module):
    def __init__(self, context, statics, hidden, layers, kernel):
        super().__init__()
        self.embed = nn.Linear(1 + statics, hidden)
        self.blocks = nn.ModuleList(
            nn.Conv1d(hidden, hidden, kernel, dilation=min(2**i, context)) for i in range(layers)
        )
        self.features = 2 * hidden

    def forward(self, x, embedding):
        b, c, length = x.shape
        embedding = embedding.unsqueeze(-2).expand(b, c, length, -1)
        h = self.embed(torch.cat([x.unsqueeze(-1), embedding], -1))
        h = h.flatten(0, 1).transpose(1, 2)
        for block in self.blocks:
            padding = (block.kernel_size[0] - 1) * block.dilation[0]
            h = h + F.silu(block(F.pad(h, (padding, 0))))
        return torch.cat([h[..., -1], h.mean(-1)], -1).view(b, c, -1)

    def names(self):
        yield "encoder.embed", self.embed, ["targets", "channel"]
        for i, block in enumerate(self.blocks):
            yield f"encoder.block{i}", block, []


class Block(nn.Module):
    def __init__(self, hidden, heads):
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(hidden)
        self.query_key_value = nn.Linear(hidden, 3 * hidden)
        self.attention_out = nn.Linear(hidden, hidden)
        self.mlp_norm = nn.LayerNorm(hidden)
        self.mlp_in = nn.Linear(hidden, 2 * hidden)
        self.mlp_out = nn.Linear(2 * hidden, hidden)

    def forward(self, u):
        n, patches, hidden = u.shape
        split = self.query_key_value(self.attention_norm(u))
        q, k, v = split.view(n, patches, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(q, k, v).transpose(1, 2)
        u = u + self.attention_out(attended.reshape(n, patches, hidden))
        return u + self.mlp_out(F.silu(self.mlp_in(self.mlp_norm(u))))


class Patch(nn.Module):
    def __init__(self, context, statics, hidden, layers, patch, heads):
        super().__init__()
        count = -(-context // patch)
        self.patch, self.fill, self.features = patch, count * patch - context, hidden
        self.embed = nn.Linear(patch + statics, hidden)
        self.position = nn.Parameter(torch.empty(count, hidden))
        self.blocks = nn.ModuleList(Block(hidden, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(hidden)
        self.out = nn.Linear(count * hidden, hidden)

    def forward(self, x, embedding):
        b, c, _ = x.shape
        x = torch.cat([x[..., :1].expand(b, c, self.fill), x], -1) if self.fill else x
        patches = x.view(b, c, -1, self.patch)
        embedding = embedding.unsqueeze(-2).expand(b, c, patches.shape[2], -1)
        u = self.embed(torch.cat([patches, embedding], -1)) + self.position
        u = u.flatten(0, 1)
        for block in self.blocks:
            u = block(u)
        return F.silu(self.out(self.norm(u).view(b, c, -1)))

    def names(self):
        yield "encoder.embed", self.embed, ["targets", "channel"]
        yield "encoder", self, None
        for i, block in enumerate(self.blocks):
            for name, module in block.named_children():
                yield f"encoder.block{i}.{name}", module, []
        yield "encoder.norm", self.norm, []
        yield "encoder.out", self.out, []


class Model(nn.Module):
    def __init__(self, config, context, horizon, channels):
        super().__init__()
        self.kind, backbone = config["kind"], config["backbone"]
        hidden, latent, layers = config["hidden"], config["latent"], config["layers"]
        statics = config["channel_embedding"]
        self.nonlinear = backbone != "linear"
        self.embedding = nn.Parameter(torch.empty(channels, statics))
        if backbone in ("linear", "mlp"):
            layers = layers if self.nonlinear else 1
            self.encoder = Mlp(context, statics, hidden, layers, self.nonlinear)
        elif backbone == "gru":
            self.encoder = Gru(statics, hidden, layers)
        elif backbone == "conv":
            self.encoder = Conv(context, statics, hidden, layers, config["kernel"])
        else:
            sizes = config["patch"], config["heads"]
            self.encoder = Patch(context, statics, hidden, layers, *sizes)
        features = self.encoder.features
        self.ladder = self.kind in ("conditional", "hierarchical")
        self.groups = config["groups"] if self.kind == "hierarchical" else 1
        if self.ladder:
            self.evidence = nn.Linear(horizon + features, hidden)
            self.prior = nn.ModuleList(nn.Linear(features, 2 * latent) for _ in range(self.groups))
            self.posterior = nn.ModuleList(
                nn.Linear(hidden + (features if i else 0), 2 * latent) for i in range(self.groups)
            )
            self.update = nn.ModuleList(
                nn.Linear(latent + features, features) for _ in range(self.groups - 1)
            )
            inputs = self.groups * latent + features
        else:
            self.posterior = nn.Linear(features, 2 * latent)
            inputs = latent + statics
        out = context if self.kind == "autoencode" else horizon
        layers = config["decoder_layers"] if self.nonlinear else 0
        sizes = [inputs] + [hidden] * layers
        self.decoder = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes, sizes[1:]))
        self.head = nn.Linear(sizes[-1], 2 * out)
        self.skip = None if self.kind == "autoencode" else nn.Linear(context, horizon)

    def act(self, x):
        return F.silu(x) if self.nonlinear else x

    def forward(self, x, y, noise):
        """x [B, C, L], y [B, C, H], noise: one [B, C, Z] per group."""
        b, c, _ = x.shape
        embedding = self.embedding.expand(b, c, -1)
        h = self.encoder(x, embedding)
        if self.ladder:
            z, kl = self.descend(h, y, noise)
            u = torch.cat([*z, h], -1)
        else:
            mean, raw = self.posterior(h).chunk(2, -1)
            log_std = soft_bound(raw)
            z = mean + log_std.exp() * noise[0]
            kl = 0.5 * (mean.square() + (2 * log_std).exp() - 1) - log_std
            kl = kl.sum((1, 2))
            u = torch.cat([z, embedding], -1)
        for layer in self.decoder:
            u = self.act(layer(u))
        loc, raw = self.head(u).chunk(2, -1)
        if self.skip is not None:
            loc = loc + self.skip(x)
        return loc, soft_bound(raw), kl

    def descend(self, h, y, noise):
        evidence = self.act(self.evidence(torch.cat([y, h], -1)))
        state, draws, kl = h, [], 0.0
        for i in range(self.groups):
            prior_mean, prior_raw = self.prior[i](state).chunk(2, -1)
            seen = torch.cat([evidence, state], -1) if i else evidence
            mean, raw = self.posterior[i](seen).chunk(2, -1)
            if self.kind == "hierarchical":
                mean, raw = prior_mean + mean, prior_raw + raw
            prior_log_std, log_std = soft_bound(prior_raw), soft_bound(raw)
            z = mean + log_std.exp() * noise[i]
            ratio = ((mean - prior_mean) * (-prior_log_std).exp()).square()
            log_ratio = log_std - prior_log_std
            kl = kl + (0.5 * (ratio + (2 * log_ratio).exp() - 1) - log_ratio).sum((1, 2))
            draws.append(z)
            if i + 1 < self.groups:
                state = state + self.act(self.update[i](torch.cat([z, state], -1)))
        return draws, kl

    def names(self):
        """Ours by name: module, and the inputs whose weights lie side by side in it."""
        yield from self.encoder.names()
        if self.ladder:
            yield "evidence", self.evidence, ["target", "features"]
            for i in range(self.groups):
                yield f"prior{i}", self.prior[i], []
                yield f"posterior{i}", self.posterior[i], ["evidence", "state"] if i else []
                if i + 1 < self.groups:
                    yield f"update{i}", self.update[i], ["latent", "state"]
        else:
            yield "posterior", self.posterior, []
        parts = ["latent", "features" if self.ladder else "channel"]
        names = [f"layer{i}" for i in range(len(self.decoder))]
        for i, (name, layer) in enumerate(zip([*names, "head"], [*self.decoder, self.head])):
            yield f"decoder.{name}", layer, [] if i else parts
        if self.skip is not None:
            yield "skip", self.skip, []

    def pairs(self):
        """Our name or names of every parameter, and the parameter."""
        yield ["channel.embedding"], self.embedding
        for name, module, parts in self.names():
            for own, parameter in module.named_parameters(recurse=False):
                if parts and own == "weight":
                    yield [f"{name}.{part}_weight" for part in parts], parameter
                elif isinstance(module, nn.LayerNorm):
                    yield [f"{name}.{ {'weight': 'gain', 'bias': 'offset'}[own] }"], parameter
                else:
                    yield [f"{name}.{own}"], parameter


class Process:
    """Instance scale and diffusion of a batch, and the bound."""

    def __init__(self, config, tensors):
        self.floor = config["model"]["instance_floor"]
        self.table = {
            of: (tensors[f"noise.{of}.signal"], tensors[f"noise.{of}.std"]) for of in ("input", "target")
        }
        self.cumulative = tensors["noise.probabilities"].cumsum(0)
        self.cumulative[-1] = 1.0
        self.latent, self.model = config["model"]["latent"], None

    def draw(self, x, y, groups):
        uniform = torch.rand(x.shape[0], dtype=torch.float64)
        return (
            torch.bucketize(uniform, self.cumulative, right=True),
            torch.randn(x.shape),
            torch.randn(y.shape),
            [torch.randn(*x.shape[:2], self.latent) for _ in range(groups)],
        )

    def loss(self, x, y, t, x_noise, y_noise, z_noise):
        variance, mean = torch.var_mean(x, -1, correction=0, keepdim=True)
        scale = variance.sqrt().clamp_min(self.floor)
        x, y = (x - mean) / scale, (y - mean) / scale
        signal, std = (table[t].view(-1, 1, 1) for table in self.table["input"])
        noised = signal * x + std * x_noise
        signal, std = (table[t].view(-1, 1, 1) for table in self.table["target"])
        y = signal * y + std * y_noise
        loc, log_scale, kl = self.model(noised, y, z_noise)
        if self.model.kind == "autoencode":
            signal, std, y = 1.0, 0.0, x
        variance = (signal * log_scale.exp()).square() + std**2
        residual = (y - signal * loc).square() / variance
        log_prob = -0.5 * (residual + variance.log() + math.log(2 * math.pi))
        return (kl - log_prob.sum((1, 2))).mean()


class Steps:
    """What our example `steps` does, in PyTorch."""

    def __init__(self, config, tensors, compiled):
        data, train = config["data"], config["train"]
        context, horizon = data["context"], data["horizon"]
        self.model = Model(config["model"], context, horizon, len(data["targets"]))
        self.context, self.batch, self.clip = context, train["batch_size"], train["clip_norm"]
        with torch.no_grad():
            for names, parameter in self.model.pairs():
                parameter.copy_(torch.cat([tensors[f"initial.{name}"] for name in names], -1))
        self.process = Process(config, tensors)
        self.process.model = self.model
        self.loss = torch.compile(self.process.loss) if compiled else self.process.loss
        # [N, C, L + H], every window a view of rows that lie channel by channel.
        by_channel = tensors["rows"].t().contiguous()
        self.windows = by_channel.unfold(1, context + horizon, 1).transpose(0, 1)
        self.first_rows = tensors["first_rows"]
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(),
            lr=train["learning_rate"],
            weight_decay=train["weight_decay"],
            fused=True,
        )
        self.order = []

    def batch_at(self, indices):
        window = self.windows.index_select(0, self.first_rows[indices])
        return window[..., : self.context], window[..., self.context :]

    def passes(self, batch, noise):
        loss = self.loss(*batch, *noise)
        loss.backward()
        return loss

    def update(self):
        nn.utils.clip_grad_norm_(self.model.parameters(), self.clip)
        self.optimizer.step()
        self.optimizer.zero_grad()

    def next(self):
        if not self.order:
            order = torch.randperm(len(self.first_rows))
            self.order = list(order[: len(order) // self.batch * self.batch].split(self.batch))
        return self.batch_at(self.order.pop())

    def noise(self, batch):
        return self.process.draw(*batch, self.model.groups)

    def check(self, seed, count, tensors):
        losses, worst = [], {}
        for step in range(count):
            torch.manual_seed(seed + 1 + step)
            indices = torch.randint(len(self.first_rows), (self.batch,))
            batch = self.batch_at(indices)
            losses.append(self.passes(batch, self.noise(batch)).item())
            if step == 0:
                for names, parameter in self.model.pairs():
                    ours = torch.cat([tensors[f"gradient.{name}"] for name in names], -1)
                    gap = (parameter.grad - ours).norm() / ours.norm().clamp_min(1e-6)
                    worst[" ".join(names)] = gap.item()
            self.update()
        return {"losses": losses, "gradients": worst}


def timed(steps, count):
    wall, cpu = [0.0] * 4, [0.0] * 4
    now = lambda: (time.perf_counter(), time.process_time())
    last = now()

    def lap(phase):
        nonlocal last
        here = now()
        wall[phase] += here[0] - last[0]
        cpu[phase] += here[1] - last[1]
        last = here

    for _ in range(count):
        batch = steps.next()
        lap(0)
        noise = steps.noise(batch)
        lap(1)
        steps.passes(batch, noise)
        lap(2)
        steps.update()
        lap(3)
    phases = lambda times: dict(zip(("data", "noise", "passes", "optimizer"), (t / count for t in times)))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"wall": phases(wall), "cpu": phases(cpu), "peak_bytes": peak}


def worker(config, folder, seed, mode, shipped):
    """Answers `check N`, `mean N` and `steps N` on standard input, one line of JSON each."""
    torch.set_num_threads(1)
    torch.set_float32_matmul_precision("highest")
    with open(config, "rb") as file:
        config = tomllib.load(file)
    tensors = load_file(f"{folder}/check.safetensors")
    if shipped:
        from shipped import Training

        steps = Training(config, tensors, compiled=mode == "compiled")
    else:
        steps = Steps(config, tensors, compiled=mode == "compiled")
    for line in sys.stdin:
        command, count = line.split()
        if command == "check":
            answer = steps.check(seed, int(count), tensors)
        elif command == "mean":
            answer = steps.mean(int(count), tensors)
        else:
            answer = timed(steps, int(count))
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    worker(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5] == "shipped")
