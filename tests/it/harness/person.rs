//! People: each test signs in somebody of its own, so that tests that share a server never meet.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::server::Server;

/// Somebody who can sign in.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    /// The sign-in name.
    pub(crate) name: String,
    /// The password.
    pub(crate) password: String,
}

/// Text that no other call in this process gives.
pub(crate) fn unique(prefix: &str) -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    format!("{prefix}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

impl Server {
    /// Somebody new, with the usual claims.
    #[track_caller]
    pub(crate) fn person(&self) -> Person {
        self.person_with(&[
            "name=Ada Example",
            "given_name=Ada",
            "family_name=Example",
            "email=ada@example.com",
            "email_verified=true",
            "locale=en-GB",
        ])
    }

    /// Somebody new, with these claims (`name=value`).
    #[track_caller]
    pub(crate) fn person_with(&self, claims: &[&str]) -> Person {
        let name = unique("person");
        let password = format!("pass word ü {name}");
        let file = self.folder().join(format!("{name}.password"));
        std::fs::write(&file, &password).expect("a password file");
        let mut arguments = vec!["user", "add", &name, "--password-file", file.to_str().expect("a UTF-8 path")];
        for claim in claims {
            arguments.extend(["--claim", claim]);
        }
        self.command(&arguments).fine();
        Person { name, password }
    }
}
