//! `--webhook-template FILE`: what a receiver wants to be told, in its own words.
//!
//! The template is one of Jinja (minijinja) that makes JSON: whatever stands in `{{ … }}` comes out as a JSON value, quotes included, so no name that a
//! container chose can break out of it. `event` holds the native keys, and what an event has not is undefined, which is an error
//! unless the template asks first (`is defined`, `default`). What comes out empty is not sent.

use std::path::{Path, PathBuf};

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};
use serde::de::IgnoredAny;

use crate::baseline::read_up_to;
use crate::drift::clean;

const NAME: &str = "template";

/// For a file that a person writes.
const SIZE_MAX: u64 = 1024 * 1024;

/// Events of each sort, with as much and as little as there may be of them.
const SAMPLES: &str = include_str!("samples.jsonl");

/// Read, and tried on every sort of event.
#[derive(Debug)]
pub struct Template(Environment<'static>);

/// Why a template cannot be used. What it holds is not shown: it may hold a key.
#[derive(Debug, thiserror::Error)]
#[error("webhook template {} cannot be used: {why}", path.display())]
pub struct TemplateError {
    path: PathBuf,
    why: String,
}

impl Template {
    /// # Errors
    /// Where the file cannot be read, is no template, asks for what an event may not have, or makes something else than JSON.
    pub fn load(path: &Path) -> Result<Self, TemplateError> {
        let refuse = |why: String| TemplateError { path: path.to_owned(), why };
        let bytes = read_up_to(path, SIZE_MAX).map_err(|error| refuse(error.to_string()))?;
        let text = String::from_utf8(bytes).map_err(|_| refuse("it is not UTF-8".to_owned()))?;
        Self::new(text).map_err(refuse)
    }

    pub(super) fn new(text: String) -> Result<Self, String> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| AutoEscape::Json);
        environment.add_template_owned(NAME, text).map_err(|error| said(&error))?;
        let template = Self(environment);
        for sample in SAMPLES.lines() {
            template
                .render(sample)
                .map_err(|why| format!("{why}, for an event such as {sample}"))?;
        }
        Ok(template)
    }

    /// None where nothing is to be sent of this event.
    pub(super) fn render(&self, line: &str) -> Result<Option<String>, String> {
        let keys: serde_json::Value =
            serde_json::from_str(line).map_err(|error| format!("the event is no JSON: {error}"))?;
        let told = serde_json::json!({ "event": keys });
        let template = self.0.get_template(NAME).map_err(|error| said(&error))?;
        let text = template.render(Value::from(Serde(&told))).map_err(|error| said(&error))?;
        let text = text.trim();
        if text.is_empty() {
            return Ok(None);
        }
        serde_json::from_str::<IgnoredAny>(text)
            .map_err(|error| format!("what it makes is no JSON: {error}"))?;
        Ok(Some(text.to_owned()))
    }
}

/// In one line, with the place.
fn said(error: &minijinja::Error) -> String {
    clean(&crate::error::with_causes(error))
}
