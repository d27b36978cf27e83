//! Nothing: this package exists for its one test binary, `it`, which meets the server from outside.
