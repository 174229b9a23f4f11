//! The sinks that the command line asks for. What was written wrong there ends the agent at once; a receiver that is
//! down does not.

use std::sync::Arc;

use tokio::task::JoinSet;

use crate::{
    agent::settings::Settings,
    cli,
    error::Error,
    sink::{
        Alertmanager, FileSink, Fleet, Format, Otlp, Reopener, Spool, Syslog, Terminal, Webhook,
        webhook,
    },
    store::Store,
};

/// What is to be opened again when somebody asks for it (SIGHUP): the events file, where there is one.
pub(super) async fn open(
    settings: &Settings,
    store: &Store,
    spool: &mut Spool,
    tasks: &mut JoinSet<()>,
) -> Result<Option<Reopener>, Error> {
    let asked = &settings.sinks;
    spool.add(Terminal::stderr(), tasks).await?;
    let mut reopener = None;
    if let Some(path) = &settings.events.events {
        let (rotation, format) = (settings.events.rotation(), settings.events.events_format);
        let file = FileSink::open(path, rotation, format, store).await;
        let file = file.map_err(|error| Error::Output(error.to_string()))?;
        reopener = Some(file.reopener());
        spool.add(file, tasks).await?;
    }
    for url in given(&asked.alertmanager) {
        let sink = Alertmanager::new(url, None).map_err(|why| usage("--alertmanager", &why))?;
        spool.add(sink, tasks).await?;
    }
    for address in given(&asked.syslog) {
        let sink = Syslog::new(address, asked.syslog_ca.as_deref());
        spool.add(sink.map_err(|why| usage("--syslog", &why))?, tasks).await?;
    }
    for url in given(&asked.otlp) {
        let sink = Otlp::new(url).map_err(|why| usage("--otlp", &why))?;
        spool.add(sink, tasks).await?;
    }
    if let Some((address, limits)) = &settings.fleet {
        let machine = &settings.machine;
        let agent = machine.name.as_deref().unwrap_or(&machine.host_name);
        spool.add(Fleet::new(address.clone(), agent, store.clone(), *limits), tasks).await?;
    }
    for sink in webhooks(asked, settings.events.events_format)? {
        spool.add(sink, tasks).await?;
    }
    Ok(reopener)
}

fn webhooks(asked: &cli::Sinks, format: Format) -> Result<Vec<Webhook>, Error> {
    let key = asked.webhook_key.as_deref().map(|path| {
        let flag = format!("--webhook-key {}", path.display());
        webhook::Key::read(path).map_err(|why| usage(&flag, &why))
    });
    let key = key.transpose()?;
    let template = asked.webhook_template.as_deref().map(webhook::Template::load).transpose();
    let template = template.map_err(|error| Error::Baseline(error.to_string()))?.map(Arc::new);
    let headers = headers(asked)?;
    given(&asked.webhook)
        .map(|url| {
            let sink = Webhook::new(url, key.clone(), format);
            let sink = sink.map_err(|why| usage("--webhook", &why))?;
            Ok(sink.with_template(template.clone()).with_headers(&headers))
        })
        .collect()
}

fn headers(asked: &cli::Sinks) -> Result<webhook::Headers, Error> {
    let mut headers = webhook::Headers::default();
    for text in given(&asked.webhook_header) {
        headers.add(text).map_err(|why| usage("--webhook-header", &why))?;
    }
    if let Some(path) = &asked.webhook_header_file {
        let flag = format!("--webhook-header-file {}", path.display());
        headers.add_file(path).map_err(|why| usage(&flag, &why))?;
    }
    Ok(headers)
}

/// A variable that is set to nothing asks for nothing.
fn given(values: &[String]) -> impl Iterator<Item = &String> {
    values.iter().filter(|value| !value.is_empty())
}

fn usage(flag: &str, why: &dyn std::fmt::Display) -> Error {
    Error::Usage(format!("{flag}: {why}"))
}
