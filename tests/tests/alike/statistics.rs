//! Statistics of two samples of latencies: the Mann-Whitney U test, and the Hodges-Lehmann estimate
//! of the shift between them.

/// The standard normal quantile for a two-sided confidence level of 99 %.
const Z: f64 = 2.575_829;

/// The comparison of two samples of latencies, in milliseconds.
#[derive(Debug)]
pub struct Comparison {
    pub medians: (f64, f64),
    /// The shift of the first sample relative to the second: the median of all pairwise
    /// differences.
    pub shift: f64,
    /// The 99 % confidence interval of the shift.
    pub interval: (f64, f64),
    /// The p-value of the two-sided Mann-Whitney U test.
    pub p: f64,
}

impl Comparison {
    /// Compares two samples of latencies in nanoseconds.
    pub fn of(one: &[i64], other: &[i64]) -> Self {
        let (m, n) = (one.len() as f64, other.len() as f64);
        let mut differences: Vec<i64> =
            one.iter().flat_map(|one| other.iter().map(move |other| one - other)).collect();
        let count = differences.len();
        // U is the number of pairs in which the first latency is longer; ties count as half.
        // Latencies in nanoseconds have so few ties that the variance needs no correction for them.
        let above = differences.iter().filter(|difference| **difference > 0).count() as f64;
        let equal = differences.iter().filter(|difference| **difference == 0).count() as f64;
        let deviation = (m * n * (m + n + 1.0) / 12.0).sqrt();
        let z = (above + equal / 2.0 - m * n / 2.0).abs() / deviation;
        let mut at = |rank: f64| {
            let rank = (rank.max(0.0) as usize).min(count - 1);
            *differences.select_nth_unstable(rank).1 as f64 / 1e6
        };
        let half = Z * deviation;
        let interval = (at(m * n / 2.0 - half), at(m * n / 2.0 + half));
        let shift = at(m * n / 2.0);
        Self { medians: (median(one), median(other)), shift, interval, p: two_sided(z) }
    }
}

fn median(times: &[i64]) -> f64 {
    let mut times = times.to_vec();
    let middle = times.len() / 2;
    *times.select_nth_unstable(middle).1 as f64 / 1e6
}

/// The two-sided p-value of a standard normal deviate, computed with formula 7.1.26 of Abramowitz
/// and Stegun (error below 1.5e-7).
fn two_sided(z: f64) -> f64 {
    let x = z / std::f64::consts::SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let factors = [1.061_405_429, -1.453_152_027, 1.421_413_741, -0.284_496_736, 0.254_829_592];
    factors.iter().fold(0.0, |sum, factor| (sum + factor) * t) * (-x * x).exp()
}

/// A deterministic random number generator (SplitMix64).
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % bound as u64).unwrap_or(0)
    }

    pub fn shuffle<T>(&mut self, all: &mut [T]) {
        for at in (1..all.len()).rev() {
            all.swap(at, self.below(at + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn detects_shift_and_reports_none_for_equal_samples() {
        let mut random = Random(7);
        // Skewed like latencies: a tenth of the values are much larger.
        let mut sample = |shift: i64| -> Vec<i64> {
            let mut time = || 3_000_000 + random.below(2_000_000) * (1 + 9 * (random.below(10) / 9));
            (0..1000).map(|_| time() as i64 + shift).collect()
        };
        let (one, other, later) = (sample(0), sample(0), sample(500_000));
        let same = Comparison::of(&one, &other);
        assert!(same.p > 0.01 && same.interval.0 < 0.0 && same.interval.1 > 0.0, "{same:?}");
        let shifted = Comparison::of(&later, &one);
        assert!(shifted.p < 1e-6 && shifted.interval.0 < 0.5 && shifted.interval.1 > 0.5, "{shifted:?}");
        assert!((shifted.shift - 0.5).abs() < 0.15, "{shifted:?}");
    }

    #[test]
    fn p_value_matches_published_tables() {
        for (z, p) in [(0.0, 1.0), (1.959_964, 0.05), (2.575_829, 0.01), (3.290_527, 0.001)] {
            assert!((two_sided(z) - p).abs() < 1e-6, "{z}");
        }
    }

    #[test]
    fn small_samples_match_manual_calculation() {
        let same = Comparison::of(&[1_000_000, 4_000_000, 6_000_000], &[2_000_000, 3_000_000, 5_000_000]);
        // The differences are -4, -2, -1, -1, 1, 1, 2, 3, 4.
        assert_eq!((same.shift, same.medians), (1.0, (4.0, 3.0)));
    }
}
