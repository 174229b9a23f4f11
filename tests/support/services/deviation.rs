//! What somebody does to a service, and what must be told of it: one small declaration each, in
//! `deviations/SERVICE/NAME.json`, described in `deviations/README.md`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use serde_json::Value;

use super::{Service, life::Life, rivals::Deed};

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deviation {
    /// One line for whoever reads the result.
    pub what: String,
    /// Whether its names have the shape of learned ones.
    #[serde(default)]
    pub imitates: bool,
    /// A command that is run in the container, as `kubectl exec` does it.
    #[serde(default)]
    exec: Option<Vec<String>>,
    /// What the service is made to do, in its own words, see [`Service::misuse`].
    #[serde(default)]
    misuse: Option<String>,
    /// One event like this is enough.
    pub reported: Reported,
}

/// An event that must come.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reported {
    /// As `drift.kind` has it.
    pub kind: String,
    /// What `drift.object` contains.
    pub object: String,
    /// `process.executable.path`; without it anybody's.
    #[serde(default)]
    pub executable: Option<String>,
}

impl Deviation {
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let read: Self = serde_json::from_str(text)?;
        ensure!(
            read.exec.is_some() != read.misuse.is_some(),
            "a deviation has either `exec` or `misuse`"
        );
        Ok(read)
    }

    /// Does it.
    pub fn carry_out(&self, service: &dyn Service, life: &mut Life<'_>) {
        if let Some(words) = &self.exec {
            let words: Vec<_> = words.iter().map(String::as_str).collect();
            // Whether it succeeds is not the question.
            let _output = life.container().try_exec(&words);
        }
        if let Some(words) = &self.misuse {
            service.misuse(life, words);
        }
    }
}

impl Reported {
    /// Whether this is the event.
    pub fn is(&self, event: &Value) -> bool {
        let text = |key: &str| event[key].as_str().unwrap_or_default();
        let executable = text("process.executable.path");
        text("drift.kind") == self.kind
            && text("drift.object").contains(&self.object)
            && self.executable.as_deref().is_none_or(|wanted| wanted == executable)
    }

    /// Whether a rival that finds this new tells of the same. It knows programs by their paths alone, so any new program
    /// counts where one was run.
    pub fn is_deed(&self, deed: &Deed) -> bool {
        let is_exec = self.kind == "exec" || self.kind.starts_with("exec.");
        (is_exec && deed.kind == "exec")
            || (deed.kind == self.kind && deed.object.contains(&self.object))
    }
}

/// The declared deviations of a service by their names, in order.
pub fn of(service: &dyn Service) -> anyhow::Result<Vec<(String, Deviation)>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("support/services/deviations")
        .join(service.name());
    let Ok(files) = fs::read_dir(directory) else { return Ok(Vec::new()) };
    let mut paths = files.map(|file| Ok(file?.path())).collect::<std::io::Result<Vec<_>>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort_unstable();
    let read = |path: &PathBuf| {
        let name = path.file_stem().map(|name| name.to_string_lossy().into_owned());
        let text = fs::read_to_string(path)?;
        let read = Deviation::parse(&text).with_context(|| format!("{}", path.display()))?;
        Ok((name.unwrap_or_default(), read))
    };
    paths.iter().map(read).collect()
}
