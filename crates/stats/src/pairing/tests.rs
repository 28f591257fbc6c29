use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rand_distr::StandardNormal;

use super::*;

fn times(count: usize) -> Vec<String> {
    (0..count).map(|t| t.to_string()).collect()
}

fn normals(generator: &mut StdRng, count: usize) -> Vec<f64> {
    (0..count).map(|_| generator.sample(StandardNormal)).collect()
}

/// Oracle: for uncorrelated windows and lag 0 the paired t interval of a textbook.
#[test]
fn without_overlap_it_is_the_paired_t_interval() {
    let pairing = Pairing::new(&times(3), 1, 1);
    assert_eq!(pairing.lag(), 0);
    let found = pairing.difference(&[vec![1.0, 2.0, 6.0]]).unwrap();
    let error = (7.0_f64 / 3.0).sqrt();
    assert!((found.mean - 3.0).abs() < 1e-12 && (found.error - error).abs() < 1e-12);
    // t of two degrees of freedom, 97.5 %: 4.302653.
    assert!((found.high - (3.0 + 4.302_652_73 * error)).abs() < 1e-6 && !found.decided);
    assert!(pairing.difference(&[vec![1.0, 2.0]]).is_none());
    assert!(pairing.difference(&[]).is_none());
    assert!(Pairing::new(&times(2), 1, 1).difference(&[vec![1.0, 2.0]]).is_none());
    let gap = Pairing::new(&times(4), 1, 1).difference(&[vec![1.0, f64::NAN, 2.0, 6.0]]).unwrap();
    assert_eq!((gap.mean, gap.error, gap.origins), (found.mean, found.error, 3));
}

/// Oracle: by hand, of eight windows two neighbors count though none overlaps: γ_0 + 2 (2/3 γ_1 + 1/3 γ_2).
#[test]
fn windows_that_share_no_row_are_correlated_too() {
    let row = vec![1.0, 1.0, 1.0, 1.0, -1.0, -1.0, -1.0, -1.0];
    let pairing = Pairing::new(&times(8), 1, 1);
    assert_eq!(pairing.lag(), 2);
    let found = pairing.estimate(&[row.clone(), row]).unwrap();
    let by_hand = (8.0 + 2.0 * (2.0 / 3.0 * 5.0 + 1.0 / 3.0 * 2.0)) / 7.0_f64;
    assert!((found.error - (by_hand / 8.0).sqrt()).abs() < 1e-12);
    assert_eq!(found.freedom, 7.0, "seeds that agree have no part in it");
}

/// Oracle: the frequency with which intervals of moving sums of H normals cover their true mean.
#[test]
fn intervals_cover_as_often_as_they_say() {
    let (horizon, windows, repeats) = (5, 400, 400);
    let pairing = Pairing::new(&times(windows), horizon, 1);
    assert_eq!(pairing.lag(), 8);
    let covered = (0..repeats).filter(|seed| {
        let noise = normals(&mut StdRng::seed_from_u64(*seed), windows + horizon);
        let sums = noise.windows(horizon).take(windows).map(|w| w.iter().sum()).collect();
        !pairing.difference(&[sums]).unwrap().decided
    });
    let share = covered.count() as f64 / repeats as f64;
    // Bartlett's weights cost some variance; a t interval that ignored overlap would cover 62 %.
    assert!((0.88..0.97).contains(&share), "{share}");
}

/// Oracle: the same frequency where three seeds vary more than windows do. The quantile of the origins alone would
/// cover 81 %, as P(|T_2| < 1.96) is.
#[test]
fn few_seeds_make_wide_intervals() {
    let (windows, repeats) = (100, 2000);
    let pairing = Pairing::new(&times(windows), 1, 1);
    let covered = (0..repeats).filter(|repeat| {
        let mut generator = StdRng::seed_from_u64(*repeat);
        let [seeds, shared] = [3, windows].map(|count| normals(&mut generator, count));
        let table: Vec<Vec<f64>> =
            seeds.iter().map(|seed| shared.iter().map(|w| seed + 0.5 * w).collect()).collect();
        !pairing.difference(&table).unwrap().decided
    });
    let share = covered.count() as f64 / repeats as f64;
    assert!((share - 0.95).abs() < 0.02, "{share}"); // four standard errors
}

/// Oracle: Var(mean) of a moving sum of H unit normals tends to H² / n; the squared errors average to it. Bartlett's
/// weights keep at least 1 − 1/6 of it; ignoring the overlap would give 1 / H.
#[test]
fn overlapping_windows_count_less() {
    let (horizon, n, repeats) = (7, 2000, 40);
    let pairing = Pairing::new(&times(n), horizon, 1);
    let truth = (horizon * horizon) as f64 / n as f64;
    let squared = (0..repeats).map(|seed| {
        let noise = normals(&mut StdRng::seed_from_u64(seed), n + horizon);
        let sums = noise.windows(horizon).take(n).map(|w| w.iter().sum()).collect();
        pairing.estimate(&[sums]).unwrap().error.powi(2)
    });
    let ratio = squared.sum::<f64>() / repeats as f64 / truth;
    assert!((0.75..1.1).contains(&ratio), "estimated {ratio:.2} of the true variance");
}

/// Oracle: the variance of the mean over repeated draws of seeds and windows.
#[test]
fn the_error_covers_windows_and_seeds() {
    let (seeds, windows, repeats) = (5, 50, 400_u64);
    let pairing = Pairing::new(&times(windows), 1, 1);
    let (mut means, mut squared) = (Vec::new(), 0.0);
    for repeat in 0..repeats {
        let mut generator = StdRng::seed_from_u64(repeat);
        let [of_seeds, shared] = [seeds, windows].map(|count| normals(&mut generator, count));
        let table: Vec<Vec<f64>> =
            of_seeds.iter().map(|s| shared.iter().map(|w| 0.3 * s + w).collect()).collect();
        let found = pairing.estimate(&table).unwrap();
        means.push(found.mean);
        squared += found.error.powi(2) / repeats as f64;
    }
    // A variance from n draws has relative standard error √(2 / n) = 0.07.
    let ratio = squared / variance(&means);
    assert!((ratio - 1.0).abs() < 0.25, "squared error over variance is {ratio:.2}");
}

/// Oracle: ten series that say the same say no more than one; ten that are independent say √10 times
/// as much, by sampling.
#[test]
fn series_of_one_time_count_once() {
    let mut generator = StdRng::seed_from_u64(1);
    let one = normals(&mut generator, 300);
    let alone = Pairing::new(&times(300), 1, 1).difference(std::slice::from_ref(&one)).unwrap();
    let panel = Pairing::new(&vec![times(300); 10].concat(), 1, 1);
    let same = panel.difference(&[one.repeat(10)]).unwrap();
    assert!((same.error / alone.error - 1.0).abs() < 1e-9);
    assert_eq!(same.origins, 300);
    let different = panel.difference(&[normals(&mut generator, 3000)]).unwrap();
    assert!((different.error * 3000_f64.sqrt() - 1.0).abs() < 0.25, "{different:?}");
}

/// Oracle: seeds that differ by a constant each: the textbook estimate of the constants.
#[test]
fn seeds_add_their_variance() {
    let pairing = Pairing::new(&times(8), 1, 1);
    let found = pairing.estimate(&[vec![1.0; 8], vec![2.0; 8], vec![6.0; 8]]).unwrap();
    assert_eq!(Some(found), Estimate::of_seeds(&[1.0, 2.0, 6.0]));
    assert!(
        pairing.estimate(&[vec![1.0; 8], vec![f64::NAN; 8]]).is_none(),
        "a seed without scores"
    );
}

/// Oracle: by hand, V_seeds = 1, V_origins = 7/3 with two degrees of freedom each.
#[test]
fn degrees_of_freedom_are_those_of_satterthwaite() {
    let shift = 3.0_f64.sqrt();
    let seeds: Vec<Vec<f64>> =
        [-shift, 0.0, shift].map(|s| [1.0, 2.0, 6.0].map(|w| s + w).to_vec()).to_vec();
    let found = Pairing::new(&times(3), 1, 1).estimate(&seeds).unwrap();
    let total = 1.0 + 7.0 / 3.0;
    assert!((found.error.powi(2) - total).abs() < 1e-12);
    assert!((found.freedom - total * total / (0.5 + 49.0 / 18.0)).abs() < 1e-9, "{found:?}");
}

#[test]
fn times_are_ordered_as_numbers_where_they_are() {
    let labels = ["9", "10", "11", "9"].map(str::to_owned);
    assert_eq!(Pairing::new(&labels, 1, 1).ranks(), [0, 1, 2, 0]);
    let dates = ["2012-02-01", "2012-01-31"].map(str::to_owned);
    assert_eq!(Pairing::new(&dates, 1, 1).ranks(), [1, 0]);
    assert_eq!(Pairing::from_ranks(vec![0, 1, 2, 0], 1, 1), Pairing::new(&labels, 1, 1));
    // A horizon of 24 every 96 rows shares nothing; one of 720 reaches into seven more.
    assert_eq!(Pairing::new(&times(100), 720, 96).lag(), 14);
    assert_eq!(Pairing::new(&times(100), 24, 96).lag(), 4);
    assert_eq!(Pairing::new(&times(20), 24, 1).lag(), 5, "at most a quarter");
}
