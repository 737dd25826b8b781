//! Until when a node's certificate, its chain and its revocation lists hold.

use jiff::{SignedDuration, Timestamp};
use x509_parser::prelude::{CertificateRevocationList, FromDer, X509Certificate};

use super::TlsFiles;
use super::error::TlsError;
use super::files::Material;

/// When to warn, in days before the end: as long as a new certificate may take to come, a week, and
/// the last day.
const WARN_DAYS: [i64; 3] = [1, 7, 30];

/// A span of time in which something holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Its first moment.
    pub from: Timestamp,
    /// Its last moment.
    pub until: Timestamp,
}

impl Span {
    /// Seconds left at `now`; negative when it is past.
    pub fn seconds_left(&self, now: Timestamp) -> i64 {
        self.until.as_second().saturating_sub(now.as_second())
    }

    /// The warning that is due: the fewest of 1, 7 and 30 days that are not left any more. Days of
    /// which the whole span has not twice as many do not count, or a list that is issued anew each
    /// day would always be warned of.
    pub fn days_warned(&self, now: Timestamp) -> Option<i64> {
        let whole = self.until.as_second().saturating_sub(self.from.as_second());
        WARN_DAYS.into_iter().find(|days| {
            let seconds = SignedDuration::from_hours(24 * days).as_secs();
            self.seconds_left(now) <= seconds && whole >= 2 * seconds
        })
    }
}

/// Until when a node's TLS files hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expiry {
    /// The own certificate.
    pub certificate: Option<Span>,
    /// What ends first of what stands above it: intermediates, and authorities of its name.
    pub chain: Option<Span>,
    /// What ends first of the revocation lists; `None` without any.
    pub lists: Option<Span>,
}

impl Expiry {
    pub(super) fn of(material: &Material) -> Self {
        let parsed: Vec<X509Certificate<'_>> = material
            .chain
            .iter()
            .filter_map(|der| X509Certificate::from_der(der).ok())
            .map(|(_, certificate)| certificate)
            .collect();
        let authorities = material
            .authorities
            .iter()
            .filter_map(|der| X509Certificate::from_der(der).ok())
            .map(|(_, certificate)| certificate)
            .filter(|authority| {
                let vouches = |below: &X509Certificate<'_>| {
                    below.issuer().as_raw() == authority.subject().as_raw()
                };
                parsed.iter().any(vouches)
            })
            .filter_map(|authority| span_of(&authority));
        let above = parsed.iter().skip(1).filter_map(span_of);
        let lists = material.lists.iter().filter_map(|der| {
            let (_, list) = CertificateRevocationList::from_der(der).ok()?;
            Some(Span {
                from: Timestamp::from_second(list.last_update().timestamp()).ok()?,
                until: Timestamp::from_second(list.next_update()?.timestamp()).ok()?,
            })
        });
        Self {
            certificate: parsed.first().and_then(span_of),
            chain: above.chain(authorities).min_by_key(|span| span.until),
            lists: lists.min_by_key(|span| span.until),
        }
    }

    /// Refuses what is past already: it would replace something that may still hold.
    pub(super) fn check(&self, files: &TlsFiles, now: Timestamp) -> Result<(), TlsError> {
        let past = |span: Option<Span>| span.is_some_and(|span| span.seconds_left(now) < 0);
        let file = if past(self.certificate) {
            Some(&files.cert)
        } else if past(self.lists) {
            files.crl.as_ref()
        } else {
            None
        };
        match file {
            Some(file) => Err(TlsError::Past { file: file.clone() }),
            None => Ok(()),
        }
    }

    /// The parts with the words that name them.
    pub fn parts(&self) -> [(&'static str, Option<Span>); 3] {
        [
            ("certificate", self.certificate),
            ("chain", self.chain),
            ("revocation list", self.lists),
        ]
    }
}

fn span_of(certificate: &X509Certificate<'_>) -> Option<Span> {
    let validity = certificate.validity();
    Some(Span {
        from: Timestamp::from_second(validity.not_before.timestamp()).ok()?,
        until: Timestamp::from_second(validity.not_after.timestamp()).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(days: i64) -> Span {
        let from = Timestamp::from_second(1_800_000_000).unwrap();
        Span {
            from,
            until: from + SignedDuration::from_hours(24 * days),
        }
    }

    #[test]
    fn warnings_come_once_each_and_not_for_short_lives() {
        let warned = |span: Span, hours_left: i64| {
            span.days_warned(span.until - SignedDuration::from_hours(hours_left))
        };
        let year = span(365);
        assert_eq!(warned(year, 24 * 31), None);
        assert_eq!(warned(year, 24 * 30), Some(30));
        assert_eq!(warned(year, 24 * 8), Some(30));
        assert_eq!(warned(year, 24 * 7), Some(7));
        assert_eq!(warned(year, 24), Some(1));
        assert_eq!(warned(year, -1), Some(1));
        assert_eq!(warned(span(30), 24 * 20), None);
        assert_eq!(warned(span(1), 1), None);
    }

    #[test]
    fn what_is_past_has_negative_seconds_left() {
        let day = span(1);
        assert_eq!(day.seconds_left(day.from), 86_400);
        assert_eq!(
            day.seconds_left(day.until + SignedDuration::from_secs(2)),
            -2
        );
    }
}
