use jiff::SignedDuration;

use super::super::tests::spread::intrusion;
use super::super::{History, Selector};
use super::{Form, Heading, markdown, report};

fn heading() -> Heading {
    Heading {
        title: "A <b>title</b> | with `marks`".to_owned(),
        made: crate::drift::sample::start(),
        command: "driftline investigate report".to_owned(),
        host: "node-1".to_owned(),
        log: "The log was proved whole.".to_owned(),
        log_is_whole: true,
    }
}

#[tokio::test]
async fn a_report_has_the_story_in_both_forms_and_nothing_to_fetch() {
    let dir = intrusion(false).await;
    let mut history = History::open(dir.path()).await.unwrap();
    let window = SignedDuration::from_mins(10);
    let report = report(&mut history, &Selector::default(), window, 1000).await.unwrap();
    assert_eq!(report.lives.len(), 3);
    let page = report.text(&heading(), Form::Html).unwrap();
    for wanted in [
        "shop/web-new &rarr; shop/db-0 &rarr; shop/files-0",
        "<svg ",
        "/root/.ssh/authorized_keys",
        "&lt;b&gt;title&lt;/b&gt;",
    ] {
        // Slashes are escaped as well.
        let page = page.replace("&#x2f;", "/");
        assert!(page.contains(wanted), "{wanted} in {page}");
    }
    for unwanted in ["<script", "<b>", " src=", " href=", "@import"] {
        assert!(!page.contains(unwanted), "{unwanted} in {page}");
    }
    let text = report.text(&heading(), Form::Markdown).unwrap();
    for wanted in
        ["shop/web-new to shop/db-0 to shop/files-0", "authorized\\_keys", "A \\<b\\>title"]
    {
        assert!(text.contains(wanted), "{wanted} in {text}");
    }
    // A row of a table is one line with as many cells as its head.
    let cells = |line: &str| line.replace("\\|", "").matches('|').count();
    let rows = text.lines().filter(|line| line.starts_with('|'));
    assert!(rows.clone().count() > 15, "{text}");
    assert!(rows.clone().all(|row| cells(row) == 6), "{text}");
}

#[tokio::test]
async fn a_report_of_nothing_says_so() {
    let dir = intrusion(false).await;
    let mut history = History::open(dir.path()).await.unwrap();
    let nowhere = Selector { namespace: Some("elsewhere".to_owned()), ..Selector::default() };
    let report = report(&mut history, &nowhere, SignedDuration::from_mins(1), 10).await.unwrap();
    for form in [Form::Html, Form::Markdown] {
        assert!(report.text(&heading(), form).unwrap().contains("No drift."));
    }
}

#[test]
fn no_text_means_anything_to_markdown() {
    assert_eq!(
        markdown("a|b\n[x](y) <i> `c`\u{1b}"),
        "a\\|b\\\\n\\[x\\]\\(y\\) \\<i\\> \\`c\\`\\\\u\\{1b\\}"
    );
}
