//! The way of the data for one container: records → observations → whoever wants them.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use anyhow::Context;
use bytes::Bytes;
use profiler_common::container::{ContainerState, SyscallSet};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
};

use crate::{
    behaviour::Observation,
    observe::{Clock, Observer},
    redact::Redactor,
    sensor::{self, DecodeError, Records},
};

/// Batches in flight between two stages. When a stage falls behind, the ring buffer fills, and the kernel counts.
const IN_FLIGHT: usize = 64;

/// What the last stage does with the observations.
pub(crate) trait Consumer: Send + 'static {
    fn consume(&mut self, observation: Observation);

    /// Called about every second, also when nothing happens. `lost`: events of the container lost so far.
    fn tick(&mut self, _now: jiff::Timestamp, _lost: u64) {}
}

/// A running pipeline; [`Pipeline::finish`] ends it.
pub(crate) struct Pipeline<C> {
    stages: JoinSet<anyhow::Result<Option<C>>>,
    stop: oneshot::Sender<Box<ContainerState>>,
    lost: Arc<AtomicU64>,
}

enum Input {
    Records(Vec<Bytes>),
    /// The container's end: what the kernel's set holds although its event was lost.
    Final(Box<ContainerState>),
}

impl<C: Consumer> Pipeline<C> {
    /// Builds the stages and joins them. Stopping the first one cascades.
    pub(crate) fn start(records: Records, redactor: Redactor, consumer: C) -> anyhow::Result<Self> {
        let observer = Observer::new(Clock::now().context("reading the clocks")?);
        let (stop, stopped) = oneshot::channel();
        let lost = Arc::new(AtomicU64::new(0));
        let (records_out, records_in) = mpsc::channel(IN_FLIGHT);
        let (observations_out, observations_in) = mpsc::channel(IN_FLIGHT);

        let mut stages = JoinSet::new();
        stages.spawn(async move { read(records, records_out, stopped).await.map(|()| None) });
        stages.spawn(async move {
            observe(records_in, observations_out, observer, redactor).await.map(|()| None)
        });
        let shared = Arc::clone(&lost);
        stages.spawn(async move { Ok(Some(consume(observations_in, consumer, &shared).await)) });
        Ok(Self { stages, stop, lost })
    }

    /// Where the number of lost events is left for the consumer's next tick.
    pub(crate) fn lost(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.lost)
    }

    /// Returns only if a stage ends before its time.
    pub(crate) async fn broken(&mut self) -> anyhow::Error {
        match self.stages.join_next().await {
            Some(Ok(Err(error))) => error,
            Some(Err(panic)) => {
                anyhow::Error::new(panic).context("a stage of the pipeline panicked")
            }
            Some(Ok(Ok(_))) | None => anyhow::anyhow!("a stage of the pipeline ended early"),
        }
    }

    /// Reads what is left, lets it through, and gives the consumer back. `state` is the container's last.
    pub(crate) async fn finish(mut self, state: Box<ContainerState>) -> anyhow::Result<C> {
        let _reader_is_gone = self.stop.send(state);
        let mut consumer = None;
        while let Some(stage) = self.stages.join_next().await {
            consumer = stage.context("a stage of the pipeline panicked")??.or(consumer);
        }
        consumer.context("the pipeline ended without its last stage")
    }
}

async fn read(
    mut records: Records,
    out: mpsc::Sender<Input>,
    mut stopped: oneshot::Receiver<Box<ContainerState>>,
) -> anyhow::Result<()> {
    let state = loop {
        tokio::select! {
            batch = records.next() => out.send(Input::Records(batch?)).await.context(DOWNSTREAM)?,
            state = &mut stopped => break state.context("the pipeline was dropped")?,
        }
    };
    loop {
        let batch = records.drain();
        if batch.is_empty() {
            break;
        }
        out.send(Input::Records(batch)).await.context(DOWNSTREAM)?;
    }
    out.send(Input::Final(state)).await.context(DOWNSTREAM)
}

const DOWNSTREAM: &str = "a later stage of the pipeline ended early";

async fn observe(
    mut input: mpsc::Receiver<Input>,
    out: mpsc::Sender<Vec<Observation>>,
    mut observer: Observer,
    redactor: Redactor,
) -> anyhow::Result<()> {
    while let Some(input) = input.recv().await {
        let observations: Vec<_> = match input {
            Input::Records(batch) => batch
                .into_iter()
                .filter_map(|record| match sensor::decode(&record, &redactor) {
                    Ok(event) => observer.observe(event),
                    Err(error) => {
                        undecodable(&error);
                        None
                    }
                })
                .collect(),
            Input::Final(state) => unsent(&state)
                .map(|(number, denied, foreign)| observer.late_syscall(number, denied, foreign))
                .collect(),
        };
        if !observations.is_empty() {
            out.send(observations).await.context(DOWNSTREAM)?;
        }
    }
    Ok(())
}

/// Both sides are built from one source, so this is a defect; it is said, and the rest goes on.
fn undecodable(error: &DecodeError) {
    eprintln!("driftline: a record from the kernel cannot be decoded: {error}; please report this");
}

/// Calls that are in the container's sets although their event never got through: (number, denied, foreign).
pub(crate) fn unsent(state: &ContainerState) -> impl Iterator<Item = (u32, bool, bool)> {
    let sets =
        [(state.native, false, false), (state.denied, true, false), (state.foreign, false, true)];
    sets.into_iter().flat_map(|(set, denied, foreign)| {
        let mut left = SyscallSet::EMPTY;
        for (left, (called, sent)) in left.called.iter_mut().zip(set.called.iter().zip(set.sent)) {
            *left = called & !sent;
        }
        left.numbers().collect::<Vec<_>>().into_iter().map(move |number| (number, denied, foreign))
    })
}

async fn consume<C: Consumer>(
    mut input: mpsc::Receiver<Vec<Observation>>,
    mut consumer: C,
    lost: &AtomicU64,
) -> C {
    let mut ticks = tokio::time::interval(std::time::Duration::from_secs(1));
    loop {
        tokio::select! {
            batch = input.recv() => match batch {
                Some(batch) => batch.into_iter().for_each(|observation| consumer.consume(observation)),
                None => return consumer,
            },
            _ = ticks.tick() => consumer.tick(jiff::Timestamp::now(), lost.load(Ordering::Relaxed)),
        }
    }
}
