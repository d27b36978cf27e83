//! Handlers in processes of their own: whatever one does there (crash, abort, spin, take all memory), it costs the call at hand and
//! never the server. Same library, same SDK, same answers.

mod child;
mod frame;
pub mod guest;
mod hosted;

pub(super) use child::{Child, NotConfigured};
pub(super) use hosted::{Hosted, Launch};
