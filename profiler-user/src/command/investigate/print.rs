//! How answers come out: as a table for people, or as JSON for programs, always on stdout.

use clap::Args;
use serde::Serialize;

use crate::{command, error::Error};

#[derive(Debug, Args)]
pub(super) struct Form {
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Versioned<'a, T> {
    schema_version: &'static str,
    #[serde(flatten)]
    answer: &'a T,
}

impl Form {
    /// The answer to one question; `schema` is the version of its JSON.
    pub(super) fn answer<T: Serialize>(
        &self,
        schema: &'static str,
        answer: &T,
        text: impl FnOnce(&T) -> String,
    ) -> Result<(), Error> {
        if self.json { json(schema, answer) } else { command::print(text(answer).as_bytes()) }
    }
}

pub(super) fn json<T: Serialize>(schema: &'static str, answer: &T) -> Result<(), Error> {
    let answer = Versioned { schema_version: schema, answer };
    let mut json = serde_json::to_vec_pretty(&answer).map_err(anyhow::Error::from)?;
    json.push(b'\n');
    command::print(&json)
}
