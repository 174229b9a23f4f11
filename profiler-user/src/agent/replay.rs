//! What the behaviour log holds, judged anew: by the same catalogue, judge and rules as a watcher's.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use ulid::Ulid;

use super::binding::Binding;
use super::catalogue::{Catalogue, Choice};
use super::unprofiled;
use crate::attest::Trust;
use crate::baseline::Judge;
use crate::behaviour::{Observation, Process};
use crate::container::Identity;
use crate::drift::event::{Action, Drift};
use crate::drift::fingerprint::Fingerprint;
use crate::drift::severity::Table;
use crate::drift::{Context, Event, Finding, Node, Origin};
use crate::error::Error;
use crate::flight::{Segment, Step};

/// By which baselines, and how they are read.
pub(crate) struct By<'a> {
    pub(crate) baselines: &'a Path,
    pub(crate) trust: Option<&'a Path>,
    pub(crate) bind: Option<&'a Path>,
    pub(crate) rules: Arc<Table>,
}

/// Judges segment by segment.
pub(crate) struct Replay<'a> {
    by: By<'a>,
    now: Timestamp,
    /// By the key that secrets were hashed with.
    catalogues: HashMap<String, Catalogue>,
    /// By container and fingerprint, so that the same input comes out in the same order.
    pub(crate) drift: BTreeMap<(String, String), Would>,
    /// Entries that were judged.
    pub(crate) judged: u64,
    /// Of what was judged, in nanoseconds since 1970: the first and the last.
    pub(crate) span: Option<(i64, i64)>,
}

/// What one container did of one behaviour.
#[derive(Clone, Copy)]
struct Times {
    count: u64,
    first: i64,
    last: i64,
    pid: u32,
}

/// What a judge finds in one behaviour.
type Findings = Arc<[(Fingerprint, Observation, Finding)]>;

/// One judge's word about a behaviour: what it finds in it, with the fingerprints.
#[derive(Clone)]
enum Word {
    NotAsked,
    Known,
    Drift(Findings),
}

/// What would be told of one container.
pub(crate) struct Would {
    identity: Arc<Identity>,
    choice: Option<Arc<Choice>>,
    /// The first occurrence, and which of the findings in it.
    found: (Findings, usize),
    times: Times,
}

impl<'a> Replay<'a> {
    pub(crate) fn new(by: By<'a>) -> Self {
        let (catalogues, drift) = (HashMap::new(), BTreeMap::new());
        Self { by, now: Timestamp::now(), catalogues, drift, judged: 0, span: None }
    }

    /// `from` and `until` in nanoseconds since 1970; `selects` which containers.
    ///
    /// # Errors
    /// Where the trusted keys or the bind file cannot be used.
    pub(crate) fn take(
        &mut self,
        segment: &Segment,
        from: i64,
        until: i64,
        selects: impl Fn(&Identity) -> bool,
    ) -> Result<(), Error> {
        let choices = self.choices(segment)?;
        let identities: Vec<_> = segment.containers.iter().cloned().map(Arc::new).collect();
        // Containers of one judge have one memory.
        let mut judges: Vec<Option<*const Judge>> = Vec::new();
        let mut of: Vec<Option<usize>> = Vec::new();
        for (identity, choice) in segment.containers.iter().zip(&choices) {
            if !selects(identity) {
                of.push(None);
                continue;
            }
            let judge = choice.as_ref().map(|choice| Arc::as_ptr(&choice.judge));
            let place = judges.iter().position(|known| *known == judge);
            of.push(Some(place.unwrap_or_else(|| {
                judges.push(judge);
                judges.len() - 1
            })));
        }
        let mut words = vec![vec![Word::NotAsked; segment.deeds()]; judges.len()];
        let mut times: HashMap<(usize, usize), Times> = HashMap::new();
        let (mut entries, mut span) = (0, self.span);
        for step in segment.steps() {
            let Step { container, deed, time, pid } = step;
            let Some(judge) = of[container] else { continue };
            if time < from || time > until {
                continue;
            }
            entries += 1;
            span = Some(span.map_or((time, time), |(a, b)| (a.min(time), b.max(time))));
            let word = &mut words[judge][deed];
            if let Word::NotAsked = word {
                let found = self.findings(segment, step, choices[container].as_deref());
                *word = if found.is_empty() { Word::Known } else { Word::Drift(found.into()) };
            }
            if let Word::Drift(_) = word {
                let new = Times { count: 0, first: time, last: time, pid };
                let times = times.entry((container, deed)).or_insert(new);
                times.count += 1;
                if time < times.first {
                    (times.first, times.pid) = (time, pid);
                }
                times.last = times.last.max(time);
            }
        }
        (self.judged, self.span) = (self.judged + entries, span);
        let mut times: Vec<_> = times.into_iter().collect();
        times.sort_by_key(|(place, times)| (times.first, *place));
        for ((container, deed), times) in times {
            let word = of[container].map(|judge| &words[judge][deed]);
            if let Some(Word::Drift(found)) = word {
                self.tell(&identities[container], found, times, choices[container].as_ref());
            }
        }
        Ok(())
    }

    /// The baseline of each container.
    fn choices(&mut self, segment: &Segment) -> Result<Vec<Option<Arc<Choice>>>, Error> {
        if !self.catalogues.contains_key(&segment.key_id) {
            let trust = self.by.trust.map(Trust::open).transpose()?;
            let binding = self.by.bind.map(Binding::open).transpose()?;
            let mut catalogue = Catalogue::new(self.by.baselines, segment.key_id.clone(), trust)
                .with_binding(binding);
            catalogue.refresh(self.now);
            self.catalogues.insert(segment.key_id.clone(), catalogue);
        }
        let catalogue = &self.catalogues[&segment.key_id];
        let choose = |identity| {
            let choice = catalogue.choose(identity).unwrap_or_else(|why| {
                eprintln!("driftline: {why}");
                None
            });
            choice.map(Arc::new)
        };
        Ok(segment.containers.iter().map(choose).collect())
    }

    fn findings(
        &self,
        segment: &Segment,
        step: Step,
        choice: Option<&Choice>,
    ) -> Vec<(Fingerprint, Observation, Finding)> {
        let Some((actor, deed)) = segment.deed(step.deed) else { return Vec::new() };
        let Some(observation) = deed.observation(actor, step.pid, step.timestamp()) else {
            return Vec::new();
        };
        let findings = match choice {
            Some(choice) => choice.judge.judge(&observation),
            None => unprofiled::judge(&observation, &self.by.rules),
        };
        let with =
            |finding| (Fingerprint::of(&observation, &finding), observation.clone(), finding);
        findings.into_iter().map(with).collect()
    }

    fn tell(
        &mut self,
        identity: &Arc<Identity>,
        found: &Findings,
        times: Times,
        choice: Option<&Arc<Choice>>,
    ) {
        for (number, (fingerprint, ..)) in found.iter().enumerate() {
            let key = (identity.id.as_str().to_owned(), fingerprint.to_string());
            let would = Would {
                identity: Arc::clone(identity),
                choice: choice.cloned(),
                found: (Arc::clone(found), number),
                times,
            };
            match self.drift.entry(key) {
                Entry::Vacant(entry) => _ = entry.insert(would),
                Entry::Occupied(mut entry) => {
                    let known = &mut entry.get_mut().times;
                    known.count += times.count;
                    known.last = known.last.max(times.last);
                    if times.first < known.first {
                        let times = Times { first: times.first, pid: times.pid, ..*known };
                        _ = entry.insert(Would { times, ..would });
                    }
                }
            }
        }
    }

    /// The event that a watcher would write.
    pub(crate) fn event(&self, would: &Would) -> Event {
        let Would { identity, choice, found: (found, number), times } = would;
        let (fingerprint, observation, finding) = &found[*number];
        let choice = choice.as_deref();
        let at = |time: i64| Timestamp::from_nanosecond(time.into()).unwrap_or_default();
        let time = at(times.first);
        let process = Process { pid: times.pid, ..(*observation.process).clone() };
        let observation = Observation { time, process: process.into(), ..observation.clone() };
        let nearest = choice.and_then(|choice| choice.judge.nearest(&observation, finding));
        let drift = Drift {
            id: id(identity.id.as_str(), &fingerprint.to_string(), time),
            fingerprint: *fingerprint,
            observation,
            finding: Finding { nearest, ..finding.clone() },
            last: at(times.last),
            count: times.count,
        };
        Event::new(&self.context(identity, choice), &drift, Action::Created)
    }

    fn context(&self, identity: &Identity, choice: Option<&Choice>) -> Context {
        let node = Node { host_name: String::new(), name: None, cluster: None };
        let origin = Arc::new(Origin::of_container(&node, identity));
        let context =
            Context { rules: Arc::clone(&self.by.rules), ..Context::unjudged(origin, "replay") };
        let Some(choice) = choice else { return context };
        Context {
            baseline_id: Some(choice.id.clone()),
            baseline_status: choice.status,
            baseline_signature: Some(choice.signature),
            recorded_runs: choice.runs,
            ..context
        }
    }
}

/// Of the content, so that the same is called the same.
fn id(container: &str, fingerprint: &str, time: Timestamp) -> Ulid {
    let hash = Sha256::new().chain_update(container).chain_update([0]).chain_update(fingerprint);
    let hash = hash.finalize();
    let random = hash.iter().take(10).fold(0_u128, |sum, byte| sum << 8 | u128::from(*byte));
    Ulid::from_parts(u64::try_from(time.as_millisecond()).unwrap_or(0), random)
}
