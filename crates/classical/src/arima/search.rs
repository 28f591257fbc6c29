//! The search for orders.

use super::differences::{difference, ordinary, seasonal};
use super::model::{Likelihood, Model, Orders};

/// Largest `p` and `q`.
const MOST: usize = 5;
/// Largest number of coefficients.
const TOTAL: usize = 5;
/// Models tried before the search stops.
const BUDGET: usize = 60;
/// Models of the conditional likelihood that are fitted again by the exact one.
const FINALISTS: usize = 3;

/// Changes of the deviance below which a fit ends, in the search and at its end.
const COARSE: f64 = 0.02;
const FINE: f64 = 1e-6;

/// Rows after differencing, and how they were differenced.
#[derive(Debug, Clone)]
pub(crate) struct Differenced {
    pub(crate) rows: Vec<f64>,
    /// `d`.
    pub(crate) ordinary: usize,
    /// `D`.
    pub(crate) seasonal: usize,
}

/// Differences the rows as often as the tests say.
pub(crate) fn differenced(values: &[f64], season: usize) -> Differenced {
    let mut rows = values.to_vec();
    let seasonal = usize::from(seasonal(&rows, season));
    if seasonal == 1 {
        rows = difference(&rows, season);
    }
    let ordinary = ordinary(&rows, 2 - seasonal);
    for _ in 0..ordinary {
        rows = difference(&rows, 1);
    }
    Differenced { rows, ordinary, seasonal }
}

/// The model with the smallest corrected criterion of Akaike found by steps from a few starting orders. Few rows with a
/// short season are searched by the exact likelihood; others by the conditional one, and the best of those are fitted
/// again by the exact one.
///
/// # References
/// Hyndman & Khandakar (2008), *Automatic time series forecasting: the forecast package for R*, section 3.2.
pub(crate) fn search(differenced: &Differenced, season: usize) -> Option<Model> {
    let few = differenced.rows.len() <= 150 && season <= 12;
    let likelihood = if few { Likelihood::Exact } else { Likelihood::Conditional };
    let mut search =
        Search { differenced, season, likelihood, tried: Vec::new(), models: Vec::new() };
    search.run();
    search.models.sort_by(|a, b| a.criterion.total_cmp(&b.criterion));
    let again = search.models.iter().take(if few { 1 } else { FINALISTS }).filter_map(|model| {
        let rows = &differenced.rows;
        Model::fit(rows, season, model.orders, Likelihood::Exact, &model.parameters, FINE)
    });
    again.min_by(|a, b| a.criterion.total_cmp(&b.criterion))
}

struct Search<'a> {
    differenced: &'a Differenced,
    season: usize,
    likelihood: Likelihood,
    tried: Vec<Orders>,
    models: Vec<Model>,
}

impl Search<'_> {
    fn run(&mut self) {
        let starts = [(2, 2, 1, 1), (0, 0, 0, 0), (1, 0, 1, 0), (0, 1, 0, 1)];
        let may = self.differenced.ordinary + self.differenced.seasonal < 2;
        for (p, q, sp, sq) in starts {
            self.attempt(self.orders(p, q, sp, sq, may));
        }
        if may {
            self.attempt(self.orders(0, 0, 0, 0, false));
        }
        while let Some(best) = self.best() {
            let found = neighbors(best.orders).into_iter().any(|orders| {
                let before = self.least();
                self.attempt(orders);
                self.least() < before
            });
            if !found || self.tried.len() >= BUDGET {
                break;
            }
        }
    }

    fn best(&self) -> Option<&Model> {
        self.models.iter().min_by(|a, b| a.criterion.total_cmp(&b.criterion))
    }

    fn least(&self) -> f64 {
        self.models.iter().map(|model| model.criterion).fold(f64::INFINITY, f64::min)
    }

    fn orders(&self, p: usize, q: usize, sp: usize, sq: usize, constant: bool) -> Orders {
        let (seasonal_auto, seasonal_moving) = if self.season > 1 { (sp, sq) } else { (0, 0) };
        Orders { auto: p, moving: q, seasonal_auto, seasonal_moving, constant }
    }

    fn attempt(&mut self, orders: Orders) {
        if self.tried.contains(&orders) || !self.allows(&orders) {
            return;
        }
        self.tried.push(orders);
        let rows = &self.differenced.rows;
        let start = self.best().map_or_else(|| orders.start(), |best| orders.start_from(best));
        self.models.extend(Model::fit(rows, self.season, orders, self.likelihood, &start, COARSE));
    }

    fn allows(&self, orders: &Orders) -> bool {
        let most = if self.season > 24 { 1 } else { 2 };
        let seasonal = orders.seasonal_auto.max(orders.seasonal_moving);
        let reach = orders.auto + orders.seasonal_auto * self.season;
        let differenced = self.differenced.ordinary + self.differenced.seasonal;
        orders.auto.max(orders.moving) <= MOST
            && seasonal <= if self.season > 1 { most } else { 0 }
            && orders.coefficients() <= TOTAL + usize::from(self.season > 1)
            && (!orders.constant || differenced < 2)
            && 2 * reach <= self.differenced.rows.len()
    }
}

/// Orders one step away: one of them up or down, both of a pair, or the constant added or dropped.
fn neighbors(from: Orders) -> Vec<Orders> {
    const STEPS: [[isize; 4]; 16] = [
        [0, 0, -1, 0],
        [0, 0, 0, -1],
        [0, 0, 1, 0],
        [0, 0, 0, 1],
        [0, 0, -1, -1],
        [0, 0, -1, 1],
        [0, 0, 1, -1],
        [0, 0, 1, 1],
        [-1, 0, 0, 0],
        [0, -1, 0, 0],
        [1, 0, 0, 0],
        [0, 1, 0, 0],
        [-1, -1, 0, 0],
        [-1, 1, 0, 0],
        [1, -1, 0, 0],
        [1, 1, 0, 0],
    ];
    let stepped = |[p, q, sp, sq]: [isize; 4]| {
        Some(Orders {
            auto: from.auto.checked_add_signed(p)?,
            moving: from.moving.checked_add_signed(q)?,
            seasonal_auto: from.seasonal_auto.checked_add_signed(sp)?,
            seasonal_moving: from.seasonal_moving.checked_add_signed(sq)?,
            constant: from.constant,
        })
    };
    let mut all: Vec<Orders> = STEPS.into_iter().filter_map(stepped).collect();
    all.push(Orders { constant: !from.constant, ..from });
    all
}
