//! The enterprises behind the data: legal units, their branches, individual businesses.
//!
//! Of 1 000 legal units 100 share a brand within groups of 2, 3 and 5, and 60 have 1 to 3 branches,
//! which are enterprises of their own. To each legal unit come 2.9 individual businesses (economic
//! census of 2018). All of that follows from an enterprise's index.

pub mod codes;
pub mod department;
pub mod name;
pub mod record;
mod seat;

use std::sync::LazyLock;

pub use department::{Department, IDENTIFYING_COLUMNS};
pub use name::CompanyName;
pub use seat::Kind;

use crate::data::companies::{
    COOPERATIVE_FORM, FACTORIES, FACTORY_FORM, INDIVIDUAL_FORMS, SECTIONS, Section, UNIT_FORMS,
};
use crate::data::given_names::characters;
use crate::data::places::{CITIES, City};
use crate::data::regions::{GUANGDONG, county_codes};
use crate::data::surnames::SURNAMES;
use crate::population::Sex;
use crate::population::address::Address;
use crate::population::person::mobile_number;
use crate::settings::Settings;
use crate::stream::{Purpose, Stream, Weighted, happens, mix};
use codes::Registrant;
use name::Region;
use seat::Seat;

/// Changes per half-year in 10 000: of legal representative 6 % a year, of address 7 % a year, of
/// name 4 % a year.
pub(crate) const SUCCESSIONS: u64 = 305;
pub(crate) const MOVES: u64 = 356;
pub(crate) const RENAMINGS: u64 = 202;

/// An enterprise with what is true of it.
#[derive(Clone, Debug)]
pub struct Enterprise {
    /// What it is.
    pub kind: Kind,
    /// Name.
    pub name: CompanyName,
    /// Unified social credit code.
    pub uscc: String,
    /// Organisation code, which is part of it.
    pub org_code: String,
    /// Registration number; those founded since October 2015 have none.
    pub registration_number: Option<String>,
    /// Name of the legal representative: surname and given name.
    pub representative: (&'static str, String),
    /// Telephone.
    pub phone: String,
    /// Address.
    pub address: Address,
    /// Industry section (GB/T 4754-2017).
    pub section: &'static str,
    /// `micro`, `small`, `medium`, `large`.
    pub size: &'static str,
    /// `private`, `state`, `hmt` (Hong Kong, Macau, Taiwan), `foreign`, `other`.
    pub ownership: &'static str,
    /// Credit standing, `A` to `D`, which follows size and age.
    pub rating: &'static str,
}

/// The enterprises of a seed.
#[derive(Clone, Debug)]
pub struct Register {
    seed: u64,
    realistic: bool,
    individuals: bool,
}

static CITY_TABLE: LazyLock<Weighted<&'static City>> =
    LazyLock::new(|| Weighted::new(CITIES.iter().map(|city| (city, city.enterprises))));
static UNIT_SECTIONS: LazyLock<Weighted<&'static Section>> =
    LazyLock::new(|| Weighted::new(SECTIONS.iter().map(|section| (section, section.units))));
static SMALL_SECTIONS: LazyLock<Weighted<&'static Section>> = LazyLock::new(|| {
    Weighted::new(
        SECTIONS
            .iter()
            .map(|section| (section, section.individuals)),
    )
});
static UNIT_FORM_TABLE: LazyLock<Weighted<&'static [&'static str]>> =
    LazyLock::new(|| Weighted::new(UNIT_FORMS.iter().copied()));
static SMALL_FORM_TABLE: LazyLock<Weighted<&'static [&'static str]>> =
    LazyLock::new(|| Weighted::new(INDIVIDUAL_FORMS.iter().copied()));
static WITHDRAWN: LazyLock<Vec<u32>> = LazyLock::new(|| county_codes(GUANGDONG).collect());

impl Register {
    /// The register that the settings describe, as large as it can be.
    pub fn new(settings: &Settings) -> Self {
        Self {
            seed: settings.seed,
            realistic: settings.realistic_ids,
            individuals: settings.individual_businesses,
        }
    }

    fn seat(&self, index: u32) -> Option<Seat> {
        Seat::at(index, self.individuals)
    }

    /// What the enterprise with this index is, without working out the rest.
    pub fn kind(&self, index: u32) -> Option<Kind> {
        self.seat(index).map(Seat::kind)
    }

    /// The enterprise with this index; `None` beyond the register.
    pub fn enterprise(&self, index: u32) -> Option<Enterprise> {
        Some(self.enterprise_at(self.seat(index)?))
    }

    fn enterprise_at(&self, seat: Seat) -> Enterprise {
        let kind = seat.kind();
        let name = self.name(seat, 0);
        let mut stream = self.stream(Purpose::Attribute, 0, seat);
        let small = kind == Kind::Individual;
        let drawn = stream.below(1_000);
        // Shares of the economic census of 2018.
        let size = match drawn {
            _ if small => "micro",
            0..853 => "micro",
            853..985 => "small",
            985..998 => "medium",
            _ => "large",
        };
        // National shares, those from abroad six times as frequent in Guangdong: an assumption.
        let ownership = match stream.below(1_000) {
            _ if small || kind == Kind::Cooperative => "private",
            0..841 => "private",
            841..845 => "state",
            845..881 => "hmt",
            881..917 => "foreign",
            _ => "other",
        };
        let since_2015 = small || stream.chance(6_500);
        let older = if since_2015 { 0 } else { 15 };
        let rating = match stream.below(100) as i32 + older + (drawn as i32 - 853).max(0) / 8 {
            100.. => "A",
            55..100 => "B",
            15..55 => "C",
            _ => "D",
        };
        let region = self.region(&name);
        let body = codes::organisation_body(self.seed, seat.number, since_2015);
        let org_code = codes::organisation_code(&body);
        let class = match kind {
            Kind::Company | Kind::Branch => "91",
            Kind::Individual => "92",
            Kind::Cooperative => "93",
        };
        let registrant = match (kind, ownership) {
            (Kind::Individual, _) => Registrant::Individual,
            (_, "hmt" | "foreign") => Registrant::Foreign,
            _ => Registrant::Domestic,
        };
        Enterprise {
            kind,
            uscc: codes::credit_code(class, region, &org_code),
            org_code,
            registration_number: (!since_2015)
                .then(|| codes::registration_number(self.seed, region, registrant, seat.number)),
            representative: self.representative(seat, 0),
            phone: self.phone(seat),
            address: self.address(seat, &name, 0),
            section: self.section(seat).letter,
            size,
            ownership,
            rating,
            name,
        }
    }

    /// The code of the place of registration: one and the same for a district.
    fn region(&self, name: &CompanyName) -> u32 {
        let districts = CITIES
            .iter()
            .flat_map(|city| city.districts.iter().map(move |d| (city, d)));
        let found = districts
            .zip(0..)
            .find(|((city, district), _)| city.name == name.city && district.0 == name.district);
        let Some(((_, district), ordinal)) = found else {
            return 0;
        };
        let withdrawn = WITHDRAWN.get(ordinal % WITHDRAWN.len().max(1));
        match withdrawn {
            Some(&code) if !self.realistic => code,
            _ => district.1,
        }
    }

    fn section(&self, seat: Seat) -> &'static Section {
        let seat = seat.parent().unwrap_or(seat);
        let mut stream = self.stream(Purpose::Enterprise, 1, seat);
        match seat.kind() {
            Kind::Individual => SMALL_SECTIONS.pick(&mut stream),
            _ => UNIT_SECTIONS.pick(&mut stream),
        }
    }

    /// The name; after so many changes back, the earlier one.
    fn name(&self, seat: Seat, renamings: u64) -> CompanyName {
        if let Some(parent) = seat.parent() {
            let mut stream = self.stream(Purpose::Enterprise, 2, seat);
            let city = CITY_TABLE.pick(&mut stream);
            let mut name = self.name(parent, renamings);
            name.branch = name::branch(&mut stream, city, seat.place % 3);
            return name;
        }
        let kind = seat.kind();
        let mut stream = self.stream(Purpose::Enterprise, 0, seat);
        let mut shared = Stream::open(self.seed, Purpose::Brand, 0, seat.brand());
        let (shared_city, shared_brand) = (CITY_TABLE.pick(&mut shared), name::brand(&mut shared));
        // Groups stay in one city in two cases of three: an assumption.
        let own_city = CITY_TABLE.pick(&mut stream);
        let city = if stream.chance(6_667) {
            shared_city
        } else {
            own_city
        };
        let district = stream.pick(city.districts).0;
        let region = CompanyName::region(&mut stream);
        let section = self.section(seat);
        let small = kind == Kind::Individual;
        let trades = stream.pick(if small {
            section.small_trades
        } else {
            section.trades
        });
        let forms = match kind {
            Kind::Individual => SMALL_FORM_TABLE.pick(&mut stream),
            Kind::Cooperative => COOPERATIVE_FORM,
            _ if section.letter == "C" && stream.below(1_000) < FACTORIES => FACTORY_FORM,
            _ => UNIT_FORM_TABLE.pick(&mut stream),
        };
        let words = trades.split(' ').count() as u32;
        let trade = trades.split(' ').nth(stream.below(words) as usize);
        let mut name = CompanyName {
            region: if small {
                Region::of_individual(region)
            } else {
                region
            },
            city: city.name,
            district,
            brand: shared_brand,
            trade: trade.unwrap_or(trades),
            form: forms.first().copied().unwrap_or_default(),
            branch: String::new(),
            trades,
            forms,
        };
        if renamings > 0 {
            let mut earlier = self.stream(Purpose::Renaming, renamings, seat);
            name.brand = name::brand(&mut earlier);
        }
        name
    }

    /// The legal representative; after so many changes back, the earlier one.
    fn representative(&self, seat: Seat, successions: u64) -> (&'static str, String) {
        let mut stream = self.stream(Purpose::Representative, successions, seat);
        // Three of four are men; ages 25 to 65: assumptions.
        let sex = if stream.chance(7_500) {
            Sex::Male
        } else {
            Sex::Female
        };
        let (table, single) = characters(sex, 1959 + stream.below(40) as i16);
        let surname = SURNAMES.pick(&mut stream);
        let mut given = String::from(table.pick(&mut stream));
        if !stream.chance(single) {
            given.push(table.pick(&mut stream));
        }
        (surname, given)
    }

    fn phone(&self, seat: Seat) -> String {
        mobile_number(&mut self.stream(Purpose::Mobile, 1 << 32, seat))
    }

    fn address(&self, seat: Seat, name: &CompanyName, moves: u64) -> Address {
        let mut stream = self.stream(Purpose::Address, (1 << 32) + moves, seat);
        let city = match CITIES.iter().find(|city| city.name == name.city) {
            // A branch is elsewhere than its company.
            Some(city) if name.branch.is_empty() => city,
            _ => CITY_TABLE.pick(&mut self.stream(Purpose::Enterprise, 2, seat)),
        };
        let district = if moves == 0 && name.branch.is_empty() {
            name.district
        } else {
            stream.pick(city.districts).0
        };
        Address::within(&mut stream, city, district)
    }

    fn stream(&self, purpose: Purpose, scope: u64, seat: Seat) -> Stream {
        Stream::open(self.seed, purpose, scope, seat.number)
    }

    /// Changes in the last `lag` half-years.
    fn changes(&self, index: u32, purpose: Purpose, lag: u32, rate: u64) -> u64 {
        let Some(seat) = self.seat(index) else {
            return 0;
        };
        let scope = |half: u32| (1 << 32) + u64::from(half);
        let changed = |half: &u32| happens(self.seed, purpose, scope(*half), seat.number, rate);
        (0..lag).filter(changed).count() as u64
    }

    /// The name before a change within the last half-year.
    pub(crate) fn former_name(&self, index: u32) -> Option<CompanyName> {
        let changed = self.changes(index, Purpose::Renaming, 1, RENAMINGS) > 0;
        changed.then(|| Some(self.name(self.seat(index)?, 1)))?
    }

    /// The legal representative `lag` half-years ago, if it was another.
    pub(crate) fn former_representative(
        &self,
        index: u32,
        lag: u32,
    ) -> Option<(&'static str, String)> {
        let changes = self.changes(index, Purpose::NewRepresentative, lag, SUCCESSIONS);
        (changes > 0).then(|| Some(self.representative(self.seat(index)?, changes)))?
    }

    /// The address `lag` half-years ago, if it was another.
    pub(crate) fn former_address(&self, index: u32, lag: u32) -> Option<Address> {
        let changes = self.changes(index, Purpose::Move, lag, MOVES);
        let seat = self.seat(index).filter(|_| changes > 0)?;
        Some(self.address(seat, &self.name(seat, 0), changes))
    }

    /// A number that the department of this scope gave the enterprise itself.
    pub(crate) fn own_number(&self, index: u32, scope: u64) -> String {
        let number = self.seat(index).map_or(0, |seat| seat.number);
        let digits = mix([self.seed, Purpose::Code as u64, scope, number]) % 10_000_000_000;
        format!("{digits:010}")
    }
}

#[cfg(test)]
mod tests;
