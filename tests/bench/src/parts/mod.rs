//! The parts that a token server is made of, each as lean as it can be on this machine: what the server is compared with.
//! They run in processes of their own, pinned to the server's core.

pub(crate) mod crypto;
pub(crate) mod echo;
pub(crate) mod store;
