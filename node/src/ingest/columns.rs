//! Which column of a source is what in the schema.

use std::collections::{BTreeSet, HashMap};

use linkage_core::schema::Schema;

use super::Error;

/// Places of the schema's columns in a source's header.
pub struct Columns {
    pub(super) header: Vec<String>,
    pub(super) id: usize,
    pub(super) fields: Vec<usize>,
    pub(super) attributes: Vec<Option<AttributeColumn>>,
}

/// Where an attribute stands and which values it may have.
pub(super) struct AttributeColumn {
    pub(super) column: usize,
    pub(super) values: HashMap<String, u16>,
}

impl Columns {
    /// Finds the schema's columns in `header`, which stands at `place`.
    ///
    /// # Errors
    /// [`Error::DuplicateColumn`] and [`Error::MissingColumns`].
    pub(super) fn new(place: &str, header: Vec<String>, schema: &Schema) -> Result<Self, Error> {
        for (at, column) in header.iter().enumerate() {
            if header.iter().take(at).any(|before| before == column) {
                return Err(Error::DuplicateColumn {
                    place: place.to_owned(),
                    column: column.clone(),
                });
            }
        }
        let find = |name: &str| header.iter().position(|column| column == name);
        let missing: Vec<String> = schema
            .columns()
            .filter(|name| find(name).is_none())
            .map(str::to_owned)
            .collect();
        if !missing.is_empty() {
            return Err(Error::MissingColumns {
                place: place.to_owned(),
                missing,
                present: header,
            });
        }
        let mut columns = schema.columns().filter_map(find);
        let id = columns.next().unwrap_or(0);
        let fields = columns.collect();
        let attribute = |attribute: &linkage_core::schema::Attribute| {
            Some(AttributeColumn {
                column: find(attribute.column())?,
                values: attribute.values.iter().cloned().zip(0_u16..).collect(),
            })
        };
        let attributes = schema.attributes.iter().map(attribute).collect();
        Ok(Self {
            id,
            fields,
            attributes,
            header,
        })
    }

    /// Finds the schema's columns in `header`, of whose columns only those are read: their places,
    /// rising, and what is what among them.
    ///
    /// # Errors
    /// That columns are missing or twice there.
    pub fn chosen(
        place: &str,
        header: Vec<String>,
        schema: &Schema,
    ) -> Result<(Vec<usize>, Self), Error> {
        let all = Self::new(place, header.clone(), schema)?;
        let attributes = all.attributes.iter().flatten();
        let needed: BTreeSet<usize> = std::iter::once(all.id)
            .chain(all.fields.iter().copied())
            .chain(attributes.map(|attribute| attribute.column))
            .collect();
        let names = header.into_iter().enumerate();
        let names = names.filter(|(at, _)| needed.contains(at));
        let names = names.map(|(_, name)| name).collect();
        let chosen = Self::new(place, names, schema)?;
        Ok((needed.into_iter().collect(), chosen))
    }

    /// Number of columns.
    pub fn width(&self) -> usize {
        self.header.len()
    }
}
