//! How often each field of a person goes wrong, per department.
//!
//! No per-field rates of Chinese departments are published. These are reasoned defaults, between
//! the 0.11 % wrong dates and sexes of English hospital records (Harron et al., BMC Medical
//! Research Methodology 17, 2017) and the 12 to 18 % name disagreement of self-reported cohorts;
//! counts from real nodes should replace them.
//!
//! A department writes a person down some half-years before the reference date and sees the phone
//! and address of that time. The rates of other phones and addresses are totals: what a lag does
//! not explain is made up by phones and addresses that the person never had otherwise.

use crate::department::Department;
use crate::settings::ErrorLevel;

/// Rates in units of 0.01 %.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rates {
    pub(crate) name: u32,
    pub(crate) birth_date: u32,
    pub(crate) sex: u32,
    pub(crate) id_missing: u32,
    pub(crate) id_wrong: u32,
    pub(crate) id_relative: u32,
    /// The same for children under 6.
    pub(crate) id_relative_infant: u32,
    pub(crate) mobile_missing: u32,
    /// A number that is not the present one, whatever the reason.
    pub(crate) mobile_other: u32,
    pub(crate) address_missing: u32,
    /// An address that is not the present one, whatever the reason.
    pub(crate) address_moved: u32,
    /// Fields written with full-width digits: 1.5 % of real addresses.
    pub(crate) full_width: u32,
    /// Children under one year entered under the mother's name.
    pub(crate) newborn: u32,
    /// Those with a Hong Kong spelling entered under it.
    pub(crate) romanised: u32,
    /// Names with interpunct written with another mark, or none.
    pub(crate) interpunct: u32,
    /// Those with a travel permit who show it instead of the residence permit.
    pub(crate) other_document: u32,
    /// Half-years since a record was written: 0 up to this, all equally likely. The largest lag
    /// whose changes of phone alone do not exceed `mobile_other`.
    pub(crate) lag_max: u32,
}

const SOCIAL_SECURITY: Rates = Rates {
    name: 100,
    birth_date: 20,
    sex: 10,
    id_missing: 20,
    id_wrong: 20,
    id_relative: 5,
    id_relative_infant: 5,
    mobile_missing: 800,
    mobile_other: 1_000,
    address_missing: 1_500,
    address_moved: 1_000,
    full_width: 30,
    newborn: 0,
    romanised: 1_000,
    interpunct: 1_000,
    other_document: 2_000,
    lag_max: 3,
};

const TAX: Rates = Rates {
    name: 150,
    birth_date: 0,
    sex: 0,
    id_missing: 100,
    id_wrong: 50,
    id_relative: 10,
    id_relative_infant: 10,
    mobile_missing: 1_500,
    mobile_other: 2_000,
    address_missing: 2_000,
    address_moved: 1_500,
    romanised: 3_000,
    lag_max: 8,
    ..SOCIAL_SECURITY
};

const CREDIT: Rates = Rates {
    birth_date: 50,
    sex: 20,
    id_missing: 50,
    id_wrong: 30,
    mobile_missing: 500,
    mobile_other: 800,
    address_missing: 1_000,
    address_moved: 1_000,
    romanised: 4_000,
    other_document: 5_000,
    lag_max: 2,
    ..SOCIAL_SECURITY
};

const HEALTH: Rates = Rates {
    name: 600,
    birth_date: 200,
    sex: 50,
    id_missing: 1_500,
    id_wrong: 200,
    id_relative: 50,
    id_relative_infant: 500,
    mobile_missing: 1_000,
    mobile_other: 3_000,
    address_missing: 1_000,
    address_moved: 2_500,
    full_width: 150,
    newborn: 3_000,
    romanised: 1_000,
    interpunct: 3_000,
    other_document: 4_000,
    lag_max: 13,
};

const HEALTH_DIRTY: Rates = Rates {
    name: 2_000,
    birth_date: 600,
    sex: 100,
    id_missing: 4_000,
    id_wrong: 500,
    id_relative: 150,
    mobile_missing: 2_000,
    mobile_other: 4_000,
    address_missing: 2_000,
    address_moved: 3_500,
    interpunct: 5_000,
    lag_max: 25,
    ..HEALTH
};

impl Rates {
    /// The rates of a department.
    pub(crate) fn of(department: Department, level: ErrorLevel) -> Self {
        match (level, department) {
            (ErrorLevel::None, _) => Self::default(),
            (_, Department::SocialSecurity) => SOCIAL_SECURITY,
            (ErrorLevel::Dirty, Department::Health) => HEALTH_DIRTY,
            (_, Department::Health) => HEALTH,
            (_, Department::Credit) => CREDIT,
            (_, Department::Tax | Department::Market) => TAX,
        }
    }
}

/// Of 10 000 values that did not change within a lag of 0 to `lag_max` half-years, how many must
/// be wrong nevertheless for `total` of 10 000 records to be, `missing` having none. `change` is
/// the chance of a change in a half-year, in 10 000.
pub(crate) fn residual(total: u32, missing: u32, lag_max: u32, change: u64) -> u32 {
    let changed = change_rate(lag_max, change);
    let wanted = f64::from(total) / f64::from((10_000 - missing).max(1));
    ((wanted - changed).max(0.0) / (1.0 - changed) * 10_000.0).round() as u32
}

/// Share of values that changed within a lag of 0 to `lag_max` half-years, all equally likely.
fn change_rate(lag_max: u32, change: u64) -> f64 {
    let kept_each = 1.0 - change as f64 / 10_000.0;
    let mut kept = 1.0;
    let mut sum = 0.0;
    for _ in 0..=lag_max {
        sum += 1.0 - kept;
        kept *= kept_each;
    }
    sum / f64::from(lag_max + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::population::household::{MOVES, PHONE_CHANGES};

    #[test]
    fn lags_explain_no_more_than_the_totals() {
        for rates in [SOCIAL_SECURITY, TAX, CREDIT, HEALTH, HEALTH_DIRTY] {
            let phone = |lag| change_rate(lag, PHONE_CHANGES);
            let wanted = f64::from(rates.mobile_other) / f64::from(10_000 - rates.mobile_missing);
            assert!(phone(rates.lag_max) <= wanted, "{rates:?}");
            assert!(phone(rates.lag_max + 1) > wanted, "{rates:?}");
            let moved = f64::from(rates.address_moved) / f64::from(10_000 - rates.address_missing);
            assert!(change_rate(rates.lag_max, MOVES) <= moved, "{rates:?}");
        }
    }

    #[test]
    fn the_residual_completes_the_total() {
        let rest = f64::from(residual(3_000, 1_000, 13, PHONE_CHANGES)) / 10_000.0;
        let changed = change_rate(13, PHONE_CHANGES);
        let total = (changed + (1.0 - changed) * rest) * 0.9;
        assert!((total - 0.30).abs() < 0.0001, "{total}");
        assert_eq!(residual(0, 0, 0, PHONE_CHANGES), 0);
    }
}
