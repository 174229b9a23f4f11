//! Names of hosts, label by label.

use super::name;
use super::pattern::push_escaped;

/// The pattern of a host's name. The last two labels name who owns it; those before may be new each time.
pub fn host(host: &str) -> String {
    let owner = host.rmatch_indices('.').nth(1).map_or(0, |(dot, _)| dot);
    let (labels, owner) = host.split_at(owner);
    let mut pattern = String::with_capacity(host.len() + 8);
    for (index, label) in labels.split('.').enumerate() {
        if index > 0 {
            pattern.push('.');
        }
        // Short numbers tell machines apart, and those are few: `db-2`.
        name::push(&mut pattern, label, false, |_, number| number.len() <= SHORT);
    }
    push_escaped(&mut pattern, owner);
    pattern
}

const SHORT: usize = 3;

#[cfg(test)]
mod tests {
    use super::super::matches;
    use super::host;

    #[test]
    fn what_is_new_each_time_is_a_placeholder_and_the_owner_never_is() {
        for (name, expected) in [
            ("example.com", "example.com"),
            ("db-2.example.com", "db-2.example.com"),
            ("localhost", "localhost"),
            ("0123456789abcdef0123456789abcdef.api.example.com", "{hex:32}.api.example.com"),
            ("1b4e28ba-2fa1-11d2-883f-0016d3cca427.example.com", "{uuid}.example.com"),
            ("web.shop.svc.cluster.local", "web.shop.svc.cluster.local"),
            ("0123456789abcdef0123456789abcdef.com", "0123456789abcdef0123456789abcdef.com"),
        ] {
            let pattern = host(name);
            assert_eq!(pattern, expected);
            assert!(matches(&pattern, name), "{name}");
        }
    }
}
