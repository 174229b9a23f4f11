//! Which containers are recorded or watched: `--namespace`, `--selector`, `--images`.

use crate::container::Identity;

/// Empty lists select everything.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selector {
    namespaces: Vec<String>,
    excluded_namespaces: Vec<String>,
    labels: Vec<Label>,
    images: Vec<String>,
}

/// One requirement of a label, as `kubectl get --selector` writes it.
#[derive(Clone, Debug, PartialEq)]
struct Label {
    key: String,
    /// None: any value will do.
    value: Option<String>,
    negated: bool,
}

impl Selector {
    /// `namespaces`: names, `!name` to leave one out. `labels`: `key=value`, `key!=value`, `key`, `!key`, separated by
    /// commas. `images`: references where `*` stands for any characters.
    ///
    /// # Errors
    /// What is not of that form, said so.
    pub(crate) fn new(
        namespaces: &[String],
        labels: &[String],
        images: &[String],
    ) -> Result<Self, String> {
        let (excluded, included): (Vec<_>, Vec<_>) =
            namespaces.iter().partition(|name| name.starts_with('!'));
        Ok(Self {
            namespaces: included.into_iter().cloned().collect(),
            excluded_namespaces: excluded.iter().map(|name| name[1..].to_owned()).collect(),
            labels: labels
                .iter()
                .flat_map(|labels| labels.split(','))
                .map(label)
                .collect::<Result<_, _>>()?,
            images: images.to_vec(),
        })
    }

    pub(crate) fn selects(&self, container: &Identity) -> bool {
        let namespace = container.namespace();
        let in_namespace = self.namespaces.is_empty()
            || namespace.is_some_and(|name| self.namespaces.iter().any(|wanted| wanted == name));
        let excluded =
            namespace.is_some_and(|name| self.excluded_namespaces.iter().any(|no| no == name));
        in_namespace
            && !excluded
            && self.labels.iter().all(|label| label.holds(container))
            && self.selects_image(container)
    }

    fn selects_image(&self, container: &Identity) -> bool {
        let Some(image) = &container.image else { return self.images.is_empty() };
        let names = image.reference.iter().chain(&image.tags).chain(&image.repo_digests);
        let mut names = names.map(String::as_str).chain([image.name.as_str()]);
        self.images.is_empty() || names.any(|name| self.images.iter().any(|glob| like(glob, name)))
    }
}

impl Label {
    fn holds(&self, container: &Identity) -> bool {
        let value = container.pod.as_ref().and_then(|pod| pod.labels.get(&self.key));
        let holds = match (&self.value, value) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(wanted), Some(value)) => wanted == value,
        };
        holds != self.negated
    }
}

fn label(text: &str) -> Result<Label, String> {
    let parsed = |key: &str, value: Option<&str>, negated| Label {
        key: key.trim().to_owned(),
        value: value.map(|value| value.trim_start_matches('=').trim().to_owned()),
        negated,
    };
    let label = if let Some((key, value)) = text.split_once("!=") {
        parsed(key, Some(value), true)
    } else if let Some((key, value)) = text.split_once('=') {
        parsed(key, Some(value), false)
    } else if let Some(key) = text.trim().strip_prefix('!') {
        parsed(key, None, true)
    } else {
        parsed(text, None, false)
    };
    if label.key.is_empty() {
        return Err(format!(
            "{text:?} selects no label; write key=value, key!=value, key or !key, separated by commas"
        ));
    }
    Ok(label)
}

/// `*` stands for any characters, also none.
fn like(glob: &str, text: &str) -> bool {
    let Some((start, rest)) = glob.split_once('*') else { return glob == text };
    let Some(mut text) = text.strip_prefix(start) else { return false };
    loop {
        if like(rest, text) {
            return true;
        }
        let mut characters = text.chars();
        if characters.next().is_none() {
            return false;
        }
        text = characters.as_str();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::{ContainerId, ImageIdentity, Pod};

    fn container() -> Identity {
        let id = ContainerId::parse(&"ab".repeat(32)).unwrap();
        let mut identity = Identity::of_path(id, None, None);
        identity.pod = Some(Pod {
            namespace: Some("shop".to_owned()),
            labels: [("app".to_owned(), "web".to_owned())].into(),
            ..Pod::default()
        });
        identity.image = Some(ImageIdentity {
            reference: Some("registry.test/shop/web:1".to_owned()),
            ..ImageIdentity::default()
        });
        identity
    }

    #[test]
    fn everything_is_selected_until_something_is_asked_for() {
        /// Namespaces, labels, images; whether the container is selected.
        type Case =
            (&'static [&'static str], &'static [&'static str], &'static [&'static str], bool);
        let cases: [Case; 12] = [
            (&[], &[], &[], true),
            (&["shop"], &[], &[], true),
            (&["other"], &[], &[], false),
            (&["!shop"], &[], &[], false),
            (&["!kube-system"], &[], &[], true),
            (&[], &["app=web"], &[], true),
            (&[], &["app==web,tier!=db"], &[], true),
            (&[], &["app!=web"], &[], false),
            (&[], &["!app"], &[], false),
            (&[], &["app"], &[], true),
            (&[], &[], &["registry.test/*/web:*"], true),
            (&[], &[], &["*nginx*"], false),
        ];
        for (namespaces, labels, images, expected) in cases {
            let owned = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
            let selector =
                Selector::new(&owned(namespaces), &owned(labels), &owned(images)).unwrap();
            let selected = selector.selects(&container());
            assert_eq!(selected, expected, "{namespaces:?} {labels:?} {images:?}");
        }
        assert!(Selector::new(&[], &["=x".to_owned()], &[]).is_err());
    }
}
