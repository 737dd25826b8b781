//! The table of roles: which parties may call which procedure.

use std::collections::HashMap;

use prost::Message;
use prost_types::FileDescriptorSet;
use thiserror::Error;

use super::Denial;
use crate::identity::{Identity, Role};

/// One row of a [`Table`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// The procedure's path, `/<package>.<service>/<method>`.
    pub path: &'static str,
    /// Who may call it.
    pub roles: &'static [Role],
    /// Of which party.
    pub party: Party,
}

/// Whose parties a [`Rule`] lets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Party {
    /// Those of every party.
    Any,
    /// Those of the node's own party: another department's operator has the right role and no
    /// business here.
    Own,
}

/// Which parties may call which procedure. What is not in it, nobody may call.
#[derive(Debug, Clone)]
pub struct Table {
    party: String,
    rules_by_path: HashMap<&'static str, Rule>,
}

impl Table {
    /// Makes the table of a node that `party` runs.
    ///
    /// # Errors
    /// [`TableError::Twice`] if a procedure has two rows, of which one would be silently lost.
    pub fn new(party: &str, rules: &[Rule]) -> Result<Self, TableError> {
        let mut rules_by_path = HashMap::with_capacity(rules.len());
        for rule in rules {
            if rules_by_path.insert(rule.path, *rule).is_some() {
                return Err(TableError::Twice { path: rule.path });
            }
        }
        Ok(Self {
            party: party.to_owned(),
            rules_by_path,
        })
    }

    /// Decides on a call; gives the table's own spelling of the path.
    pub(super) fn decide(
        &self,
        path: &str,
        caller: &Identity,
    ) -> Result<&'static str, (Denial, Option<&'static str>)> {
        let Some(rule) = self.rules_by_path.get(path) else {
            return Err((Denial::UnknownProcedure, None));
        };
        if !rule.roles.contains(&caller.role()) {
            Err((Denial::Role, Some(rule.path)))
        } else if rule.party == Party::Own && caller.party() != self.party {
            Err((Denial::Party, Some(rule.path)))
        } else {
            Ok(rule.path)
        }
    }
}

/// Every procedure of a protobuf `FileDescriptorSet`, as `/<package>.<service>/<method>`, in its
/// order.
///
/// # Errors
/// [`TableError::Descriptor`] if the bytes are no descriptor set.
pub fn procedures(descriptor: &[u8]) -> Result<Vec<String>, TableError> {
    let set = FileDescriptorSet::decode(descriptor).map_err(TableError::Descriptor)?;
    let mut paths = Vec::new();
    for file in &set.file {
        for service in &file.service {
            for method in &service.method {
                let dot = if file.package().is_empty() { "" } else { "." };
                let (package, service) = (file.package(), service.name());
                paths.push(format!("/{package}{dot}{service}/{}", method.name()));
            }
        }
    }
    Ok(paths)
}

/// The procedures of a descriptor that no rule is about, sorted. A new procedure is thereby found
/// missing by a test, not by its first caller.
///
/// # Errors
/// [`TableError::Descriptor`] if the bytes are no descriptor set.
pub fn uncovered(descriptor: &[u8], rules: &[Rule]) -> Result<Vec<String>, TableError> {
    let mut missing = procedures(descriptor)?;
    missing.retain(|path| rules.iter().all(|rule| rule.path != path));
    missing.sort();
    Ok(missing)
}

/// Why a table cannot be made or checked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TableError {
    /// A procedure has two rows.
    #[error("{path} has two rows in the table")]
    Twice {
        /// The procedure.
        path: &'static str,
    },
    /// The descriptor cannot be read.
    #[error("the descriptor set cannot be read")]
    Descriptor(#[source] prost::DecodeError),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost_types::{FileDescriptorProto, MethodDescriptorProto, ServiceDescriptorProto};

    use super::*;

    fn rule(path: &'static str, roles: &'static [Role], party: Party) -> Rule {
        Rule { path, roles, party }
    }

    fn descriptor(package: &str, service: &str, methods: &[&str]) -> Vec<u8> {
        let method = |name: &&str| MethodDescriptorProto {
            name: Some((*name).to_owned()),
            ..Default::default()
        };
        let file = FileDescriptorProto {
            package: Some(package.to_owned()),
            service: vec![ServiceDescriptorProto {
                name: Some(service.to_owned()),
                method: methods.iter().map(method).collect(),
                ..Default::default()
            }],
            ..Default::default()
        };
        FileDescriptorSet { file: vec![file] }.encode_to_vec()
    }

    #[test]
    fn a_procedure_without_a_row_is_found() {
        let rules = [rule("/toy.v1.Toy/Who", &[Role::Owner], Party::Any)];
        let known = descriptor("toy.v1", "Toy", &["Who"]);
        assert_eq!(uncovered(&known, &rules).unwrap(), Vec::<String>::new());
        let grown = descriptor("toy.v1", "Toy", &["Who", "What", "How"]);
        assert_eq!(
            uncovered(&grown, &rules).unwrap(),
            ["/toy.v1.Toy/How", "/toy.v1.Toy/What"]
        );
        let bare = descriptor("", "Toy", &["Who"]);
        assert_eq!(uncovered(&bare, &rules).unwrap(), ["/Toy/Who"]);
        assert!(matches!(
            uncovered(&[0xff; 3], &rules),
            Err(TableError::Descriptor(_))
        ));
    }

    #[test]
    fn a_procedure_has_one_row() {
        let twice = [
            rule("/a/b", &[Role::Owner], Party::Any),
            rule("/a/b", &[], Party::Own),
        ];
        assert!(matches!(
            Table::new("m", &twice),
            Err(TableError::Twice { path: "/a/b" })
        ));
    }

    #[test]
    fn only_listed_roles_pass() {
        let rules = [
            rule("/a/b", &[Role::Owner, Role::Auditor], Party::Any),
            rule("/a/c", &[], Party::Any),
        ];
        let table = Table::new("m", &rules).unwrap();
        for role in Role::ALL {
            let caller = Identity::new("d", role, "a").unwrap();
            let allowed = matches!(role, Role::Owner | Role::Auditor);
            assert_eq!(table.decide("/a/b", &caller).is_ok(), allowed, "{role}");
            assert_eq!(
                table.decide("/a/c", &caller),
                Err((Denial::Role, Some("/a/c")))
            );
            for path in ["", "/", "/a/b/", "/A/b", "a/b", "/a/*"] {
                assert_eq!(
                    table.decide(path, &caller),
                    Err((Denial::UnknownProcedure, None))
                );
            }
        }
    }

    #[test]
    fn a_row_may_be_for_the_own_party_only() {
        let rules = [rule("/a/b", &[Role::Operator], Party::Own)];
        let table = Table::new("health", &rules).unwrap();
        let decide = |role, party| {
            let caller = Identity::new("d", role, party).unwrap();
            table.decide("/a/b", &caller).map_err(|(denial, _)| denial)
        };
        assert_eq!(decide(Role::Operator, "health"), Ok("/a/b"));
        assert_eq!(decide(Role::Operator, "health-2"), Err(Denial::Party));
        assert_eq!(decide(Role::Owner, "health"), Err(Denial::Role));
    }

    proptest! {
        #[test]
        fn any_descriptor_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(paths) = uncovered(&bytes, &[]) {
                prop_assert!(paths.is_sorted());
            }
        }
    }
}
