//! How often each field goes wrong, per department.
//!
//! No per-field rates of Chinese departments are published. These are reasoned defaults, between
//! the 0.11 % wrong dates and sexes of English hospital records (Harron et al., BMC Medical
//! Research Methodology 17, 2017) and the 12 to 18 % name disagreement of self-reported cohorts;
//! counts from real nodes should replace them.

use crate::department::Department;
use crate::settings::ErrorLevel;

/// Rates in units of 0.01 %.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    pub(crate) mobile_other: u32,
    pub(crate) address_missing: u32,
    pub(crate) address_moved: u32,
    /// Fields written with full-width digits: 1.5 % of real addresses.
    pub(crate) full_width: u32,
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
};

const CREDIT: Rates = Rates {
    name: 100,
    birth_date: 50,
    sex: 20,
    id_missing: 50,
    id_wrong: 30,
    id_relative: 5,
    id_relative_infant: 5,
    mobile_missing: 500,
    mobile_other: 800,
    address_missing: 1_000,
    address_moved: 1_000,
    full_width: 30,
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
};

const HEALTH_DIRTY: Rates = Rates {
    name: 2_000,
    birth_date: 600,
    sex: 100,
    id_missing: 4_000,
    id_wrong: 500,
    id_relative: 150,
    id_relative_infant: 500,
    mobile_missing: 2_000,
    mobile_other: 4_000,
    address_missing: 2_000,
    address_moved: 3_500,
    full_width: 150,
};

impl Rates {
    /// The rates of a department. Dirty health has rates of its own; the other two departments
    /// then take three times theirs.
    pub(crate) fn of(department: Department, level: ErrorLevel) -> Self {
        let dirty = level == ErrorLevel::Dirty;
        match department {
            Department::SocialSecurity if dirty => SOCIAL_SECURITY.tripled(),
            Department::SocialSecurity => SOCIAL_SECURITY,
            Department::Credit if dirty => CREDIT.tripled(),
            Department::Credit => CREDIT,
            Department::Health if dirty => HEALTH_DIRTY,
            Department::Health => HEALTH,
        }
    }

    fn tripled(self) -> Self {
        Self {
            name: self.name * 3,
            birth_date: self.birth_date * 3,
            sex: self.sex * 3,
            id_missing: self.id_missing * 3,
            id_wrong: self.id_wrong * 3,
            id_relative: self.id_relative * 3,
            id_relative_infant: self.id_relative_infant * 3,
            mobile_missing: self.mobile_missing * 3,
            mobile_other: self.mobile_other * 3,
            address_missing: self.address_missing * 3,
            address_moved: self.address_moved * 3,
            full_width: self.full_width,
        }
    }
}
