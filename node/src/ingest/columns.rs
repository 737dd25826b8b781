//! Which column of a source is what in the schema.

use std::collections::HashMap;
use std::path::Path;

use linkage_core::schema::Schema;

use super::Error;

/// Places of the schema's columns in a source's header.
pub(super) struct Columns {
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
    /// Finds the schema's columns in `header`.
    ///
    /// # Errors
    /// [`Error::DuplicateColumn`] and [`Error::MissingColumns`].
    pub(super) fn new(path: &Path, header: Vec<String>, schema: &Schema) -> Result<Self, Error> {
        for (at, column) in header.iter().enumerate() {
            if header.iter().take(at).any(|before| before == column) {
                return Err(Error::DuplicateColumn {
                    path: path.into(),
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
                path: path.into(),
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

    /// Places of the columns that are used.
    pub(super) fn needed(&self) -> Vec<usize> {
        let attributes = self.attributes.iter().flatten();
        let attributes = attributes.map(|attribute| attribute.column);
        let fields = self.fields.iter().copied();
        std::iter::once(self.id)
            .chain(fields)
            .chain(attributes)
            .collect()
    }
}
