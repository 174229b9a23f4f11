//! Where an agent's events go, besides its history.

use std::path::PathBuf;

use clap::Args;

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
}
