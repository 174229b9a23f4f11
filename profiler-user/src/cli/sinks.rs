//! Where an agent's events go, besides its history.

use std::path::PathBuf;

use clap::Args;

use crate::sink::{Format, Rotation};

/// Of an agent and of a command that is watched.
#[derive(Clone, Debug, Default, Args)]
pub struct Events {
    /// Append drift events to this file, one JSON object per line; - is standard output. It may be renamed at any time: the next event opens it
    /// anew, and so does SIGHUP to an agent
    #[arg(long, value_name = "FILE", env = "DRIFTLINE_EVENTS")]
    pub events: Option<PathBuf>,
    /// Set the events file aside as FILE.1 before it grows beyond this size: bytes, or with a unit (512M, 2G)
    #[arg(long, value_name = "SIZE", env = "DRIFTLINE_EVENTS_ROTATE_SIZE", requires = "events", value_parser = super::size)]
    pub events_rotate_size: Option<u64>,
    /// Keep so many files that were set aside
    #[arg(long, value_name = "N", env = "DRIFTLINE_EVENTS_ROTATE_KEEP", default_value_t = 5,
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub events_rotate_keep: u32,
    /// How events are written into the events file and sent by webhooks
    #[arg(
        long,
        value_name = "FORMAT",
        env = "DRIFTLINE_EVENTS_FORMAT",
        value_enum,
        default_value_t
    )]
    pub events_format: Format,
}

impl Events {
    pub fn rotation(&self) -> Option<Rotation> {
        self.events_rotate_size.map(|size| Rotation { size, keep: self.events_rotate_keep })
    }
}

#[derive(Clone, Debug, Args)]
pub struct Sinks {
    /// Send alerts to this Alertmanager; repeat it for each of its replicas
    #[arg(long, value_name = "URL", env = "DRIFTLINE_ALERTMANAGER", value_delimiter = ',')]
    pub alertmanager: Vec<String>,
    /// Send events to this syslog receiver (RFC 5424, octet counting), as tcp://HOST:PORT, or encrypted as tls://HOST:PORT;
    /// repeat it for more
    #[arg(long, value_name = "ADDR", env = "DRIFTLINE_SYSLOG", value_delimiter = ',')]
    pub syslog: Vec<String>,
    /// Who signs the certificates of syslog receivers: a file of certificates (PEM); else those whom this machine trusts
    #[arg(long, value_name = "FILE", env = "DRIFTLINE_SYSLOG_CA")]
    pub syslog_ca: Option<PathBuf>,
    /// Send events as logs to this receiver of OTLP over HTTP, such as `http://collector:4318`; repeat it for more
    #[arg(
        long,
        value_name = "URL",
        env = "DRIFTLINE_OTLP",
        value_delimiter = ',',
        hide_env_values = true
    )]
    pub otlp: Vec<String>,
    /// Send events there, each by a POST of its own; repeat it for more
    #[arg(
        long,
        value_name = "URL",
        env = "DRIFTLINE_WEBHOOK",
        value_delimiter = ',',
        hide_env_values = true
    )]
    pub webhook: Vec<String>,
    /// What webhooks are signed with: a file of at least 16 bytes that the receivers share
    #[arg(long, value_name = "FILE", env = "DRIFTLINE_WEBHOOK_KEY")]
    pub webhook_key: Option<PathBuf>,
    /// What is sent to webhooks instead of the event itself: a template of Jinja that makes JSON, see deploy/webhook for some
    #[arg(long, value_name = "FILE", env = "DRIFTLINE_WEBHOOK_TEMPLATE")]
    pub webhook_template: Option<PathBuf>,
    /// Send this header with each request to a webhook; repeat it for more. Others of this machine can see it: secrets belong into a file
    #[arg(
        long,
        value_name = "NAME: VALUE",
        env = "DRIFTLINE_WEBHOOK_HEADER",
        hide_env_values = true
    )]
    pub webhook_header: Vec<String>,
    /// The same from a file, one in a line
    #[arg(long, value_name = "FILE", env = "DRIFTLINE_WEBHOOK_HEADER_FILE")]
    pub webhook_header_file: Option<PathBuf>,
}
