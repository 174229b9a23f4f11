//! Which containers of an image a baseline, or an approval, speaks of. The narrowest that holds for a container wins.

use serde::{Deserialize, Serialize};

/// A wider one never hides what a narrower one leaves out: they are not merged.
#[derive(Clone, Debug, Default, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
pub enum Scope {
    /// Of every container of the image.
    #[default]
    Image,
    /// Of those of one Kubernetes namespace.
    Namespace(String),
    /// Of those of one workload: a Deployment, a `CronJob`.
    Workload { namespace: String, name: String },
}

/// How wide a scope is, before it is known of which container.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, clap::ValueEnum)]
pub enum Width {
    /// All of an image's
    #[default]
    Image,
    /// Those of one Kubernetes namespace
    Namespace,
    /// Those of one workload
    Workload,
}

/// Where a container runs; nothing for a command.
#[derive(Clone, Copy, Debug, Default)]
pub struct Whereabouts<'a> {
    pub namespace: Option<&'a str>,
    pub workload: Option<&'a str>,
}

impl Scope {
    pub(crate) fn holds(&self, at: Whereabouts<'_>) -> bool {
        match self {
            Self::Image => true,
            Self::Namespace(namespace) => at.namespace == Some(namespace),
            Self::Workload { namespace, name } => {
                at.namespace == Some(namespace) && at.workload == Some(name)
            }
        }
    }

    /// The places that it tells apart from others.
    pub(crate) fn whereabouts(&self) -> Whereabouts<'_> {
        match self {
            Self::Image => Whereabouts::default(),
            Self::Namespace(namespace) => {
                Whereabouts { namespace: Some(namespace), workload: None }
            }
            Self::Workload { namespace, name } => {
                Whereabouts { namespace: Some(namespace), workload: Some(name) }
            }
        }
    }

    /// Of the scopes of approvals the narrowest that holds there; the image, where none does.
    pub(crate) fn narrowest<'a>(
        scopes: impl Iterator<Item = &'a Self>,
        at: Whereabouts<'_>,
    ) -> Option<&'a Self> {
        scopes.filter(|scope| scope.holds(at)).max()
    }

    pub(super) fn is_image(&self) -> bool {
        *self == Self::Image
    }

    /// What the name of a baseline's file ends with, so that each scope has a file of its own. The name of a namespace has no dot.
    pub(super) fn suffix(&self) -> String {
        match self {
            Self::Image => String::new(),
            Self::Namespace(namespace) => format!(".in-{namespace}"),
            Self::Workload { namespace, name } => format!(".in-{namespace}.{name}"),
        }
    }
}

impl Width {
    /// Of a container that runs there. Where it has no workload or no namespace, the next wider counts.
    pub fn scope(self, at: Whereabouts<'_>) -> Scope {
        let namespace = || at.namespace.map(|namespace| Scope::Namespace(namespace.to_owned()));
        let workload = || {
            let (namespace, name) = (at.namespace?.to_owned(), at.workload?.to_owned());
            Some(Scope::Workload { namespace, name })
        };
        let scope = match self {
            Self::Image => None,
            Self::Namespace => namespace(),
            Self::Workload => workload().or_else(namespace),
        };
        scope.unwrap_or_default()
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Image => f.write_str("every container of the image"),
            Self::Namespace(namespace) => write!(f, "namespace {namespace}"),
            Self::Workload { namespace, name } => write!(f, "workload {namespace}/{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEB: Whereabouts<'static> =
        Whereabouts { namespace: Some("shop"), workload: Some("web") };

    #[test]
    fn a_container_has_the_scope_that_is_asked_for_or_the_next_wider_that_it_has() {
        let shop = Scope::Namespace("shop".to_owned());
        let web = Scope::Workload { namespace: "shop".to_owned(), name: "web".to_owned() };
        assert_eq!(Width::Image.scope(WEB), Scope::Image);
        assert_eq!(Width::Namespace.scope(WEB), shop);
        assert_eq!(Width::Workload.scope(WEB), web);
        assert_eq!(Width::Workload.scope(Whereabouts { workload: None, ..WEB }), shop);
        // Docker's containers are in no namespace, whatever they are called.
        assert_eq!(Width::Workload.scope(Whereabouts { namespace: None, ..WEB }), Scope::Image);
        assert!([&Scope::Image, &shop, &web].iter().all(|scope| scope.holds(WEB)));
        let other = Whereabouts { workload: Some("api"), ..WEB };
        assert!(shop.holds(other) && !web.holds(other));
        let all = [Scope::Image, web.clone(), shop];
        assert_eq!(Scope::narrowest(all.iter(), WEB), Some(&web));
    }

    #[test]
    fn no_two_scopes_share_a_suffix() {
        let workload = |namespace: &str, name: &str| Scope::Workload {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        };
        let scopes = [
            Scope::Image,
            Scope::Namespace("a".to_owned()),
            Scope::Namespace("a-b".to_owned()),
            workload("a", "b"),
            workload("a-b", "c"),
            workload("a", "b-c"),
            workload("a", "b.c"),
        ];
        let suffixes: std::collections::BTreeSet<_> = scopes.iter().map(Scope::suffix).collect();
        assert_eq!(suffixes.len(), scopes.len());
    }
}
