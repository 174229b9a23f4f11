//! Registries that are approved, as `HOST[/PREFIX]`.

use std::str::FromStr;

/// A registry, or a part of one, that images may come from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Approved(String);

#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "{0:?} is no registry: write its host, and a prefix of its repositories if not all are meant: ghcr.io/team"
)]
pub struct InvalidRegistry(String);

impl FromStr for Approved {
    type Err = InvalidRegistry;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim_end_matches('/');
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._-/:[]".contains(c);
        let host = text.split('/').next().unwrap_or_default();
        let is_host = host == "localhost" || host.contains(['.', ':']);
        if !is_host || !text.chars().all(allowed) || text.contains("//") {
            return Err(InvalidRegistry(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl Approved {
    /// `name` with its registry. Whole parts count: `ghcr.io/team` does not approve of `ghcr.io/teamwork/web`.
    pub(super) fn covers(&self, name: &str) -> bool {
        name.strip_prefix(self.0.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}
