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

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use rand_distr::StandardNormal;

    /// Two steps with correlation `rho`.
    fn pairs(rho: f64, count: usize, rng: &mut ChaCha8Rng) -> Paths {
        Paths::draw(2, count, |path| {
            let (a, b): (f64, f64) = (rng.sample(StandardNormal), rng.sample(StandardNormal));
            path[0] = a;
            path[1] = rho * a + (1.0 - rho * rho).sqrt() * b;
        })
    }

    /// Spearman's rank correlation of the two steps.
    fn rank_correlation(paths: &Paths) -> f64 {
        let rank = |step: usize| {
            let values: Vec<f64> = paths.step(step).collect();
            let mut order: Vec<usize> = (0..values.len()).collect();
            order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
            let mut ranks = vec![0.0; values.len()];
            order.into_iter().enumerate().for_each(|(rank, index)| ranks[index] = rank as f64);
            ranks
        };
        let n = paths.iter().count() as f64;
        let distance: f64 = rank(0).iter().zip(rank(1)).map(|(a, b)| (a - b).powi(2)).sum();
        1.0 - 6.0 * distance / (n * (n * n - 1.0))
    }

    fn skewed() -> Quantiles {
        Quantiles::from_fn(2, |step, level| {
            (1.0 + step as f64) * -(1.0 - crate::LEVELS[level]).ln()
        })
        .unwrap()
    }

    /// Oracle: the marginals are the quantiles, whatever the template; the ranks are those of the template.
    #[test]
    fn marginals_are_the_quantiles_and_ranks_are_kept() {
        let rng = &mut ChaCha8Rng::seed_from_u64(1);
        let template = pairs(0.9, 500, rng);
        let paths = shuffle(&skewed(), &[(&template, 1.0)], 500, rng);
        let found = Quantiles::of_paths(&paths).unwrap();
        for step in 0..2 {
            for level in [0.05, 0.1, 0.5, 0.77, 0.9, 0.95] {
                let (a, b) = (found.at(step, level), skewed().at(step, level));
                assert!((a - b).abs() < 0.02 * (1.0 + b), "{step} {level}: {a} {b}");
            }
        }
        let (a, b) = (rank_correlation(&paths), rank_correlation(&template));
        // Beyond the outermost levels a few values are equal.
        assert!((a - b).abs() < 1e-3, "{a} {b}");
    }

    /// Oracle: of a mixture of copulas with equal margins, the rank correlation is the weighted mean;
    /// for a normal law it is `6/π asin(ρ/2)`. Standard error: 1/√4000.
    #[test]
    fn a_mixture_has_the_mean_rank_correlation() {
        let rng = &mut ChaCha8Rng::seed_from_u64(2);
        let (same, opposite) = (pairs(0.9, 4000, rng), pairs(-0.5, 4000, rng));
        let of = |rho: f64| 6.0 / std::f64::consts::PI * (rho / 2.0).asin();
        let expected = 0.75 * of(0.9) + 0.25 * of(-0.5);
        let paths = shuffle(&skewed(), &[(&same, 3.0), (&opposite, 1.0)], 4000, rng);
        let found = rank_correlation(&paths);
        assert!((found - expected).abs() < 4.0 / 4000.0_f64.sqrt(), "{found} {expected}");
    }

    #[test]
    fn ties_and_missing_templates_are_random() {
        let rng = &mut ChaCha8Rng::seed_from_u64(3);
        let flat = Paths::draw(2, 10, |path| path.fill(0.0));
        for templates in [vec![(&flat, 1.0)], vec![], vec![(&flat, 0.0)]] {
            let paths = shuffle(&skewed(), &templates, 2000, rng);
            assert!(rank_correlation(&paths).abs() < 4.0 / 2000.0_f64.sqrt());
        }
        assert_eq!(shuffle(&skewed(), &[(&flat, 1.0)], 0, rng).iter().count(), 0);
    }
}
