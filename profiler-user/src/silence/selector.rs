//! What a silence is about, and where it holds.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::drift::severity::like;
use crate::drift::{DriftKind, Event, clean};

/// Each list that is not empty must have one that fits; in all but kinds `*` stands for any run of characters.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Selector {
    /// As events show it: 16 hexadecimal digits.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fingerprints: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<DriftKind>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<String>,
    /// The programs that do it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub executables: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub workloads: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pods: Vec<String>,
    /// Names of containers, or the beginnings of their ids.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<String>,
    /// Repositories, or whole references.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<String>,
}

/// Digits of an id by which a container may be named.
const SHORT_ID: usize = 12;

impl Selector {
    /// Whether it may be: it must say what is silenced.
    pub fn check(&self) -> Result<(), String> {
        if self.fingerprints.is_empty() && self.kinds.is_empty() && self.objects.is_empty() {
            return Err(
                "it says where, and not what: give a kind, an object or a fingerprint; whatever else happens there must be told"
                    .to_owned(),
            );
        }
        if let Some(no) = self.fingerprints.iter().find(|text| !is_fingerprint(text)) {
            return Err(format!(
                "{:?} is no fingerprint: those are 16 hexadecimal digits (drift.fingerprint of an event)",
                clean(no)
            ));
        }
        let mut texts = self.lists().into_iter().flat_map(|(_, list)| list);
        if texts.any(|text| text.trim().is_empty()) {
            return Err("one of its patterns is empty, and fits nothing".to_owned());
        }
        Ok(())
    }

    pub(super) fn fits(&self, event: &Event) -> bool {
        let origin = &*event.origin;
        let executable = event.process.as_ref().map(|process| &*process.executable);
        let container = [&origin.pod_container, &origin.container];
        let mut containers = container.into_iter().filter_map(Option::as_deref);
        let is_container = |wanted: &String| {
            let id = origin.container_id.as_deref().unwrap_or_default();
            containers.any(|name| like(wanted, name))
                || wanted.len() >= SHORT_ID && id.starts_with(wanted.as_str())
        };
        any(&self.fingerprints, |wanted| *wanted == event.fingerprint)
            && any(&self.kinds, |wanted| *wanted == event.kind)
            && any(&self.objects, |wanted| {
                like(wanted, &event.object)
                    || event.pattern.as_deref().is_some_and(|pattern| wanted == pattern)
            })
            && any(&self.executables, |wanted| executable.is_some_and(|path| like(wanted, path)))
            && any(&self.namespaces, |wanted| is(wanted, origin.namespace.as_deref()))
            && any(&self.workloads, |wanted| is(wanted, origin.workload.as_deref()))
            && any(&self.pods, |wanted| is(wanted, origin.pod.as_deref()))
            && any(&self.containers, is_container)
            && any(&self.images, |wanted| {
                is(wanted, origin.image_name.as_deref())
                    || is(wanted, origin.image_reference.as_deref())
            })
    }

    pub(super) fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if !self.fingerprints.is_empty() {
            return warnings;
        }
        let is_wide = |text: &String| text.chars().filter(|c| *c != '*').count() < 3;
        if self.objects.is_empty() || self.objects.iter().any(is_wide) {
            let kinds: Vec<_> = self.kinds.iter().map(|kind| kind.name()).collect();
            let of = if kinds.is_empty() { "any kind".to_owned() } else { kinds.join(", ") };
            warnings
                .push(format!("it silences every object of {of}: an --object makes it narrower"));
        } else if self.kinds.is_empty() {
            warnings.push(
                "it silences whatever is done to that object: a --kind makes it narrower"
                    .to_owned(),
            );
        }
        let places =
            [&self.namespaces, &self.workloads, &self.pods, &self.containers, &self.images];
        let somewhere =
            |list: &&Vec<String>| !list.is_empty() && !list.iter().any(|text| is_wide_open(text));
        if !places.iter().any(somewhere) {
            warnings.push(
                "it holds for every container of the node: --workload, --namespace, --image or --pod makes it narrower"
                    .to_owned(),
            );
        }
        warnings
    }

    fn lists(&self) -> [(&'static str, &Vec<String>); 8] {
        [
            ("fingerprint", &self.fingerprints),
            ("object", &self.objects),
            ("executable", &self.executables),
            ("namespace", &self.namespaces),
            ("workload", &self.workloads),
            ("pod", &self.pods),
            ("container", &self.containers),
            ("image", &self.images),
        ]
    }
}

/// `kind exec, object /bin/sh, namespace shop`; alternatives have a bar between them.
impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if !self.kinds.is_empty() {
            let kinds: Vec<_> = self.kinds.iter().map(|kind| kind.name()).collect();
            parts.push(format!("kind {}", kinds.join("|")));
        }
        for (name, list) in self.lists() {
            if !list.is_empty() {
                parts.push(format!("{name} {}", clean(&list.join("|"))));
            }
        }
        f.write_str(&parts.join(", "))
    }
}

fn any<T>(list: &[T], fits: impl FnMut(&T) -> bool) -> bool {
    list.is_empty() || list.iter().any(fits)
}

fn is(wanted: &str, value: Option<&str>) -> bool {
    value.is_some_and(|value| like(wanted, value))
}

fn is_wide_open(text: &str) -> bool {
    text.chars().all(|c| c == '*')
}

fn is_fingerprint(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
