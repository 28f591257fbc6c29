//! `conditional` and `hierarchical`: learned priors, posteriors that see the target, top-down groups.

use tch::Tensor;
use tch::nn::Path;

use crate::error::Result;
use crate::latent::{Draw, GaussianHead, Latent, Parameters, per_row};
use crate::layer::{Activation, Linear, part};
use crate::{ModelConfig, ModelKind};

/// Groups of latent variables from the top down, over a state that starts as the window's features.
///
/// ```text
/// r = act(W [ỹ, h])                              the evidence, all that posteriors see of the target
/// p(z_l | z_{<l}, x̃) = N(μ(d_l), σ(d_l)²)        d_1 = h
/// q(z_l | z_{<l}, x̃, ỹ) = N(μ + Δμ(r, d_l), (σ · Δσ(r, d_l))²)    Δ(r) for l = 1
/// d_{l+1} = d_l + act(W [z_l, d_l])
/// ```
///
/// A conditional model is one group whose posterior is not relative to the prior: `N(μ(r), σ(r)²)`.
///
/// # References
/// Sønderby et al. (2016), eq. 8 to 12, arXiv:1602.02282; Vahdat & Kautz (2020), section 3.2,
/// arXiv:2007.03898.
#[derive(Debug)]
pub(super) struct Ladder {
    evidence: Linear,
    groups: Vec<Group>,
    relative: bool,
    activation: Activation,
}

#[derive(Debug)]
struct Group {
    prior: GaussianHead,
    posterior: GaussianHead,
    /// Map to the state of the next group; the last group has none.
    update: Option<Linear>,
}

impl Ladder {
    /// `target`: values of the target per row.
    pub(super) fn new(
        path: &Path,
        config: &ModelConfig,
        features: i64,
        target: i64,
    ) -> Result<Ladder> {
        let ModelConfig { hidden, latent, .. } = *config;
        let relative = config.kind == ModelKind::Hierarchical;
        let count = if relative { config.groups } else { 1 };
        let activation = Activation { nonlinear: config.nonlinear(), dropout: config.dropout };
        let state = part("state", features);
        let seen = [part("target", target), part("features", features)];
        let evidence = Linear::new(&(path / "evidence"), &seen, hidden, activation.gain())?;
        let groups = (0..count)
            .map(|i| {
                // The first state is already part of the evidence.
                let mut inputs = vec![part("evidence", hidden)];
                inputs.extend((i > 0).then_some(state));
                let moved = [part("latent", latent), state];
                Ok(Group {
                    prior: GaussianHead::new(&(path / format!("prior{i}")), &[state], latent)?,
                    posterior: GaussianHead::new(
                        &(path / format!("posterior{i}")),
                        &inputs,
                        latent,
                    )?,
                    update: if i + 1 < count {
                        let path = path / format!("update{i}");
                        Some(Linear::new(&path, &moved, features, activation.gain())?)
                    } else {
                        None
                    },
                })
            })
            .collect::<Result<_>>()?;
        Ok(Ladder { evidence, groups, relative, activation })
    }

    /// Draws every group from its posterior given the rows of the target, `[B, G, T · c]`.
    ///
    /// Returns the latents and the draws per row, `[.., B, G, Z]`, from the top down.
    pub(super) fn posterior(
        &self,
        features: &Tensor,
        target: &Tensor,
        draw: Draw,
        train: bool,
    ) -> Result<(Vec<Latent>, Vec<Tensor>)> {
        let evidence = self.activation.after(&self.evidence, &[target, features], train)?;
        let mut latents = Vec::with_capacity(self.groups.len());
        let rows = self.descend(features, train, |i, group, prior, state| {
            let own = group.posterior.forward(&seen(i, &evidence, state))?;
            let posterior = if self.relative { own.relative_to(&prior)? } else { own };
            let (posterior, prior) = (posterior.distribution()?, prior.distribution()?);
            let sample = draw.from(&posterior, i)?;
            let rows = per_row(&sample, features.size()[1])?;
            latents.push(Latent { posterior, prior: Some(prior), sample });
            Ok(rows)
        })?;
        Ok((latents, rows))
    }

    /// One draw of every group from its posterior, `[B, G, Z]`, and the divergence of each by dimension,
    /// `[B, G·Z]`; both from the top down.
    pub(super) fn draw(
        &self,
        features: &Tensor,
        target: &Tensor,
        train: bool,
    ) -> Result<(Vec<Tensor>, Vec<Tensor>)> {
        let evidence = self.activation.after(&self.evidence, &[target, features], train)?;
        let mut divergences = Vec::with_capacity(self.groups.len());
        let rows = self.descend(features, train, |i, group, prior, state| {
            let own = group.posterior.forward(&seen(i, &evidence, state))?;
            let (rows, divergence) = own.draw(Some(&prior), self.relative)?;
            divergences.push(divergence);
            Ok(rows)
        })?;
        Ok((rows, divergences))
    }

    /// Draws every group from its prior, which needs no target: per row, from the top down.
    pub(super) fn prior(&self, features: &Tensor, draw: Draw, train: bool) -> Result<Vec<Tensor>> {
        let groups = features.size()[1];
        self.descend(features, train, |i, _, prior, _| {
            per_row(&draw.from(&prior.distribution()?, i)?, groups)
        })
    }

    /// The walk from the top group to the last; `choose` turns a prior into a draw per row.
    fn descend(
        &self,
        features: &Tensor,
        train: bool,
        mut choose: impl FnMut(usize, &Group, Parameters, &Tensor) -> Result<Tensor>,
    ) -> Result<Vec<Tensor>> {
        let mut state = features.shallow_clone();
        let mut draws = Vec::with_capacity(self.groups.len());
        for (i, group) in self.groups.iter().enumerate() {
            let prior = group.prior.forward(&[&state])?;
            let rows = choose(i, group, prior, &state)?;
            if let Some(update) = &group.update {
                let change = self.activation.after(update, &[&rows, &state], train)?;
                state = state.f_add(&change)?;
            }
            draws.push(rows);
        }
        Ok(draws)
    }
}

/// Inputs of the posterior of group `i`; the first state is already part of the evidence.
fn seen<'a>(i: usize, evidence: &'a Tensor, state: &'a Tensor) -> Vec<&'a Tensor> {
    if i == 0 { vec![evidence] } else { vec![evidence, state] }
}
