//! Templates of temporary names that are known so well that the letters need not look random.

use super::token::is_random;

/// What a template's random part is drawn from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Alphabet {
    /// Python's `tempfile`: lower-case letters, digits, underscore.
    Python,
    /// Letters and digits; Perl's `File::Temp` and Python with a prefix add the underscore.
    Word,
}

struct Template {
    prefix: &'static str,
    random: usize,
    alphabet: Alphabet,
    /// Words begin with the prefix too: the rest must then look random.
    glued: bool,
}

const fn plain(prefix: &'static str, random: usize) -> Template {
    Template { prefix, random, alphabet: Alphabet::Word, glued: false }
}

const fn glued(prefix: &'static str, random: usize) -> Template {
    Template { prefix, random, alphabet: Alphabet::Word, glued: true }
}

const TEMPLATES: &[Template] = &[
    Template { prefix: "tmp", random: 8, alphabet: Alphabet::Python, glued: false },
    // coreutils mktemp.
    plain("tmp.", 10),
    // bash, here-documents.
    plain("sh-thd.", 6),
    // Python's multiprocessing.
    plain("pymp-", 8),
    // Git.
    plain("tmp_obj_", 6),
    plain("tmp_pack_", 6),
    // PHP sessions.
    plain("sess_", 26),
    plain("sess_", 32),
    // OpenSSH's agent.
    glued("ssh-", 10),
    glued("ssh-", 12),
    // GCC, sed -i, sort, PHP uploads, glibc's tmpnam.
    glued("cc", 6),
    glued("sed", 6),
    glued("sort", 6),
    glued("php", 6),
    glued("file", 6),
];

/// The lengths of the literal and of the random part when a known template begins `name`.
pub(super) fn find(name: &str) -> Option<(usize, usize)> {
    TEMPLATES.iter().find_map(|template| {
        let rest = name.strip_prefix(template.prefix)?;
        let random = rest.get(..template.random)?;
        let ends = !rest[template.random..].starts_with(|c: char| c.is_alphanumeric() || c == '_');
        // What would be taken for random as a whole is better told from other names with its prefix.
        let whole = &name[..template.prefix.len() + template.random];
        let looks_random = || is_random(random) || is_random(whole);
        let fits = template.alphabet.holds(random) && (!template.glued || looks_random());
        (ends && fits).then_some((template.prefix.len(), template.random))
    })
}

/// What `{rand:N}` stands for where `prefix` precedes it in its component.
pub(super) fn alphabet(prefix: &str, random: usize) -> Alphabet {
    TEMPLATES
        .iter()
        .find(|template| template.prefix == prefix && template.random == random)
        .map_or(Alphabet::Word, |template| template.alphabet)
}

impl Alphabet {
    pub(super) fn holds(self, text: &str) -> bool {
        text.bytes().all(|byte| match byte {
            b'0'..=b'9' | b'a'..=b'z' | b'_' => true,
            b'A'..=b'Z' => self == Self::Word,
            _ => false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn python_names_are_known_whatever_their_letters() {
        for name in ["tmpabcdefgh", "tmp12345678", "tmp________", "tmpk3_j9x1z.txt", "tmpdeadbeef"]
        {
            assert_eq!(find(name), Some((3, 8)), "{name}");
        }
        for name in ["tmpABCDEFGH", "tmpabcdefg", "tmpabcdefghi", "tmp", "tmpfs"] {
            assert_eq!(find(name), None, "{name}");
        }
    }

    #[test]
    fn a_short_prefix_inside_a_word_is_no_template() {
        assert_eq!(find("cctools.s"), None);
        assert_eq!(find("ccabcdef.s"), None);
        assert_eq!(find("cc1a2B3c.s"), Some((2, 6)));
        assert_eq!(find("ccKrowsE.s"), Some((2, 6)));
        assert_eq!(find("fileserver"), None);
    }
}
