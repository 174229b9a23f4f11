//! What an operation may cost: checked against the guest's counts, which do not depend on the machine.

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use super::row::{Row, find};

/// The budgets, one line each.
const BUDGETS: &str = include_str!("budget.json");

/// What a subject's operation may add to the same operation under another subject.
#[derive(Debug, Deserialize)]
struct Budget {
    subject: String,
    op: String,
    over: String,
    /// Instructions.
    at_most: f64,
}

/// Fails with a list of everything that costs more than it may.
pub(super) fn check(rows: &[Row]) -> Result<()> {
    let exceeded = against(&serde_json::from_str::<Vec<Budget>>(BUDGETS)?, rows)?;
    if exceeded.is_empty() { Ok(()) } else { bail!("over budget: {}", exceeded.join("; ")) }
}

fn against(budgets: &[Budget], rows: &[Row]) -> Result<Vec<String>> {
    let mut exceeded = Vec::new();
    for Budget { subject, op, over, at_most } in budgets {
        let missing = |what: &str| format!("{op} under {what} has a budget and was not measured");
        let row = find(rows, subject, op).with_context(|| missing(subject))?;
        let base = find(rows, over, op).with_context(|| missing(over))?;
        // The least of the rounds: a tick or an interrupt of the guest only ever adds, to any round it falls into.
        let added = row.min - base.min;
        if added > *at_most {
            exceeded.push(format!(
                "{op} under `{subject}` adds {added:.0} to `{over}`, {at_most:.0} are allowed"
            ));
        }
    }
    Ok(exceeded)
}

#[cfg(test)]
mod tests {
    use super::super::row::Row;
    use super::{BUDGETS, Budget, against};

    #[test]
    fn what_costs_more_than_it_may_is_named() {
        let budget =
            r#"[{"subject": "behaving", "op": "open", "over": "nothing", "at_most": 1250}]"#;
        let budgets: Vec<Budget> = serde_json::from_str(budget).unwrap();
        let rows = |added: f64| {
            ["nothing", "behaving"].map(|subject| {
                let value = 5_000.0 + if subject == "behaving" { added } else { 0.0 };
                Row::once("guest", subject, "open", "instructions", value)
            })
        };
        assert!(against(&budgets, &rows(1250.0)).unwrap().is_empty());
        assert!(against(&budgets, &rows(1251.0)).unwrap()[0].contains("1251"));
        let mut disturbed = rows(1250.0);
        disturbed[1].median += 11_000.0;
        assert!(against(&budgets, &disturbed).unwrap().is_empty(), "a tick is no cost of ours");
        assert!(against(&budgets, &[]).is_err(), "a budget that nothing checks is no budget");
    }

    #[test]
    fn the_budgets_are_sound() {
        let budgets: Vec<Budget> = serde_json::from_str(BUDGETS).unwrap();
        assert!(budgets.iter().any(|budget| budget.subject == "behaving"));
    }
}
