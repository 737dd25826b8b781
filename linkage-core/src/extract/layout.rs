//! How the cells of a request lie: which owner contributes what, and in which order cells come.

use super::ExtractRequest;
use super::catalogue::{Catalogue, CatalogueEntry};
use crate::disclosure::release::Axis;

/// The dimensions of a request with their values, and its sides: one for each owner that the
/// request names. Both owners and the analyst derive it from the same request and catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    dimensions: Vec<Dimension>,
    sides: Vec<Side>,
}

/// A dimension of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Dimension {
    /// The attribute by its name for people, or else in requests, and its values that are asked
    /// for.
    axis: Axis,
    side: usize,
    stride: usize,
}

/// What one owner contributes: a category for each of its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    party: String,
    size: usize,
    parts: Vec<Part>,
}

/// An attribute's share in a category.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    attribute: String,
    /// What a step in this attribute adds to the category; zero if the attribute only restricts.
    stride: usize,
    /// The place of each value of the catalogue among those asked for.
    places: Vec<Option<usize>>,
}

impl Layout {
    /// The layout of `request`, which was read with `catalogue`; none if it was read with another.
    pub fn new(request: &ExtractRequest, catalogue: &Catalogue) -> Option<Self> {
        let mut sides: Vec<Side> = request.parties().into_iter().map(Side::of).collect();
        let mut dimensions = Vec::new();
        // Backwards: the last dimension of an owner is the fastest.
        for named in request.dimensions().iter().rev() {
            let entry = catalogue.entry(&named.party, &named.attribute)?;
            let at = sides.iter().position(|side| side.party == named.party)?;
            let side = sides.get_mut(at)?;
            let asked = request.values_asked(entry);
            dimensions.push(Dimension {
                axis: Axis {
                    owner: named.party.clone(),
                    name: (entry.title.as_ref()).unwrap_or(&named.attribute).clone(),
                    labels: asked.iter().map(|value| (*value).to_owned()).collect(),
                },
                side: at,
                stride: side.size,
            });
            side.parts.push(Part::new(entry, &asked, side.size));
            side.size = side.size.checked_mul(asked.len())?;
        }
        dimensions.reverse();
        for filter in request.filters() {
            let is_dimension = request.dimensions().iter().any(|named| {
                (&named.party, &named.attribute) == (&filter.party, &filter.attribute)
            });
            if !is_dimension {
                let entry = catalogue.entry(&filter.party, &filter.attribute)?;
                let side = sides.iter_mut().find(|side| side.party == filter.party)?;
                let asked = request.values_asked(entry);
                side.parts.push(Part::new(entry, &asked, 0));
            }
        }
        Some(Self { dimensions, sides })
    }

    /// The dimensions in the order in which they are asked for: names for people, or else those in
    /// requests, and the values that are asked for.
    pub fn axes(&self) -> impl Iterator<Item = &Axis> {
        self.dimensions.iter().map(|dimension| &dimension.axis)
    }

    /// One side for each owner, in the order in which the request names them.
    pub fn sides(&self) -> &[Side] {
        &self.sides
    }

    /// The side of an owner.
    pub fn side(&self, party: &str) -> Option<&Side> {
        self.sides.iter().find(|side| side.party == party)
    }

    /// Number of cells.
    pub fn cells(&self) -> usize {
        self.sides.iter().map(|side| side.size).product()
    }

    /// The side that encrypts in a table of two: the one with fewer categories, as the work grows
    /// with the encrypted side, or else the first. None if there is one side only.
    pub fn encrypting(&self) -> Option<&Side> {
        match self.sides.as_slice() {
            [first, second] if second.size < first.size => Some(second),
            [first, _] => Some(first),
            _ => None,
        }
    }

    /// Cells in the order of the dimensions, the last one fastest, of cells by category: those of
    /// `rows` down the side and those of the other side, if there is one, across. Cells that are
    /// not there are left out.
    pub fn in_order<T: Copy>(&self, rows: &Side, cells: &[T]) -> Vec<T> {
        let across = self.cells() / rows.size.max(1);
        let by_side = |index: usize| {
            let mut rest = index;
            let (mut row, mut column) = (0, 0);
            for dimension in self.dimensions.iter().rev() {
                let size = dimension.axis.labels.len();
                let is_row = self.sides.get(dimension.side) == Some(rows);
                let category = if is_row { &mut row } else { &mut column };
                *category += rest % size * dimension.stride;
                rest /= size;
            }
            row * across + column
        };
        (0..self.cells())
            .filter_map(|index| cells.get(by_side(index)).copied())
            .collect()
    }
}

impl Side {
    fn of(party: &str) -> Self {
        Self {
            party: party.to_owned(),
            size: 1,
            parts: Vec::new(),
        }
    }

    /// The owner.
    pub fn party(&self) -> &str {
        &self.party
    }

    /// Number of categories.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The attributes that the owner needs for its categories.
    pub fn attributes(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().map(|part| part.attribute.as_str())
    }

    /// The category of a record by its values, which are numbers in the catalogue's order, of
    /// [`Side::attributes`]; none if it has no value of one, or one that was not asked for.
    pub fn category(&self, values: impl IntoIterator<Item = Option<u16>>) -> Option<u16> {
        let mut category = 0;
        let mut values = values.into_iter();
        for part in &self.parts {
            let place = part.places.get(usize::from(values.next()??)).copied()??;
            category += part.stride * place;
        }
        u16::try_from(category).ok()
    }
}

impl Part {
    fn new(entry: &CatalogueEntry, asked: &[&str], stride: usize) -> Self {
        let place = |value: &String| asked.iter().position(|asked| asked == value);
        Self {
            attribute: entry.attribute.clone(),
            stride,
            places: entry.values.iter().map(place).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Entity;

    fn catalogue() -> Catalogue {
        let entry = |party: &str, attribute: &str, values: &[&str]| CatalogueEntry {
            party: party.into(),
            attribute: attribute.into(),
            title: None,
            values: values.iter().map(|value| (*value).into()).collect(),
        };
        let entries = vec![
            entry("a", "x", &["x0", "x1", "x2"]),
            entry("a", "y", &["y0", "y1"]),
            entry("b", "z", &["z0", "z1", "z2", "z3"]),
            entry("b", "w", &["w0", "w1"]),
        ];
        Catalogue::new(Entity::Persons, entries).unwrap()
    }

    fn layout(sql: &str) -> Layout {
        let catalogue = catalogue();
        let request = ExtractRequest::parse(sql, &catalogue).unwrap();
        Layout::new(&request, &catalogue).unwrap()
    }

    #[test]
    fn an_owners_dimensions_make_one_category() {
        let layout = layout("SELECT a.x, b.z, a.y, count(*) FROM persons GROUP BY 1, 2, 3");
        let [a, b] = layout.sides() else { panic!() };
        assert_eq!((a.party(), a.size(), b.party(), b.size()), ("a", 6, "b", 4));
        assert_eq!(layout.encrypting().unwrap().party(), "b");
        assert_eq!(a.attributes().collect::<Vec<_>>(), ["y", "x"]);
        assert_eq!(a.category([Some(1), Some(2)]), Some(5));
        assert_eq!(a.category([None, Some(2)]), None);
        assert_eq!(a.category([Some(1)]), None);
    }

    /// What each cell counts, told by its own category, stands where its labels say.
    #[test]
    fn cells_come_in_the_order_of_the_dimensions() {
        let layout = layout("SELECT a.x, b.z, a.y, count(*) FROM persons GROUP BY 1, 2, 3");
        let [a, b] = layout.sides() else { panic!() };
        for (rows, columns) in [(a, b), (b, a)] {
            let mut cells = vec![(9, 9, 9); layout.cells()];
            for x in 0..3 {
                for y in 0..2 {
                    for z in 0..4 {
                        let (of_a, of_b) = (
                            a.category([Some(y), Some(x)]).unwrap(),
                            b.category([Some(z)]).unwrap(),
                        );
                        let (row, column) = if rows == a {
                            (of_a, of_b)
                        } else {
                            (of_b, of_a)
                        };
                        cells[usize::from(row) * columns.size() + usize::from(column)] = (x, z, y);
                    }
                }
            }
            let mut expected = vec![];
            for x in 0..3 {
                for z in 0..4 {
                    expected.extend([(x, z, 0), (x, z, 1)]);
                }
            }
            assert_eq!(layout.in_order(rows, &cells), expected);
        }
    }

    #[test]
    fn a_restriction_leaves_out_values_and_records() {
        let layout = layout(
            "SELECT b.z, count(*) FROM persons WHERE b.z IN ('z3', 'z1') AND a.y IN ('y1') \
             AND b.w IN ('w0') GROUP BY 1",
        );
        let [b, a] = layout.sides() else { panic!() };
        let axes: Vec<&Axis> = layout.axes().collect();
        assert_eq!(axes[0].labels, ["z1", "z3"]);
        assert_eq!((b.size(), a.size()), (2, 1));
        assert_eq!(layout.encrypting().unwrap().party(), "a");
        assert_eq!(b.attributes().collect::<Vec<_>>(), ["z", "w"]);
        assert_eq!(b.category([Some(3), Some(0)]), Some(1));
        assert_eq!(b.category([Some(3), Some(1)]), None);
        assert_eq!(b.category([Some(2), Some(0)]), None);
        assert_eq!(a.category([Some(1)]), Some(0));
        assert_eq!(a.category([Some(0)]), None);
        assert_eq!(layout.in_order(b, &[7, 8]), [7, 8]);
        assert_eq!(layout.in_order(a, &[7, 8]), [7, 8]);
    }

    #[test]
    fn one_owner_alone_has_one_side() {
        let layout = layout("SELECT a.x, a.y, count(*) FROM persons GROUP BY 1, 2");
        assert_eq!(layout.encrypting(), None);
        let [a] = layout.sides() else { panic!() };
        assert_eq!(layout.in_order(a, &[0, 1, 2, 3, 4, 5]), [0, 1, 2, 3, 4, 5]);
    }
}
