//! The keys of an event that tells of many drifts.

use serde::Serialize;

use super::Subject;
use crate::drift::aggregate::By;

/// Only an event that tells of a group has them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Group {
    /// What its members have in common, beside kind, rule and severity.
    #[serde(rename = "drift.group.by")]
    pub by: By,
    /// Different objects so far; `drift.count` is how often anything was done to them.
    #[serde(rename = "drift.group.objects")]
    pub objects: u64,
    /// The first of them.
    #[serde(rename = "drift.group.examples")]
    pub examples: Vec<String>,
    /// The `event.id`s of those of its sort that were told on their own just before; their counts are not in this one's.
    #[serde(rename = "drift.group.follows", skip_serializing_if = "Vec::is_empty")]
    pub follows: Vec<String>,
    /// How many lines the store's evidence had when this was written, and the hash of the last.
    #[serde(rename = "drift.group.evidence", skip_serializing_if = "Option::is_none")]
    pub evidence: Option<u64>,
    #[serde(rename = "drift.group.evidence_hash", skip_serializing_if = "Option::is_none")]
    pub evidence_hash: Option<String>,
}

/// One of those that a group's event tells of came again.
#[derive(Clone, Debug, PartialEq)]
pub struct Repeated {
    pub container: Option<String>,
    pub fingerprint: String,
    /// Its own `event.id`.
    pub id: String,
    /// In all.
    pub count: u64,
    pub last: jiff::Timestamp,
}

impl Subject {
    /// Leaves what is the same for all members.
    pub(in crate::drift) fn keep_of_group(&mut self, by: By) {
        let whole = std::mem::take(self);
        match by {
            By::Address => {
                self.transport = whole.transport;
                self.destination_address = whole.destination_address;
                self.destination_domain = whole.destination_domain;
            }
            By::Port => {
                self.transport = whole.transport;
                self.destination_port = whole.destination_port;
            }
            By::Executable | By::Kind => self.file_denied = whole.file_denied,
        }
    }
}
