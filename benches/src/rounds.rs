//! Rounds: contenders take turns, so that whatever else the machine does falls on all of them alike.

use std::fmt;
use std::future::Future;

use futures_util::future::LocalBoxFuture;

use crate::BoxError;

/// What a contender did in one round.
pub type Round<'a, T> = LocalBoxFuture<'a, Result<T, BoxError>>;

/// One who is measured beside others.
pub struct Contender<'a, T> {
    name: String,
    run: Box<dyn FnMut() -> Round<'a, T> + 'a>,
}

/// What one contender did in all rounds, in their order.
#[derive(Debug, Clone, PartialEq)]
pub struct Series<T> {
    /// Whose they are.
    pub name: String,
    /// One for each round.
    pub rounds: Vec<T>,
}

/// Two contenders compared by one figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    /// The median of ours.
    pub ours: f64,
    /// The median of the rival's.
    pub rival: f64,
    /// The ratio of the medians.
    pub ratio: f64,
    /// The median of the ratios of each round, which a slow stretch of the machine moves less.
    pub paired: f64,
}

impl<'a, T> Contender<'a, T> {
    /// A contender and what it does in a round.
    pub fn new<F>(name: impl Into<String>, mut run: impl FnMut() -> F + 'a) -> Self
    where
        F: Future<Output = Result<T, BoxError>> + 'a,
    {
        Self {
            name: name.into(),
            run: Box::new(move || Box::pin(run())),
        }
    }
}

impl<T> fmt::Debug for Contender<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contender")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Lets the contenders take turns `rounds` times, after one round that does not count. Each round turns the order of the
/// one before around: A B, B A, A B…
///
/// # Errors
/// The first failure of a contender, with its name.
pub async fn interleaved<T>(
    rounds: usize,
    contenders: impl IntoIterator<Item = Contender<'_, T>>,
) -> Result<Vec<Series<T>>, BoxError> {
    let mut contenders: Vec<_> = contenders.into_iter().collect();
    let mut series: Vec<_> = contenders
        .iter()
        .map(|contender| Series {
            name: contender.name.clone(),
            rounds: Vec::with_capacity(rounds),
        })
        .collect();
    for round in 0..=rounds {
        let mut turns: Vec<usize> = (0..contenders.len()).collect();
        if round % 2 == 1 {
            turns.reverse();
        }
        for turn in turns {
            let done = (contenders[turn].run)()
                .await
                .map_err(|error| format!("{}: {error}", series[turn].name))?;
            if round > 0 {
                series[turn].rounds.push(done);
            }
        }
    }
    Ok(series)
}

impl<T> Series<T> {
    /// The median of one figure over the rounds.
    pub fn median(&self, figure: impl Fn(&T) -> f64) -> f64 {
        median(self.rounds.iter().map(figure))
    }

    /// One figure of ours beside the rival's, which had as many rounds.
    pub fn beside(&self, rival: &Self, figure: impl Fn(&T) -> f64) -> Comparison {
        let (ours, theirs) = (self.median(&figure), rival.median(&figure));
        let pairs = self.rounds.iter().zip(&rival.rounds);
        Comparison {
            ours,
            rival: theirs,
            ratio: ours / theirs,
            paired: median(pairs.map(|(ours, theirs)| figure(ours) / figure(theirs))),
        }
    }
}

/// The median; of an even number of figures the mean of the middle two, of none not a number.
pub fn median(figures: impl IntoIterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.into_iter().collect();
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    match figures.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => figures[middle],
        _ => f64::midpoint(figures[middle - 1], figures[middle]),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn contenders_take_turns_and_each_round_turns_the_order_around() {
        let order = RefCell::new(String::new());
        let contender = |name: &'static str, seconds: f64| {
            let order = &order;
            Contender::new(name, move || async move {
                order.borrow_mut().push_str(name);
                Ok(seconds)
            })
        };
        let series = interleaved(3, [contender("a", 1.0), contender("b", 2.0)])
            .await
            .unwrap();
        assert_eq!(order.into_inner(), "abbaabba");
        assert_eq!(
            series[0],
            Series {
                name: "a".to_owned(),
                rounds: vec![1.0; 3]
            }
        );
        assert_eq!(series[0].beside(&series[1], |seconds| *seconds).ratio, 0.5);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn the_failure_of_a_contender_names_it_and_ends_the_rounds() {
        let failing = Contender::new("rival", || async {
            Err::<(), _>(BoxError::from("it crashed"))
        });
        let said = interleaved(3, [failing]).await.unwrap_err().to_string();
        assert_eq!(said, "rival: it crashed");
    }

    #[test]
    fn the_median_of_pairs_ignores_a_slow_stretch_that_fell_on_both() {
        let of = |name: &str, rounds: [f64; 3]| Series {
            name: name.to_owned(),
            rounds: rounds.to_vec(),
        };
        let compared =
            of("ours", [1.0, 10.0, 11.0]).beside(&of("rival", [2.0, 20.0, 2.0]), |figure| *figure);
        assert_eq!(
            (compared.ours, compared.rival, compared.ratio),
            (10.0, 2.0, 5.0)
        );
        assert_eq!(compared.paired, 0.5);
    }

    #[test]
    fn a_median_is_the_middle_or_the_mean_of_the_middle_two() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median([]).is_nan());
    }
}
