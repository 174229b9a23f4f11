//! Answers of name servers.

use hickory_proto::{
    op::{Message, MessageType},
    rr::RData,
};
use profiler_common::event::Dns;

use super::{DecodeError, EventBody, fixed};
use crate::behaviour;

pub(super) fn dns(rest: &mut &[u8]) -> Result<EventBody, DecodeError> {
    let Dns { len, message, .. } = fixed(rest, "DNS answer")?;
    let message = message.get(..len as usize);
    let message = message.ok_or(DecodeError::Short { what: "DNS message", len: message_len() })?;
    Ok(EventBody::Dns(answer(message)))
}

const fn message_len() -> usize {
    profiler_common::event::DNS_MAX
}

/// What was asked and which addresses it has. None for what is no answer to a question: anybody may send anything from
/// that port.
fn answer(message: &[u8]) -> Option<behaviour::Dns> {
    let message = Message::from_vec(message).ok()?;
    if message.metadata.message_type != MessageType::Response {
        return None;
    }
    let question = message.queries.first()?;
    let addresses = message.answers.iter().filter_map(|record| match &record.data {
        RData::A(address) => Some(address.0.into()),
        RData::AAAA(address) => Some(address.0.into()),
        _ => None,
    });
    let name = question.name.to_lowercase().to_ascii();
    let name = match name.trim_end_matches('.') {
        "" => ".".to_owned(),
        name => name.to_owned(),
    };
    Some(behaviour::Dns { name, addresses: addresses.collect() })
}

#[cfg(test)]
mod tests {
    use super::answer;

    /// `Www.Example.com`, an alias of `x.example.com`, which has two addresses.
    const ANSWER: &[u8] = b"\x12\x34\x81\x80\0\x01\0\x03\0\0\0\0\
        \x03Www\x07Example\x03com\0\0\x01\0\x01\
        \xc0\x0c\0\x05\0\x01\0\0\0\x3c\0\x04\x01x\xc0\x10\
        \xc0\x2d\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0\x02\x07\
        \xc0\x2d\0\x1c\0\x01\0\0\0\x3c\0\x10\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07";

    #[test]
    fn an_answer_gives_the_name_that_was_asked_for_and_its_addresses() {
        let found = answer(ANSWER).unwrap();
        assert_eq!(found.name, "www.example.com");
        let addresses: Vec<_> = found.addresses.iter().map(ToString::to_string).collect();
        assert_eq!(addresses, ["192.0.2.7", "2001:db8::7"]);
    }

    #[test]
    fn what_is_no_answer_says_nothing() {
        let mut question = ANSWER.to_vec();
        question[2] = 1;
        assert_eq!(answer(&question), None);
        for len in 0..ANSWER.len() {
            assert_eq!(answer(&ANSWER[..len]), None, "{len} bytes");
        }
        assert_eq!(answer(b"\x12\x34\x81\x80\0\0\0\0\0\0\0\0"), None);
    }
}
