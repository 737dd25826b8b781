//! Which entities a department's rows are about, row by row, by arithmetic alone.

use crate::permutation::Permutation;
use crate::settings::{Error, Extent, Settings, entities_for_records};
use crate::stream::{Purpose, mix};

/// A place at which a row may stand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Visit {
    /// Index of the entity; in an overlap, its rank among the entities admitted there.
    pub(crate) entity: u64,
    /// Which of the department's rows about the entity.
    pub(crate) copy: u64,
}

/// What a department is to the plan.
pub(crate) struct Shape {
    /// Separates the departments' random orders.
    pub(crate) scope: u64,
    /// Position among all departments, and how many there are.
    pub(crate) rank: u64,
    pub(crate) departments: u64,
    /// Rows it may have about one entity.
    pub(crate) copies: u64,
    /// Rows per 10 000 entities, rounded down.
    pub(crate) rows_per_10_000: u64,
    /// How many entities there can be, and what they are called.
    pub(crate) entities_max: u64,
    pub(crate) entities_name: &'static str,
}

/// A department's visits in shuffled order, which tells nothing about who is who.
pub(crate) struct Plan {
    order: Permutation,
    visits: u64,
    rows_max: u64,
    way: Way,
}

enum Way {
    Population {
        copies: u64,
    },
    Overlap {
        common: u64,
        own_start: u64,
        scatter: Permutation,
    },
}

impl Plan {
    pub(crate) fn new(settings: &Settings, shape: &Shape) -> Result<Self, Error> {
        let key = |purpose: Purpose, scope| mix([settings.seed, purpose as u64, scope, 0]);
        let within = |asked: u64| {
            let max = shape.entities_max;
            if asked > max {
                let what = shape.entities_name;
                return Err(Error::TooMany { what, asked, max });
            }
            Ok(asked)
        };
        let (visits, rows_max, way) = match settings.extent {
            Extent::Entities(entities) => {
                let copies = shape.copies;
                let entities = within(u64::from(entities))?;
                (entities * copies, u64::MAX, Way::Population { copies })
            }
            Extent::Records(records) => {
                let copies = shape.copies;
                let entities = within(entities_for_records(records, shape.rows_per_10_000))?;
                (entities * copies, records, Way::Population { copies })
            }
            Extent::Overlap { rows, common } => {
                let (rows, common) = (u64::from(rows), u64::from(common));
                let own = rows - common;
                let total = within(common + shape.departments * own)?;
                let way = Way::Overlap {
                    common,
                    own_start: common + shape.rank * own,
                    scatter: Permutation::new(total, key(Purpose::Scatter, 0)),
                };
                (rows, rows, way)
            }
        };
        Ok(Self {
            order: Permutation::new(visits, key(Purpose::Order, shape.scope)),
            visits,
            rows_max,
            way,
        })
    }

    /// How many visits there are; most may give no row.
    pub(crate) fn visits(&self) -> u64 {
        self.visits
    }

    /// After how many rows to stop.
    pub(crate) fn rows_max(&self) -> u64 {
        self.rows_max
    }

    /// Whether every visit gives a row.
    pub(crate) fn is_overlap(&self) -> bool {
        matches!(self.way, Way::Overlap { .. })
    }

    /// The visit at this position.
    pub(crate) fn at(&self, position: u64) -> Visit {
        let visit = self.order.apply(position);
        match &self.way {
            Way::Population { copies } => Visit {
                entity: visit / copies,
                copy: visit % copies,
            },
            Way::Overlap {
                common,
                own_start,
                scatter,
            } => {
                let rank = if visit < *common {
                    visit
                } else {
                    own_start + visit - common
                };
                Visit {
                    entity: scatter.apply(rank),
                    copy: 0,
                }
            }
        }
    }
}
