//! Joint sample paths from the ranks of others.

use classical::Paths;
use rand::{Rng, RngCore};

use crate::Quantiles;

/// Paths with given marginals and the dependence of `templates`.
///
/// ```text
/// path_i(step) = Q_step((r + 1/2) / N)        r = rank of template i among N at this step
/// ```
///
/// Each template has a share of the N paths that is proportional to its weight, and is ranked in itself first, so that
/// the copula is the mixture of the members' copulas, without what their disagreement about the level would add.
/// Ties are broken at random.
///
/// # References
/// Clark et al. (2004), Journal of Hydrometeorology 5, 243–262, section 3.
pub(crate) fn shuffle(
    quantiles: &Quantiles,
    templates: &[(&Paths, f64)],
    count: usize,
    rng: &mut dyn RngCore,
) -> Paths {
    let horizon = quantiles.horizon();
    let chosen = choose(templates, count, rng);
    let ranks: Vec<Vec<usize>> =
        (0..horizon).map(|step| ranks_of(templates, &chosen, step, rng)).collect();
    let mut path = 0;
    Paths::draw(horizon, count, |values| {
        for (step, value) in values.iter_mut().enumerate() {
            let level = (ranks[step][path] as f64 + 0.5) / count as f64;
            *value = quantiles.at(step, level);
        }
        path += 1;
    })
}

/// A template and a path of it for each path, as many of each template as its weight asks for; `None` where there
/// is no template.
fn choose(
    templates: &[(&Paths, f64)],
    count: usize,
    rng: &mut dyn RngCore,
) -> Vec<Option<(usize, usize)>> {
    let sizes: Vec<usize> = templates.iter().map(|(paths, _)| paths.iter().count()).collect();
    let total: f64 = templates.iter().map(|(_, weight)| weight).sum();
    let mut chosen = Vec::with_capacity(count);
    let mut reached = 0.0;
    for (template, (_, weight)) in templates.iter().enumerate() {
        reached += weight / total.max(f64::MIN_POSITIVE);
        let upto = ((reached * count as f64).round() as usize).min(count);
        let size = sizes[template];
        let first = if size > 0 { rng.random_range(0..size) } else { 0 };
        let more = upto.saturating_sub(chosen.len());
        chosen.extend((0..more).map(|k| (size > 0).then(|| (template, (first + k) % size))));
    }
    chosen.resize(count, None);
    chosen
}

/// The rank of each path at one step.
fn ranks_of(
    templates: &[(&Paths, f64)],
    chosen: &[Option<(usize, usize)>],
    step: usize,
    rng: &mut dyn RngCore,
) -> Vec<usize> {
    let values: Vec<Vec<f64>> =
        templates.iter().map(|(paths, _)| paths.step(step).collect()).collect();
    // Positions within a template: its own ranks over its own number of paths.
    let mut positions = vec![0.0; chosen.len()];
    for template in 0..templates.len() {
        let own: Vec<usize> = (0..chosen.len())
            .filter(|path| chosen[*path].is_some_and(|(t, _)| t == template))
            .collect();
        let of = |path: usize| {
            let value = chosen[path].and_then(|(t, k)| values[t].get(k)).copied();
            value.unwrap_or(0.0)
        };
        for (rank, path) in sorted(&own, of, rng).into_iter().enumerate() {
            positions[path] = (rank as f64 + 0.5) / own.len() as f64;
        }
    }
    for (path, position) in positions.iter_mut().enumerate() {
        if chosen[path].is_none() {
            *position = rng.random();
        }
    }
    let all: Vec<usize> = (0..chosen.len()).collect();
    let mut ranks = vec![0; chosen.len()];
    for (rank, path) in sorted(&all, |path| positions[path], rng).into_iter().enumerate() {
        ranks[path] = rank;
    }
    ranks
}

/// Indices in the order of their values, ties at random.
fn sorted(indices: &[usize], value: impl Fn(usize) -> f64, rng: &mut dyn RngCore) -> Vec<usize> {
    let mut keyed: Vec<(f64, u64, usize)> =
        indices.iter().map(|index| (value(*index), rng.next_u64(), *index)).collect();
    keyed.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    keyed.into_iter().map(|(_, _, index)| index).collect()
}
