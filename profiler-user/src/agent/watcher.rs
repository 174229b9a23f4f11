//! `driftline watch` on a node: each container is judged by its image's baseline.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};
use profiler_common::container::{KnownCalls, SET_WORDS};

use super::{
    catalogue::{Catalogue, Choice},
    heirs::{Heir, Heirs},
    task::{Member, Task},
    unprofiled,
};
use crate::{
    attest::Reason,
    behaviour::{Behaviour, Observation, Process},
    container::{Identity, Role, Source},
    drift::{
        Aggregator, BaselineStatus, Context, DriftKind, Finding, Notice, Told, aggregate,
        severity::Table,
    },
    flight::{Done, Log, Place, Recent},
    http::Containers,
    observe::{self, UNKNOWN},
    store::{Capture, Write},
};

pub(super) struct Watcher {
    catalogue: Catalogue,
    heirs: Heirs,
    rules: Arc<Table>,
    /// Images without a baseline of which it was said.
    unprofiled: HashSet<String>,
    /// Images whose baseline is refused, and what was said of it.
    refused: HashMap<String, String>,
    /// What was said of baselines that do not fit.
    said: HashSet<String>,
    /// What all containers do, on disk.
    log: Log,
}

pub(super) struct Watching {
    identity: Arc<Identity>,
    context: Context,
    choice: Option<Choice>,
    /// Where it is judged by what another image does.
    heir: Option<Heir>,
    /// Whether all that it does was judged by one baseline, and seen.
    is_whole: bool,
    /// Of the catalogue that `choice` was made from.
    generation: u64,
    aggregator: Aggregator,
    recent: Recent,
    /// In the log.
    place: Place,
    /// Calls that the log has although they did not cross.
    noted: KnownCalls,
}

impl Watcher {
    pub(super) fn new(mut catalogue: Catalogue, heirs: Heirs, rules: Arc<Table>, log: Log) -> Self {
        catalogue.refresh(Timestamp::now());
        let (unprofiled, refused, said) = (HashSet::new(), HashMap::new(), HashSet::new());
        Self { catalogue, heirs, rules, unprofiled, refused, said, log }
    }

    /// The baseline to go by now; that there is none, or none that is believed, is told once per image.
    fn choose(&mut self, job: &mut Watching, now: Timestamp, out: &mut Vec<Write>) {
        job.generation = self.catalogue.generation();
        job.choice = match self.catalogue.choose(&job.identity) {
            Ok(choice) => choice,
            Err(why) => {
                if self.said.insert(why.clone()) {
                    eprintln!("driftline: {why}; until then it is watched without a baseline");
                }
                None
            }
        };
        self.inherit(job, now);
        let context = &mut job.context;
        if let Some(choice) = &job.choice {
            context.baseline_id = Some(choice.id.clone());
            context.baseline_status = choice.status;
            context.recorded_runs = choice.runs;
            context.baseline_signature = Some(choice.signature);
            context.baseline_coverage = choice.coverage;
            context.baseline_bind.clone_from(&choice.bind);
            if let Some(image) = image_key(&job.identity) {
                self.unprofiled.remove(&image);
            }
        } else {
            context.baseline_id = None;
            context.baseline_status = BaselineStatus::None;
            context.recorded_runs = 0;
            context.baseline_signature = None;
            context.baseline_coverage = None;
            context.baseline_bind = None;
        }
        let refused = self.catalogue.refused(&job.identity, job.choice.as_ref());
        if let Some(refused) = refused {
            if job.choice.is_none() {
                context.baseline_signature = Some(refused.signature());
            }
            let why = refused.why.clone();
            self.tell_refused(job, why, now, out);
            return;
        }
        if let Some(image) = image_key(&job.identity) {
            self.refused.remove(&image);
        }
        if job.choice.is_none() {
            self.tell_unprofiled(job, now, out);
        }
    }

    /// Keeps, from now on, what a container of an image without a baseline of its own does of its ancestor's.
    fn inherit(&mut self, job: &mut Watching, now: Timestamp) {
        let inheritance = job.choice.as_ref().and_then(|choice| choice.inheritance.as_ref());
        if job.heir.as_ref().zip(inheritance).is_some_and(|(heir, of)| heir.is_of(of)) {
            return;
        }
        if let Some(before) = job.heir.take() {
            // What was lost is told at its end, which this is not: the run counts as one that was not seen whole.
            self.heirs.end(&before, &[], None);
        }
        let begin = |of| self.heirs.begin(&job.identity, of, !job.is_whole, now);
        job.heir = inheritance.and_then(begin);
        job.is_whole = false;
    }

    /// Tells of a baseline that is there and not believed; again when the reason is another.
    fn tell_refused(&mut self, job: &Watching, why: String, now: Timestamp, out: &mut Vec<Write>) {
        let Some(image) = image_key(&job.identity) else { return };
        if job.identity.role == Role::Sandbox {
            return;
        }
        if job.choice.is_none() {
            self.unprofiled.insert(image.clone());
        }
        if self.refused.get(&image) == Some(&why) {
            return;
        }
        let instead = match job.choice {
            Some(_) => "the nearest one that is believed",
            None => "the rules that need none",
        };
        let notice = Notice {
            kind: DriftKind::ImageUnprofiled,
            sentence: format!(
                "{why}; until then containers of the image {image} are judged by {instead}"
            ),
            object: image.clone(),
            refused: true,
            time: now,
            last: now,
        };
        self.refused.insert(image, why);
        out.push(Write::Event(Box::new(notice.event(&job.context))));
    }

    fn tell_unprofiled(&mut self, job: &Watching, now: Timestamp, out: &mut Vec<Write>) {
        let Some(image) = image_key(&job.identity) else { return };
        if job.identity.role == Role::Sandbox || !self.unprofiled.insert(image.clone()) {
            return;
        }
        let notice = Notice {
            kind: DriftKind::ImageUnprofiled,
            sentence: format!(
                "there is no baseline of the image {image}: its containers are judged by the rules that need none; \
                 record it with driftline record"
            ),
            object: image,
            refused: false,
            time: now,
            last: now,
        };
        out.push(Write::Event(Box::new(notice.event(&job.context))));
    }
}

impl Task for Watcher {
    type Job = Watching;

    fn begin(&mut self, member: &Member, now: Timestamp, out: &mut Vec<Write>) -> Option<Watching> {
        let context = Context {
            rules: Arc::clone(&self.rules),
            ..Context::unjudged(Arc::clone(&member.origin), self.heirs.tier())
        };
        let mut job = Watching {
            identity: Arc::clone(&member.identity),
            context,
            choice: None,
            heir: None,
            is_whole: member.capture == Capture::FromStart,
            generation: 0,
            aggregator: Aggregator::new(aggregate::CAPACITY),
            recent: Recent::default(),
            place: Place::default(),
            noted: [0; SET_WORDS],
        };
        self.choose(&mut job, now, out);
        Some(job)
    }

    fn take(&mut self, job: &mut Watching, observation: Observation, out: &mut Vec<Write>) {
        if let Some(heir) = &job.heir {
            self.heirs.take(heir, &observation);
        }
        let judge = job.choice.as_ref().map(|choice| &choice.judge);
        let findings = match judge {
            Some(judge) => judge.judge(&observation),
            None => unprofiled::judge(&observation, &self.rules),
        };
        for finding in findings {
            let nearest = |finding: &Finding| judge?.nearest(&observation, finding);
            let mut told = job.aggregator.observe(&job.context, &observation, finding, nearest);
            if !told.is_empty() {
                for told in &mut told {
                    told.set_before(&job.recent);
                }
                self.log.drifted();
            }
            push(out, told);
        }
        let Observation { time, process, behaviour } = &observation;
        self.log.note(&mut job.place, &job.identity, *time, process, Done::Did(behaviour));
        job.recent.note(&observation);
    }

    fn exited(&mut self, job: &mut Watching, at: Timestamp, process: &Arc<Process>, status: u32) {
        let done = Done::Exited(status);
        self.log.note(&mut job.place, &job.identity, at, process, done);
        job.recent.note_done(at, process, done);
    }

    fn called(&mut self, job: &mut Watching, calls: &KnownCalls, now: Timestamp) {
        let Some(known) = Self::known_calls(job) else { return };
        let mut fresh: KnownCalls =
            std::array::from_fn(|word| calls[word] & known[word] & !job.noted[word]);
        if fresh == [0; SET_WORDS] {
            return;
        }
        let nobody = Arc::new(Process::unknown(UNKNOWN));
        for (word, bits) in fresh.iter_mut().enumerate() {
            job.noted[word] |= *bits;
            while *bits != 0 {
                let number = word as u64 * 64 + u64::from(bits.trailing_zeros());
                *bits &= *bits - 1;
                let call = Behaviour::Syscall(observe::syscall(number, false, false));
                self.log.note(&mut job.place, &job.identity, now, &nobody, Done::Did(&call));
            }
        }
    }

    fn tick(&mut self, job: &mut Watching, lost: u64, now: Timestamp, out: &mut Vec<Write>) {
        job.context.lost_events = lost;
        if job.generation != self.catalogue.generation() {
            self.choose(job, now, out);
        }
        push(out, job.aggregator.updates(&job.context, now));
    }

    fn end(&mut self, mut job: Watching, lost: &[u64], now: Timestamp, out: &mut Vec<Write>) {
        if let Some(heir) = &job.heir {
            self.heirs.end(heir, lost, Some(now));
        }
        job.context.lost_events = lost.iter().sum();
        push(out, job.aggregator.close(&job.context));
    }

    fn leave(&mut self, mut job: Watching, lost: &[u64], now: Timestamp, out: &mut Vec<Write>) {
        if let Some(heir) = &job.heir {
            self.heirs.end(heir, lost, None);
        }
        job.context.lost_events = lost.iter().sum();
        // Whatever is due within the hour is due now.
        let later = now.saturating_add(SignedDuration::from_hours(1)).unwrap_or(now);
        push(out, job.aggregator.updates(&job.context, later));
    }

    fn known_calls(job: &Watching) -> Option<&KnownCalls> {
        // What it inherits is to be told as well.
        let own = job.choice.as_ref().filter(|choice| choice.inheritance.is_none());
        own.map(|choice| choice.judge.known_calls())
    }

    fn save(&mut self) {
        self.heirs.save_due();
        self.log.hand_over(Timestamp::now());
    }

    fn stop(&mut self) {
        self.heirs.close();
        self.log.close();
    }

    fn every_second(&mut self, now: Timestamp) -> bool {
        let before = self.catalogue.generation();
        self.catalogue.refresh(now);
        self.catalogue.generation() != before
    }

    fn limited(&mut self, job: &Watching, excess: u64, now: Timestamp, out: &mut Vec<Write>) {
        let notice = Notice {
            kind: DriftKind::SensorGap,
            object: "rate".to_owned(),
            sentence: format!(
                "this container did more new things than {} a second: {excess} of them were counted and not looked at",
                crate::sensor::RATE
            ),
            refused: false,
            time: now,
            last: now,
        };
        out.push(Write::Event(Box::new(notice.event(&job.context))));
    }

    fn refused(&self) -> Vec<Reason> {
        self.catalogue.reasons()
    }

    fn unsigned(&self) -> usize {
        self.catalogue.unsigned()
    }

    fn baselines(&self) -> (usize, usize) {
        (self.catalogue.len(), self.unprofiled.len())
    }

    fn count(job: &Watching, containers: &mut Containers) {
        match &job.choice {
            Some(_) => containers.watched += 1,
            None => containers.unprofiled += 1,
        }
    }

    fn baseline(&self, job: &Watching) -> Option<(Option<String>, BaselineStatus)> {
        Some((job.context.baseline_id.clone(), job.context.baseline_status))
    }
}

/// How an image is named to people; none where it is not known.
fn image_key(identity: &Identity) -> Option<String> {
    let image = identity.image.as_ref().filter(|_| identity.source == Source::Runtime)?;
    image.reference.clone().or_else(|| image.id.clone()).or_else(|| Some(image.name.clone()))
}

fn push(out: &mut Vec<Write>, told: Vec<Told>) {
    out.extend(told.into_iter().map(Write::from));
}
