"""The training step that users run, as one would write it in PyTorch: dropout, Laplace or Gaussian likelihood, the CRPS
of forecasts, calendar covariates, a linear skip whose weights decay to their start, and averaged weights.

The same mathematics as crates vae, objective, noise and train for `conditional` over `mlp` with independent channels:
docs/math.md. The random numbers are PyTorch's, so that losses and gradients agree in the mean.
"""

import math

import torch
import torch._inductor.config
import torch.nn.functional as F
from torch import nn

from twin import soft_bound


class Shipped(nn.Module):
    """The model, with parameters under our names, dots written as `__`."""

    def __init__(self, config, initial):
        super().__init__()
        self.names = sorted(initial)
        for name in self.names:
            self.register_parameter(name.replace(".", "__"), nn.Parameter(initial[name].clone()))
        model, objective = config["model"], config["objective"]
        self.drop = model["dropout"]
        self.laplace = objective["likelihood"] == "laplace"
        self.crps_weight, self.draws = objective["crps_weight"], objective["crps_samples"]
        self.latent, self.floor = model["latent"], 0.1

    def p(self, name):
        return getattr(self, name.replace(".", "__"))

    def map(self, name, inputs):
        """A sum of linear maps; inputs that channels or draws share are mapped once and broadcast."""
        bias = self.p(f"{name}.bias")
        parts = list(inputs.items())
        if len(parts) == 1:
            return F.linear(parts[0][1], self.p(f"{name}.weight"), bias)
        lead = torch.broadcast_shapes(*[x.shape[:-1] for _, x in parts])
        full = [(n, x) for n, x in parts if x.shape[:-1] == lead]
        small = [(n, x) for n, x in parts if x.shape[:-1] != lead]
        weight = torch.cat([self.p(f"{name}.{n}_weight") for n, _ in full], -1) if len(full) > 1 else None
        if weight is None:
            out = F.linear(full[0][1], self.p(f"{name}.{full[0][0]}_weight"), None if small else bias)
        else:
            out = F.linear(torch.cat([x for _, x in full], -1), weight, None if small else bias)
        for i, (n, x) in enumerate(small):
            out = out + F.linear(x, self.p(f"{name}.{n}_weight"), bias if i == 0 else None)
        return out

    def act(self, x):
        return F.dropout(F.silu(x), self.drop, True)

    def encode(self, x, extras, future):
        inputs = {"targets": x}
        if extras is not None:
            inputs["extras"] = extras
        inputs["channel"] = self.p("channel.embedding").unsqueeze(0)
        if future is not None:
            inputs["future"] = self.map("future", {"future": future})
        return self.act(self.map("encoder.layer0", inputs))

    def gaussian(self, name, x):
        mean, raw = self.map(name, {"": x}).chunk(2, -1)
        return mean, soft_bound(raw)

    def decode(self, z, h, skip):
        u = self.act(self.map("decoder.layer0", {"latent": z, "features": h}))
        loc, raw = self.map("decoder.head", {"": u}).chunk(2, -1)
        return loc + skip, soft_bound(raw)

    def forward(self, x, y, extras, future, kl_weight, signal, std, x_noise, y_noise):
        mean = x.mean(-1, keepdim=True)
        x = x - mean
        scale = x.square().mean(-1, keepdim=True).sqrt().clamp_min(self.floor)
        x, y = x / scale, (y - mean) / scale
        clean = y
        if signal is not None:
            x = signal[0] * x + std[0] * x_noise
            y = signal[1] * y + std[1] * y_noise
        skip = self.map("skip", {"": x})

        h = self.encode(x, extras, future)
        evidence = self.act(self.map("evidence", {"target": y, "features": h}))
        prior_mean, prior_log_std = self.gaussian("prior0", h)
        z_mean, z_log_std = self.gaussian("posterior0", evidence)
        z = z_mean + z_log_std.exp() * torch.randn_like(z_mean)
        ratio = 2 * (z_log_std - prior_log_std)
        apart = ((z_mean - prior_mean) * (-prior_log_std).exp()).square()
        kl = 0.5 * (apart + torch.expm1(ratio) - ratio)
        loc, log_scale = self.decode(z, h, skip)
        if self.laplace:
            log_prob = -(y - loc).abs() * (-log_scale).exp() - log_scale - math.log(2)
        else:
            variance = (2 * log_scale).exp()
            a = 1.0
            if signal is not None:
                a, variance = signal[1], signal[1].square() * variance + std[1].square()
            log_prob = -0.5 * ((y - a * loc).square() / variance + variance.log() + math.log(2 * math.pi))
        loss = (kl_weight * kl.sum((1, 2)) - log_prob.sum((1, 2))).mean()
        if self.crps_weight == 0:
            return loss

        h = self.encode(x, extras, future)
        prior_mean, prior_log_std = self.gaussian("prior0", h)
        noise = torch.randn(self.draws, *prior_mean.shape)
        loc, log_scale = self.decode(prior_mean + prior_log_std.exp() * noise, h, skip)
        if self.laplace:
            u = torch.rand(loc.shape) * (2 - 2**-22) - (1 - 2**-23)  # in (-1, 1), without its ends
            noise = -u.sign() * torch.log1p(-u.abs())
        else:
            noise = torch.randn(loc.shape)
        draws = loc + log_scale.exp() * noise
        half = self.draws // 2
        crps = (draws - clean).abs().mean(0) - 0.5 * (draws[:half] - draws[half:]).abs().mean(0)
        return loss + self.crps_weight * (crps * scale).sum() / x.shape[0]


class Training:
    """Batches, passes and updates of a config."""

    def __init__(self, config, tensors, compiled):
        data, self.train = config["data"], config["train"]
        self.context, self.batch = data["context"], self.train["batch_size"]
        self.horizon = data["horizon"]
        initial = {n[len("initial.") :]: t for n, t in tensors.items() if n.startswith("initial.")}
        self.model = Shipped(config, initial)
        # Inductor's own random numbers on the CPU are slower than those of the library.
        torch._inductor.config.fallback_random = True
        self.loss = torch.compile(self.model.forward) if compiled else self.model.forward
        # [N, W, L + H], every window a view of rows that lie column by column: targets, then the calendar.
        by_column = tensors["rows"].t().contiguous()
        self.windows = by_column.unfold(1, self.context + self.horizon, 1).transpose(0, 1)
        self.first_rows = tensors["first_rows"]
        self.targets = len(data["targets"])
        self.kl = config["objective"]["kl_weight"]
        self.table = None
        if len(tensors["noise.probabilities"]) > 1:
            self.cumulative = tensors["noise.probabilities"].cumsum(0)
            self.cumulative[-1] = 1.0
            self.table = [(tensors[f"noise.{of}.signal"], tensors[f"noise.{of}.std"]) for of in ("input", "target")]
        named = {name: self.model.p(name) for name in self.model.names}
        matrices = [p for p in named.values() if p.dim() > 1]
        vectors = [p for p in named.values() if p.dim() <= 1]
        decay = self.train["weight_decay"]
        self.optimizer = torch.optim.AdamW(
            [{"params": matrices, "weight_decay": decay}, {"params": vectors, "weight_decay": 0.0}],
            lr=self.train["learning_rate"],
            fused=True,
        )
        self.parameters = list(named.values())
        self.average = [p.detach().clone() for p in self.parameters]
        anchored = self.train["ridge_start"] and decay > 0
        self.anchor = (self.model.p("skip.weight"), initial["skip.weight"].clone()) if anchored else None
        self.step, self.order = 0, []

    def batch_at(self, indices):
        window = self.windows.index_select(0, self.first_rows[indices])
        target = window[:, : self.targets]
        x, y = target[..., : self.context], target[..., self.context :]
        if window.shape[1] == self.targets:
            return x, y, None, None
        covariates = window[:, self.targets :]
        # Ours lie row by row: [L, E] and [H, F] of a window, flattened.
        flat = lambda part: part.transpose(1, 2).flatten(1).unsqueeze(1)
        return x, y, flat(covariates[..., : self.context]), flat(covariates[..., self.context :])

    def next(self):
        if not self.order:
            order = torch.randperm(len(self.first_rows))
            self.order = list(order[: len(order) // self.batch * self.batch].split(self.batch))
        return self.batch_at(self.order.pop())

    def noise(self, batch):
        x, y = batch[:2]
        if self.table is None:
            return None, None, None, None
        t = torch.bucketize(torch.rand(x.shape[0], dtype=torch.float64), self.cumulative, right=True)
        signal = [signal[t].view(-1, 1, 1) for signal, _ in self.table]
        std = [std[t].view(-1, 1, 1) for _, std in self.table]
        return signal, std, torch.randn(x.shape), torch.randn(y.shape)

    def passes(self, batch, noise):
        ramp = self.kl if isinstance(self.kl, float) else min(1.0, self.step / self.kl["steps"])
        loss = self.loss(*batch, torch.tensor(ramp), *noise)
        loss.backward()
        return loss.detach()

    def update(self):
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.step += 1
        with torch.no_grad():
            if self.anchor is not None:
                weight, start = self.anchor
                weight.add_(start, alpha=self.train["learning_rate"] * self.train["weight_decay"])
            if self.train["ema_decay"] > 0:
                decay = min(self.train["ema_decay"], (1 + self.step) / (10 + self.step))
                torch._foreach_lerp_(self.average, self.parameters, 1 - decay)

    def mean(self, count, tensors):
        """How far mean losses and gradients are from ours, in units of their own errors."""
        losses, halves = [], []
        batch = self.batch_at(tensors["indices"])
        for _ in range(2):
            for _ in range(count // 2):
                losses.append(self.passes(batch, self.noise(batch)).item())
            halves.append({n: self.model.p(n).grad.clone() for n in self.model.names})
            self.optimizer.zero_grad()
        gaps = {}
        for name in self.model.names:
            theirs = [half[name] for half in halves]
            ours = [tensors[f"{of}.{name}"] for of in ("first", "second")]
            between = (theirs[0] + theirs[1] - ours[0] - ours[1]).norm()
            within = ((theirs[0] - theirs[1]).square().sum() + (ours[0] - ours[1]).square().sum()).sqrt()
            gaps[name] = (between / within.clamp_min(1e-12)).item()
        return {"losses": losses, "gradients": gaps}
