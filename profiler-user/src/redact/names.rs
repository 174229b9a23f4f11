//! Names that announce a secret: of a variable, a flag, a header, a key in JSON.

/// A segment that holds one of these is a secret's name.
const STEMS: &[&str] = &[
    "pass",
    "pwd",
    "secret",
    "token",
    "credential",
    "creds",
    "auth",
    "session",
    "sessid",
    "cookie",
    "signature",
    "bearer",
    "jwt",
];

/// The same, across the segments of a name: `api_key`, `apiKey`, `API-KEY`.
const JOINED: &[&str] = &[
    "apikey",
    "accesskey",
    "privatekey",
    "secretkey",
    "signingkey",
    "encryptionkey",
    "masterkey",
    "accountkey",
    "sharedkey",
    "authkey",
    "servicekey",
    "sshkey",
    "licensekey",
    "deploykey",
    "clientkey",
    "hmackey",
];

/// Words that hold a stem by accident.
const HARMLESS: &[&str] = &[
    "author",
    "authors",
    "authority",
    "authoritative",
    "bypass",
    "compass",
    "encompass",
    "passed",
    "passenger",
    "passes",
    "passive",
    "passthrough",
    "passthru",
    "sessionless",
    "tokenize",
    "tokenizer",
    "tokenizers",
];

/// A name that ends so says something about the secret, or where it is.
const ABOUT: &[&str] = &[
    "age", "count", "dir", "enabled", "endpoint", "expiry", "file", "length", "limit", "method",
    "mode", "path", "plugin", "policy", "prompt", "provider", "required", "size", "stdin",
    "timeout", "ttl", "type", "uri", "url",
];

/// A flag that begins so takes no secret.
const NEGATIONS: &[&str] = &["ask", "disable", "no", "skip", "without"];

/// Names of secrets only where nothing else is meant by them: among the parameters of a URL.
const PARAMETERS: &[&str] = &["key", "sig", "code", "otp", "pin", "hmac"];

/// Words after which a secret follows without any sign between.
const KEYWORDS: &[&str] = &["password", "passphrase", "requirepass", "masterauth"];

const KEYWORD_ENDINGS: &[&str] = &["password", "passphrase", "secret", "token", "apikey", "key"];

/// Any stem and any joined name holds one of these, so that nearly all names are told without taking them apart.
const BEGINNINGS: &[[u8; 3]] = &[
    *b"pas", *b"pwd", *b"sec", *b"tok", *b"cre", *b"aut", *b"ses", *b"coo", *b"sig", *b"bea",
    *b"jwt", *b"key",
];

/// By byte, whether any of them ends so.
const ENDS: [bool; 256] = {
    let mut ends = [false; 256];
    let mut at = 0;
    while at < BEGINNINGS.len() {
        ends[BEGINNINGS[at][2] as usize] = true;
        at += 1;
    }
    ends
};

/// No secret's name is called so by mistake: whether it is one at all is still to be seen.
pub(super) fn may_name_secret(name: &str) -> bool {
    let (mut near, mut segment) = ([0_u8; 3], 0_usize);
    let mut is_pw = false;
    for byte in name.bytes() {
        if !byte.is_ascii_alphanumeric() {
            // Between segments: what is joined goes on.
            if segment == 2 && is_pw {
                return true;
            }
            segment = 0;
            continue;
        }
        near = [near[1], near[2], byte.to_ascii_lowercase()];
        segment += 1;
        is_pw = segment == 2 && near[1..] == *b"pw";
        if ENDS[usize::from(near[2])] && BEGINNINGS.contains(&near) {
            return true;
        }
    }
    segment == 2 && is_pw
}

pub(super) fn names_secret(name: &str) -> bool {
    if !may_name_secret(name) {
        return false;
    }
    // The working directory, not a password.
    if matches!(name, "PWD" | "OLDPWD") {
        return false;
    }
    let lower = name.to_ascii_lowercase();
    let segments: Vec<_> = segments(&lower).collect();
    let (Some(first), Some(last)) = (segments.first(), segments.last()) else { return false };
    if ABOUT.contains(last) || (segments.len() > 1 && NEGATIONS.contains(first)) {
        return false;
    }
    let joined = segments.concat();
    JOINED.iter().any(|stem| joined.contains(stem))
        || segments.iter().any(|segment| {
            *segment == "pw"
                || (!HARMLESS.contains(segment) && STEMS.iter().any(|stem| segment.contains(stem)))
        })
}

pub(super) fn names_secret_parameter(name: &str) -> bool {
    names_secret(name) || PARAMETERS.contains(&name.to_ascii_lowercase().as_str())
}

/// `password`, `aws_secret_access_key`, `http.proxy.password`, but no file that is about them.
pub(super) fn is_keyword(word: &str) -> bool {
    let is = |text: &&str, other: &str| text.eq_ignore_ascii_case(other);
    let last = segments(word).next_back().unwrap_or_default();
    if !(KEYWORD_ENDINGS.iter().any(|ending| is(ending, last))
        || KEYWORDS.iter().any(|one| is(one, word)))
    {
        return false;
    }
    let lower = word.to_ascii_lowercase();
    let spelled = lower.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.".contains(&byte));
    let segments: Vec<_> = segments(&lower).collect();
    KEYWORDS.contains(&lower.as_str())
        || (spelled
            && segments.len() > 1
            && segments.last().is_some_and(|last| KEYWORD_ENDINGS.contains(last))
            && names_secret(word))
}

fn segments(lower: &str) -> impl DoubleEndedIterator<Item = &str> {
    lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|segment| !segment.is_empty())
}

/// What names are made of.
pub(super) fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stem_is_looked_into() {
        for stem in STEMS.iter().chain(JOINED).chain(&["pw", "db-pw", "PW_1", "api-k.ey"]) {
            assert!(may_name_secret(stem), "{stem}");
        }
        for other in ["pwx", "port", "xpw", "", "--verbose", "p-w"] {
            assert!(!may_name_secret(other), "{other}");
        }
    }

    #[test]
    fn names_of_secrets_are_known() {
        for name in [
            "PASSWORD",
            "PGPASSWORD",
            "db_pwd",
            "--api-key",
            "apiKey",
            "X-Api-Key",
            "AWS_SECRET_ACCESS_KEY",
            "dbPassword",
            "Authorization",
            "Cookie",
            "session_id",
            "client-secret",
            "AccountKey",
            "X-Amz-Signature",
            "sshpass",
            "-storepass",
        ] {
            assert!(names_secret(name), "{name}");
        }
    }

    #[test]
    fn names_about_secrets_are_not() {
        for name in [
            "PWD",
            "author",
            "--password-stdin",
            "token_file",
            "--no-password",
            "bypass",
            "user",
            "key",
            "path",
            "",
            "--",
            "session-timeout",
            "compass",
        ] {
            assert!(!names_secret(name), "{name}");
        }
    }
}
