//! Where each enterprise of a register stands: its kind, company and group, by its index.

use super::codes::ENTERPRISES_MAX;

/// Legal units of a block.
pub(super) const UNITS: u32 = 1_000;
/// Units of a block that share a brand: the first ones, in groups of 2, 3 and 5.
const GROUPED: u32 = 100;
const GROUP_OF: [u32; 10] = [0, 0, 1, 1, 1, 2, 2, 2, 2, 2];
/// Branches of a block: 20 units with one, 20 with two, 20 with three, after the grouped ones.
pub(super) const BRANCHES: u32 = 120;
pub(super) const INDIVIDUALS: u32 = 2_900;
/// Enterprises of a block, individual businesses included.
pub(super) const BLOCK: u32 = UNITS + BRANCHES + INDIVIDUALS;
/// Coprime to the sizes of blocks: neighbours in index are strangers.
const STRIDES: (u32, u32) = (1_597, 433);

/// Of the legal units of a block, individual businesses and cooperatives: credit codes of
/// enterprise registers begin with 91, 92, 93 in 97.6, 2.3 and 0.1 %.
pub(super) const UNIT_INDIVIDUALS: u32 = 23;
pub(super) const COOPERATIVES: u32 = 1;

/// What an enterprise is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Company, partnership or sole proprietorship: credit code `91`.
    Company,
    /// Individual business (个体工商户): `92`.
    Individual,
    /// Farmers' cooperative: `93`.
    Cooperative,
    /// A company's branch, with a credit code `91` of its own.
    Branch,
}

/// Where an enterprise stands: its number in the whole register, and in its block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seat {
    pub(super) number: u64,
    block: u64,
    pub(super) place: u32,
}

/// How many enterprises a register has at most.
pub(super) fn enterprises_max(individuals: bool) -> u32 {
    ENTERPRISES_MAX / BLOCK * block_size(individuals)
}

fn block_size(individuals: bool) -> u32 {
    if individuals { BLOCK } else { UNITS + BRANCHES }
}

impl Seat {
    /// The seat of the enterprise with this index, if the register has so many.
    pub(super) fn at(index: u32, individuals: bool) -> Option<Self> {
        if index >= enterprises_max(individuals) {
            return None;
        }
        let size = block_size(individuals);
        let stride = if individuals { STRIDES.0 } else { STRIDES.1 };
        let (block, place) = (u64::from(index / size), index % size * stride % size);
        Some(Self {
            number: block * u64::from(BLOCK) + u64::from(place),
            block,
            place,
        })
    }

    pub(super) fn kind(self) -> Kind {
        let last = UNITS - 1;
        match self.place {
            place if place > last - COOPERATIVES && place <= last => Kind::Cooperative,
            place if place > last - COOPERATIVES - UNIT_INDIVIDUALS && place <= last => {
                Kind::Individual
            }
            ..UNITS => Kind::Company,
            place if place < UNITS + BRANCHES => Kind::Branch,
            _ => Kind::Individual,
        }
    }

    /// The unit of which it is a branch.
    pub(super) fn parent(self) -> Option<Self> {
        let branch = self.place.checked_sub(UNITS).filter(|&b| b < BRANCHES)?;
        // 20 branches of units with one, 40 of those with two, 60 of those with three.
        let unit = match branch {
            0..20 => branch,
            20..60 => 20 + (branch - 20) / 2,
            _ => 40 + (branch - 60) / 3,
        };
        Some(self.moved(GROUPED + unit))
    }

    fn moved(self, place: u32) -> Self {
        Self {
            number: self.block * u64::from(BLOCK) + u64::from(place),
            place,
            ..self
        }
    }

    /// What those who share a brand have in common: the first seat of their group.
    pub(super) fn brand(self) -> u64 {
        if self.place >= GROUPED {
            return self.number;
        }
        let group = GROUP_OF.get((self.place % 10) as usize).copied();
        let first = GROUP_OF.iter().position(|&other| Some(other) == group);
        let place = self.place / 10 * 10 + first.unwrap_or_default() as u32;
        self.moved(place).number
    }
}
