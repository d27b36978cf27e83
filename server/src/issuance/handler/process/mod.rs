//! Handlers in processes of their own: whatever one does there (crash, abort, spin, take all memory), it costs the call at hand and
//! never the server. Same library, same SDK, same answers.

mod child;
mod frame;
pub mod guest;
mod hosted;
mod relay;

/// Keeps the memory of this process, keys and all, from other processes of the same user, such as those that host handlers, and off the
/// disk when it crashes. Root still sees everything. Says so when the system does not let us.
pub fn keep_memory_to_itself() {
    if let Err(error) = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable) {
        tracing::warn!(%error, "other processes of this user may be able to read the memory of this one");
    }
}

pub(super) use child::{Child, NotConfigured};
pub(super) use hosted::{Hosted, Launch};

#[cfg(test)]
mod tests {
    use rustix::process::{DumpableBehavior, dumpable_behavior};

    #[test]
    fn the_memory_is_kept() {
        super::keep_memory_to_itself();
        assert!(matches!(dumpable_behavior(), Ok(DumpableBehavior::NotDumpable)));
    }
}
