//! The budget ledger: how much epsilon an owner's people have paid, and what is left.
//!
//! Basic composition (Dwork and Roth 2014, theorem 3.16): the prices of all released tables over
//! the same people add up. Sums are whole thousandths, so no rounding can hide an overdraft.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::epsilon::{Epsilon, Thousandths};

/// Budget and spending of one owner in one project. Never overdrawn, never refunded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Ledger {
    budget: Epsilon,
    spent_thousandths: u32,
}

/// A request costs more than what is left. Both amounts may be shown to the analyst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the budget is exhausted: epsilon {asked} was asked, {} is left", Thousandths((*left_thousandths).into()))]
pub struct Exhausted {
    /// What the table would have cost.
    pub asked: Epsilon,
    /// What is left of the budget, in thousandths.
    pub left_thousandths: u32,
}

/// A stored ledger says that more was spent than the budget holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stored ledger is overdrawn: {spent_thousandths} of {} thousandths", budget.thousandths())]
pub struct Overdrawn {
    budget: Epsilon,
    spent_thousandths: u32,
}

impl Ledger {
    /// A ledger with nothing spent.
    pub const fn new(budget: Epsilon) -> Self {
        Self {
            budget,
            spent_thousandths: 0,
        }
    }

    /// A ledger as it was stored: `budget` and what was spent of it, in thousandths.
    ///
    /// # Errors
    /// [`Overdrawn`] if more was spent than the budget holds.
    pub const fn resume(budget: Epsilon, spent_thousandths: u32) -> Result<Self, Overdrawn> {
        if spent_thousandths > budget.thousandths() {
            return Err(Overdrawn {
                budget,
                spent_thousandths,
            });
        }
        Ok(Self {
            budget,
            spent_thousandths,
        })
    }

    /// The ledger after paying `price`. The caller stores it before the noise is drawn.
    ///
    /// # Errors
    /// [`Exhausted`] if less than `price` is left; this ledger still stands then.
    pub const fn try_debit(self, price: Epsilon) -> Result<Self, Exhausted> {
        let left_thousandths = self.left_thousandths();
        if price.thousandths() > left_thousandths {
            return Err(Exhausted {
                asked: price,
                left_thousandths,
            });
        }
        Ok(Self {
            spent_thousandths: self.spent_thousandths + price.thousandths(),
            ..self
        })
    }

    /// The whole budget.
    pub const fn budget(self) -> Epsilon {
        self.budget
    }

    /// What has been paid, in thousandths.
    pub const fn spent_thousandths(self) -> u32 {
        self.spent_thousandths
    }

    /// What is left, in thousandths.
    pub const fn left_thousandths(self) -> u32 {
        // Every constructor keeps spent <= budget.
        self.budget.thousandths() - self.spent_thousandths
    }
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "epsilon {} of {} spent",
            Thousandths(self.spent_thousandths.into()),
            self.budget
        )
    }
}

/// The stored form.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    epsilon_budget: Epsilon,
    spent_thousandths: u32,
}

impl TryFrom<Written> for Ledger {
    type Error = Overdrawn;

    fn try_from(written: Written) -> Result<Self, Overdrawn> {
        Self::resume(written.epsilon_budget, written.spent_thousandths)
    }
}

impl From<Ledger> for Written {
    fn from(ledger: Ledger) -> Self {
        Self {
            epsilon_budget: ledger.budget,
            spent_thousandths: ledger.spent_thousandths,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn epsilon(text: &str) -> Epsilon {
        text.parse().unwrap()
    }

    #[test]
    fn pays_to_the_last_thousandth_and_no_further() {
        let mut ledger = Ledger::new(epsilon("1"));
        for _ in 0..10 {
            ledger = ledger.try_debit(epsilon("0.1")).unwrap();
        }
        assert_eq!(ledger.left_thousandths(), 0);
        let refused = ledger.try_debit(epsilon("0.001")).unwrap_err();
        assert_eq!(
            refused,
            Exhausted {
                asked: epsilon("0.001"),
                left_thousandths: 0
            }
        );
        assert_eq!(
            refused.to_string(),
            "the budget is exhausted: epsilon 0.001 was asked, 0 is left"
        );
        assert_eq!(ledger.to_string(), "epsilon 1 of 1 spent");
    }

    #[test]
    fn an_overdrawn_stored_ledger_is_refused() {
        let json = r#"{"epsilon_budget":"1","spent_thousandths":1001}"#;
        assert!(
            serde_json::from_str::<Ledger>(json)
                .unwrap_err()
                .to_string()
                .contains("overdrawn")
        );
        let json = r#"{"epsilon_budget":"1","spent_thousandths":1000}"#;
        assert_eq!(
            serde_json::from_str::<Ledger>(json)
                .unwrap()
                .left_thousandths(),
            0
        );
    }

    proptest! {
        #[test]
        fn spending_is_the_sum_of_what_was_accepted(
            budget in 1..=Epsilon::THOUSANDTHS_MAX,
            prices in proptest::collection::vec(1..=Epsilon::THOUSANDTHS_MAX, 0..40),
        ) {
            let mut ledger = Ledger::new(Epsilon::from_thousandths(budget).unwrap());
            let mut paid = 0;
            for price in prices {
                match ledger.try_debit(Epsilon::from_thousandths(price).unwrap()) {
                    Ok(next) => { paid += price; ledger = next; }
                    Err(refused) => prop_assert!(price > refused.left_thousandths),
                }
                prop_assert_eq!(ledger.spent_thousandths(), paid);
                prop_assert!(paid <= budget);
            }
            let json = serde_json::to_string(&ledger).unwrap();
            prop_assert_eq!(serde_json::from_str::<Ledger>(&json).unwrap(), ledger);
        }
    }
}
