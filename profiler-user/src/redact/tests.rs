use proptest::prelude::*;

use super::*;

fn redactor() -> Redactor {
    Redactor::new([7; 32])
}

fn args(args: &[&str]) -> Vec<String> {
    redactor().redact_args(args.iter().map(ToString::to_string).collect())
}

fn hidden(secret: &str) -> String {
    redactor().placeholder(secret)
}

#[test]
fn the_rest_stays_readable() {
    let s = hidden("hunter2x");
    let cases: &[(&[&str], Vec<String>)] = &[
        (
            &["x", "--password", "hunter2x", "db"],
            vec!["x".into(), "--password".into(), s.clone(), "db".into()],
        ),
        (&["x", "--password=hunter2x"], vec!["x".into(), format!("--password={s}")]),
        (
            &["mysql", "-uroot", "-phunter2x", "db"],
            vec!["mysql".into(), "-uroot".into(), format!("-p{s}"), "db".into()],
        ),
        (
            &["curl", "-u", "me:hunter2x", "http://h/"],
            vec!["curl".into(), "-u".into(), format!("me:{s}"), "http://h/".into()],
        ),
        (
            &["curl", "-H", "Authorization: Bearer hunter2x"],
            vec!["curl".into(), "-H".into(), format!("Authorization: Bearer {s}")],
        ),
        (
            &["psql", "postgres://me:hunter2x@db:5432/shop?sslmode=off"],
            vec!["psql".into(), format!("postgres://me:{s}@db:5432/shop?sslmode=off")],
        ),
        (
            &["curl", "https://h/x?a=1&token=hunter2x&b=2"],
            vec!["curl".into(), format!("https://h/x?a=1&token={s}&b=2")],
        ),
        (
            &["sh", "-c", "PASSWORD=hunter2x exec app --port 80"],
            vec!["sh".into(), "-c".into(), format!("PASSWORD={s} exec app --port 80")],
        ),
        (
            &["sh", "-c", "mysql -u root -p'hunter2x' db | head -n 3"],
            vec!["sh".into(), "-c".into(), format!("mysql -u root -p'{s}' db | head -n 3")],
        ),
        (
            &["sh", "-c", "su -c \"mysql -phunter2x\" x"],
            vec!["sh".into(), "-c".into(), format!("su -c \"mysql -p{s}\" x")],
        ),
        (
            &["curl", "-d", "{\"user\":\"me\",\"password\":\"hunter2x\"}"],
            vec!["curl".into(), "-d".into(), format!("{{\"user\":\"me\",\"password\":\"{s}\"}}")],
        ),
        (
            &["mysql", "-e", "CREATE USER a IDENTIFIED BY 'hunter2x';"],
            vec!["mysql".into(), "-e".into(), format!("CREATE USER a IDENTIFIED BY '{s}';")],
        ),
        (
            &["smbclient", "-U", "me%hunter2x", "//h/s"],
            vec!["smbclient".into(), "-U".into(), format!("me%{s}"), "//h/s".into()],
        ),
        (
            &["docker", "run", "-p", "80:80", "-e", "DB_PASSWORD=hunter2x", "img"],
            vec![
                "docker".into(),
                "run".into(),
                "-p".into(),
                "80:80".into(),
                "-e".into(),
                format!("DB_PASSWORD={s}"),
                "img".into(),
            ],
        ),
    ];
    for (given, expected) in cases {
        assert_eq!(&args(given), expected, "{given:?}");
    }
}

#[test]
fn ordinary_commands_stay_as_they_are() {
    let cases: &[&[&str]] = &[
        &["nginx", "-g", "daemon off;"],
        &["python3", "-c", "import tempfile; print(tempfile.mkstemp())"],
        &["sh", "-c", "for i in 1 2 3; do echo $i | wc -c; done > /tmp/x 2>&1"],
        &["docker", "run", "-p", "80:80", "nginx:1.27@sha256:0123"],
        &["git", "clone", "ssh://git@host/repo.git"],
        &["git", "clone", "git@host:repo.git"],
        &["app", "--author=me", "--token-file=/run/t", "--password-stdin", "PWD=/home"],
        &["redis-server", "*:6379"],
        &["cat", "/run/secrets/db", "/etc/passwd"],
        &["passwd", "root"],
        &["docker", "run", "-v", "/secrets:/run/secrets:ro", "x"],
        &["http://host:8080/a@b", "12:30:45", "a=b"],
        &[""],
    ];
    for given in cases {
        assert_eq!(args(given), *given, "{given:?}");
    }
}

#[test]
fn a_key_id_names_the_key_only() {
    let other = Redactor::new([8; 32]);
    assert_eq!(redactor().key_id().len(), 8);
    assert_ne!(redactor().key_id(), other.key_id());
    assert_ne!(other.placeholder("hunter2x"), hidden("hunter2x"));
    assert!(!format!("{other:?}").contains("8, 8"));
}

#[test]
fn a_private_key_is_hidden_whole() {
    let key = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----";
    assert_eq!(redactor().redact_text(&format!("x {key} y")), format!("x {} y", hidden(key)));
    assert!(!redactor().redact_text("-----BEGIN PRIVATE KEY-----\nMIIEow").contains("MIIE"));
}

/// Every form, as arguments separated by `␟`; `§` is the secret. Any character may be in it.
const WHOLE_ARGUMENT: &[&str] = &[
    "x␟--password␟§",
    "x␟--password=§",
    "x␟-password␟§",
    "x␟--db-pass=§",
    "x␟--api-key␟§",
    "x␟--token␟§␟--more",
    "mysql␟-p§",
    "/usr/bin/mysqldump␟-uroot␟-p§␟db",
    "sudo␟mysqladmin␟-p§",
    "sshpass␟-p␟§␟ssh␟h",
    "redis-cli␟-a␟§",
    "redis-cli␟CONFIG␟SET␟requirepass␟§",
    "docker␟login␟-u␟me␟-p␟§",
    "curl␟-u␟me:§",
    "curl␟--user=me:§",
    "curl␟-ume:§",
    "ldapsearch␟-x␟-w␟§",
    "smbclient␟-U␟me%§",
    "openssl␟enc␟-pass␟pass:§",
    "openssl␟rsa␟-passin␟pass:§",
    "7z␟a␟-p§␟x.7z",
    "env␟PGPASSWORD=§␟psql",
    "docker␟run␟-e␟DB_SECRET=§␟img",
    "keytool␟-storepass␟§",
    "aws␟configure␟set␟aws_secret_access_key␟§",
];

/// Inside a text, where some characters end the secret.
const IN_TEXT: &[&str] = &[
    "sh␟-c␟mysql -p§ db",
    "sh␟-c␟mysql -p'§' db",
    "sh␟-c␟mysql --password=\"§\" db",
    "sh␟-c␟export API_TOKEN=§; run",
    "sh␟-c␟export API_TOKEN='§'; run",
    "sh␟-c␟cd /x && PGPASSWORD=§ psql -h db",
    "sh␟-c␟su - app -c 'redis-cli -a § ping'",
    "sh␟-c␟curl -H \"X-Api-Key: §\" http://h",
    "bash␟-lc␟curl -u me:§ http://h",
    "x␟postgres://me:§@db:5432/shop",
    "x␟DATABASE_URL=redis://:§@cache/0",
    "x␟--url=https://§@host/x",
    "x␟me:§@host",
    "curl␟https://h/x?a=1&token=§&b=2",
    "curl␟https://h/x?X-Amz-Signature=§",
    "curl␟https://h/x?sig=§&key=§",
    "curl␟-H␟Authorization: Bearer §",
    "curl␟-H␟Authorization: Basic §",
    "curl␟-H␟Cookie: a=§; b=§",
    "curl␟-d␟{\"user\":\"me\",\"password\":\"§\"}",
    "curl␟-d␟{\"password\" : \"§\", \"x\": 1}",
    "sh␟-c␟curl -d \"{\\\"password\\\":\\\"§\\\"}\" http://h",
    "mysql␟-e␟CREATE USER a IDENTIFIED BY '§'",
    "psql␟-c␟ALTER ROLE a WITH ENCRYPTED PASSWORD '§'",
    "python3␟-c␟connect(user='me', password='§')",
    "python3␟-c␟d = {'secret': '§', 'x': 1}",
    "php␟-r␟['password' => '§'];",
    "x␟Server=db;Database=x;User Id=me;Password=§;Timeout=3",
    "x␟<password>§</password>",
    "x␟password: §",
    "sh␟-c␟x=${DB_PASSWORD:-§}",
];

const HIDDEN: &str = "{secret:";

fn plant(form: &str, secret: &str) -> Vec<String> {
    form.replace('§', secret).split('␟').map(String::from).collect()
}

/// Long enough not to be found by chance, recognisable, and no placeholder.
fn any_secret() -> impl Strategy<Value = String> {
    "[-a-zA-Z0-9 !#$%^*()_+={}|;<>?,./~é\"'&@:-]{0,12}Zq7[a-z]{5,12}"
}

fn plain_secret() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9!%^*_+.,~é-]{0,12}Zq7[a-z]{5,12}"
}

fn wild_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,40}",
        ".{0,20}",
        "(password|token|Cookie|-p|--auth|mysql|curl|by|identified|://|\\{secret:0011aabb\\}|\u{FDD0}|[=:'\"@&;<> \\\\é()$-]|x){0,14}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn a_plain_word_hides_as_much_as_any_text(word in "(-p|/usr/bin/)?(ghp_|AKIA|sk-|npm_|eyJ|mysql|vault|7z|password|login|token|-----BEGIN)?[a-zA-Z0-9_./{}*+~-]{0,40}") {
        let spans = |find: fn(&str) -> Vec<Range<usize>>| {
            let mut spans = find(&word);
            spans.sort_by_key(|span| (span.start, span.end));
            spans.dedup();
            spans
        };
        prop_assert_eq!(spans(find_in_text), spans(find_in_any_text));
    }

    #[test]
    fn harmless_words_are_what_the_rules_leave_alone(words in prop::collection::vec("(-p|-u|--|/usr/bin/)?(mysql|vault|curl|login|token|api-?key|masterauth|pw|author|x)?[a-zA-Z0-9_./,{+-]{0,12}", 0..5)) {
        let ruled = redactor().redact(words.clone(), find_in_args);
        prop_assert_eq!(args_of(words), ruled);
    }

    #[test]
    fn a_planted_secret_never_comes_out(form in prop::sample::select(WHOLE_ARGUMENT), secret in any_secret()) {
        let out = args_of(plant(form, &secret));
        prop_assert!(!out.join(" ").contains("Zq7"), "{:?}", out);
        prop_assert!(!out.join(" ").contains(&secret), "{:?}", out);
    }

    #[test]
    fn a_secret_planted_in_a_text_never_comes_out(form in prop::sample::select(IN_TEXT), secret in plain_secret()) {
        let out = args_of(plant(form, &secret));
        prop_assert!(!out.join(" ").contains("Zq7"), "{:?}", out);
        prop_assert!(out.join(" ").contains(HIDDEN), "{:?}", out);
    }

    #[test]
    fn a_known_shape_never_comes_out(
        prefix in prop::sample::select(vec!["AKIA", "ghp_", "github_pat_", "xoxb-", "glpat-", "sk-", "hvs.", "eyJhbGciOi.eyJ", "eyJhbGciOi.eyJpZCI6."]),
        random in "[A-Z0-9]{36}",
        around in "[ =:/\"']?",
    ) {
        let out = args_of(vec!["x".into(), format!("a{around}"), format!("{around}{prefix}{random}")]);
        prop_assert!(!out.join(" ").contains(&random), "{:?}", out);
    }

    #[test]
    fn redacting_twice_is_redacting_once(words in prop::collection::vec(wild_text(), 0..5)) {
        let once = args_of(words);
        prop_assert_eq!(args_of(once.clone()), once);
    }

    #[test]
    fn redacting_a_planted_secret_twice_is_redacting_it_once(
        form in prop::sample::select([WHOLE_ARGUMENT, IN_TEXT].concat()), secret in any_secret(),
    ) {
        let once = args_of(plant(form, &secret));
        prop_assert_eq!(args_of(once.clone()), once);
    }

    #[test]
    fn a_text_is_redacted_without_panic_and_once(text in wild_text()) {
        let once = redactor().redact_text(&text);
        prop_assert_eq!(redactor().redact_text(&once), once);
    }
}

fn args_of(args: Vec<String>) -> Vec<String> {
    redactor().redact_args(args)
}
