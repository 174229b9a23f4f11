//! What was lost of the containers of this node, as its history has it.

use std::{collections::BTreeMap, path::Path};

use serde::Serialize;

use crate::store::{self, LedgerRow};

/// So many containers are printed one by one.
const PRINTED: usize = 10;

#[derive(Default, Serialize)]
pub(super) struct Report {
    /// How many containers the history holds.
    containers: u64,
    /// Those of which events were lost, the newest first.
    lost: Vec<Lost>,
    /// Why the history could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown: Option<String>,
}

#[derive(Serialize)]
struct Lost {
    container: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pod: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// Events by kind.
    events: BTreeMap<String, u64>,
}

/// None where there is no history in this directory.
pub(super) async fn read(directory: &Path) -> Option<Report> {
    match store::losses(directory).await {
        Ok(losses) => losses.map(|losses| Report {
            containers: losses.containers,
            lost: losses.of.into_iter().map(Lost::from).collect(),
            unknown: None,
        }),
        Err(error) => Some(Report { unknown: Some(error.to_string()), ..Report::default() }),
    }
}

impl From<LedgerRow> for Lost {
    fn from(row: LedgerRow) -> Self {
        let (namespace, pod) = row.identity.pod.map(|pod| (pod.namespace, pod.name)).unzip();
        Self {
            container: row.identity.id.to_string(),
            namespace: namespace.flatten(),
            pod: pod.flatten(),
            name: row.identity.name,
            events: row.lost,
        }
    }
}

impl Report {
    pub(super) fn print(&self) {
        if let Some(why) = &self.unknown {
            eprintln!("  losses        unknown: {why}");
            return;
        }
        if self.lost.is_empty() {
            eprintln!("  losses        none, of {} containers", self.containers);
            return;
        }
        let (lost, all) = (self.lost.len(), self.containers);
        eprintln!("  losses        of {lost} of {all} containers:");
        for lost in self.lost.iter().take(PRINTED) {
            let events: Vec<_> =
                lost.events.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
            eprintln!("                {}: {}", lost.title(), events.join(", "));
        }
        if lost > PRINTED {
            eprintln!("                and {} more, with --json", lost - PRINTED);
        }
    }
}

impl Lost {
    fn title(&self) -> String {
        let names = [&self.namespace, &self.pod, &self.name].map(Option::as_deref);
        let names: Vec<_> = names.into_iter().flatten().collect();
        let id = self.container.get(..12).unwrap_or(&self.container);
        if names.is_empty() { id.to_owned() } else { format!("{} ({id})", names.join("/")) }
    }
}
