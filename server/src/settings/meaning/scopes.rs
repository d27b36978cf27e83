//! What scope values mean: which claims of a person each puts where.

use super::Settings;
use crate::protocol::Scope;

/// What a scope value is for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScopeMeaning {
    /// Claim names that the scope releases at the `UserInfo` endpoint.
    pub claims: Vec<String>,
    /// Claim names that it puts into ID tokens besides.
    pub id_token_claims: Vec<String>,
    /// Claim names that it puts into access tokens, and so into what introspection says of them (RFC 9068 section 2.2.3).
    pub access_token_claims: Vec<String>,
    /// The sentence on the consent page.
    pub description: String,
}

impl ScopeMeaning {
    /// Every claim name, wherever it goes; one may come twice.
    pub fn all_claims(&self) -> impl Iterator<Item = &String> {
        self.claims.iter().chain(&self.id_token_claims).chain(&self.access_token_claims)
    }
}

impl Settings {
    /// The claims that a scope releases, in a stable order without repetition.
    #[must_use]
    pub fn claims_of(&self, scope: &Scope) -> Vec<String> {
        self.claim_names(scope).into_iter().map(str::to_owned).collect()
    }

    /// The same, borrowed.
    #[must_use]
    pub fn claim_names(&self, scope: &Scope) -> Vec<&str> {
        self.names_of(scope, |meaning| &meaning.claims)
    }

    /// The claims that a scope puts into ID tokens.
    #[must_use]
    pub fn id_token_claim_names(&self, scope: &Scope) -> Vec<&str> {
        self.names_of(scope, |meaning| &meaning.id_token_claims)
    }

    /// The claims that a scope puts into access tokens.
    #[must_use]
    pub fn access_token_claim_names(&self, scope: &Scope) -> Vec<&str> {
        self.names_of(scope, |meaning| &meaning.access_token_claims)
    }

    fn names_of(&self, scope: &Scope, of: impl Fn(&ScopeMeaning) -> &[String]) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for value in scope.iter() {
            for claim in self.scopes.get(value).into_iter().flat_map(&of) {
                if !names.contains(&claim.as_str()) {
                    names.push(claim);
                }
            }
        }
        names
    }
}
