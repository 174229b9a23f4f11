use super::super::fixtures::{exec, read};
use super::super::seen::WINDOW;
use super::super::{Image, Run};
use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_767_312_000 + second).unwrap()
}

/// `runs` runs of a program that reads `/etc/app.conf`, and a file of its own in each run of `odd`.
fn recorded(runs: usize, odd: &[usize], change: impl Fn(usize, &mut Run)) -> Baseline {
    let mut baseline = Baseline::new(Image::here("x"));
    for number in 0..runs {
        let id = RunId::new(format!("run-{number:04}"));
        let mut run = Run::new(at(0), "h", "full");
        change(number, &mut run);
        baseline.begin_run(id.clone(), run, "k");
        baseline.learn(&id, &exec("/bin/app", &["app"], None));
        baseline.learn(&id, &read("/bin/app", "/etc/app.conf"));
        if odd.contains(&number) {
            let letter = char::from(b'a' + u8::try_from(number).unwrap());
            baseline.learn(&id, &read("/bin/app", &format!("/etc/odd-{letter}")));
        }
        let lost = baseline.runs[&id].lost.clone();
        baseline.end_run(&id, at(5), &lost);
    }
    baseline
}

fn of(baseline: &Baseline) -> Completeness {
    baseline.completeness(at(10))
}

#[test]
fn one_run_says_nothing_of_the_next_and_equal_runs_say_that_it_is_all() {
    let one = of(&recorded(1, &[], |_, _| {}));
    assert_eq!((one.coverage, one.limit), (0.0, Limit::Starts));
    let same = of(&recorded(5, &[], |_, _| {}));
    assert_eq!((same.coverage, same.limit), (1.0, Limit::Runs));
    assert_eq!(same.overall.windows.units, 0);
    let differing = of(&recorded(5, &[1, 3], |_, _| {}));
    assert!(differing.coverage < 0.95, "{differing:?}");
    let of_kind = |aspect| differing.aspects[&aspect].coverage().unwrap();
    assert!(of_kind(Aspect::Files) < of_kind(Aspect::Programs));
}

#[test]
fn runs_with_losses_do_not_count_for_what_was_lost_until_whole_ones_make_up_for_them() {
    let lossy = |number: usize, run: &mut Run| {
        if number < 4 {
            run.lost.insert("open".to_owned(), 3);
        }
    };
    let few = of(&recorded(5, &[], lossy));
    assert_eq!((few.coverage, few.limit), (0.0, Limit::Starts));
    assert_eq!(few.aspects[&Aspect::Files].runs.units, 1);
    assert_eq!(few.aspects[&Aspect::Programs].coverage(), Some(1.0));
    assert_eq!(few.left_out["lost events of kind open"], 4);
    assert!(of(&recorded(9, &[], lossy)).coverage > 0.999);
}

#[test]
fn late_starts_and_blind_probes_lower_it() {
    let late = of(&recorded(3, &[], |number, run| run.partial = number > 0));
    assert_eq!(late.limit, Limit::Starts);
    assert_eq!(late.left_out.values().sum::<usize>(), 2);
    let blind = of(&recorded(3, &[], |_, run| {
        run.blind.insert("connect".to_owned());
    }));
    assert_eq!(blind.aspects[&Aspect::Network].runs.units, 0);
    assert_eq!(blind.aspects[&Aspect::Files].coverage(), Some(1.0));
    assert_eq!(blind.limit, Limit::Starts);
}

#[test]
fn windows_of_long_runs_count_for_what_goes_on() {
    let window = WINDOW.as_secs().cast_signed();
    let mut baseline = Baseline::new(Image::here("x"));
    for number in 0..2 {
        let id = RunId::new(format!("run-{number:04}"));
        baseline.begin_run(id.clone(), Run::new(at(0), "h", "full"), "k");
        for passed in 0..10 {
            let mut one = read("/bin/app", "/etc/app.conf");
            one.time = at(passed * window);
            baseline.learn(&id, &one);
            one = read("/bin/app", &format!("/etc/hourly-{number}"));
            one.time = at(passed * window + 5);
            if passed == 7 {
                baseline.learn(&id, &one);
            }
        }
        baseline.end_run(&id, at(10 * window), &BTreeMap::new());
    }
    let told = of(&baseline);
    // Of each run, the window that it starts in and the one that it had not ended yet do not count.
    assert_eq!(told.overall.windows.units, 2 * 9);
    assert!(told.overall.windows.estimate.unwrap().coverage < 1.0, "{told:?}");
    assert!(told.overall.windows.next.is_some());
}
