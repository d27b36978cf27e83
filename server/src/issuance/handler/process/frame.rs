//! What the server and a process that hosts a handler say to each other: JSON, each message with its length in front.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use symbolon_sdk::host::{ConfigureFailure, Description, HandlerFault};

use crate::issuance::handler::question::Surroundings;
use crate::issuance::handler::work::{Answer, Work};

/// The longest message, in bytes. A handler that answers megabytes is refused on its own side already.
const LONGEST: usize = 16 * 1024 * 1024;

/// What the server says.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Call {
    /// Open the library that was handed over and say what it is. Answered by [`Reply::Described`] or [`Reply::Refused`].
    Describe {
        /// Where the server read it.
        path: PathBuf,
        /// How much memory may be taken beyond what the process has now, in bytes.
        memory: u64,
    },
    /// Make an instance. Answered by [`Reply::Configured`] or [`Reply::NotConfigured`].
    Configure {
        /// Full names below the handler's prefix and their values.
        properties: BTreeMap<String, String>,
        /// What handlers are told about the server.
        surroundings: Surroundings,
    },
    /// Decide or judge. Answered by [`Reply::Answered`].
    Ask(Work),
}

/// What the hosting process says.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Reply {
    Described(Description),
    /// The library is refused, in one sentence.
    Refused(String),
    Configured {
        enabled: bool,
    },
    NotConfigured(ConfigureFailure),
    Answered(Result<Answer, HandlerFault>),
}

/// Writes one message.
///
/// # Errors
/// When the other side is gone, or the message is too long.
pub(super) fn write(mut to: impl Write, message: &impl Serialize) -> io::Result<()> {
    let mut frame = vec![0; 4];
    serde_json::to_writer(&mut frame, message)?;
    let length = u32::try_from(frame.len() - 4).ok().filter(|length| *length as usize <= LONGEST);
    let length = length.ok_or_else(|| io::Error::other("a message is too long"))?;
    frame[..4].copy_from_slice(&length.to_le_bytes());
    // One write: the other side wakes once.
    to.write_all(&frame)
}

/// Reads one message.
///
/// # Errors
/// When the other side is gone, took too long, or did not send a message.
pub(super) fn read<T: DeserializeOwned>(mut from: impl Read) -> io::Result<T> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length) as usize;
    if length > LONGEST {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a message is too long"));
    }
    let mut message = vec![0; length];
    from.read_exact(&mut message)?;
    serde_json::from_slice(&message).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use symbolon_sdk::{AccessTokenSpec, DeviceSsoAuthorization, HandlerError, Verdict, json};

    use super::*;
    use crate::issuance::handler::question::tests::facts;

    fn over(reply: &Reply) -> Reply {
        let mut bytes = Vec::new();
        write(&mut bytes, reply).unwrap();
        read(bytes.as_slice()).unwrap()
    }

    #[test]
    fn a_decision_arrives_whole() {
        let data = json!({"big": 18_446_744_073_709_551_615_u64, "float": 0.1, "text": "ü"});
        let mut token = AccessTokenSpec::default().with_lifetime(std::time::Duration::from_secs(77));
        token.data = data.as_object().cloned();
        let allowed = DeviceSsoAuthorization::of_scope(["openid"]).with_access_token(token);
        let error = HandlerError::interaction_required("more").required_acr_values(["high"]).with_log_message("inside");
        let verdict = Verdict::allow().requiring_second_factor().with_id_token_claim("a", json!({"b": [0.1, null]}));
        for answer in [
            Ok(Answer::Decision(Box::new(allowed))),
            Ok(Answer::Verdict(verdict)),
            Err(HandlerFault::Refused(error)),
            Err(HandlerFault::Panicked("p".to_owned())),
        ] {
            match over(&Reply::Answered(answer.clone())) {
                Reply::Answered(arrived) => assert_eq!(arrived, answer),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_question_arrives_whole() {
        let mut bytes = Vec::new();
        write(&mut bytes, &Call::Ask(Work::Exchange(Box::new(facts("app"))))).unwrap();
        match read(bytes.as_slice()).unwrap() {
            Call::Ask(Work::Exchange(arrived)) => {
                assert_eq!(serde_json::to_value(arrived).unwrap(), serde_json::to_value(facts("app")).unwrap());
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_no_message_is_an_error_and_not_a_large_allocation() {
        assert!(read::<Reply>([].as_slice()).is_err());
        assert!(read::<Reply>([255; 8].as_slice()).is_err());
        assert!(read::<Reply>([2, 0, 0, 0, b'{', b'}'].as_slice()).is_err());
        assert!(read::<Reply>([9, 0, 0, 0, b'{'].as_slice()).is_err());
    }
}
