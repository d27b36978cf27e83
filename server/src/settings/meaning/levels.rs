//! How well somebody may authenticate: the `acr` values in order, each with the factors that reach it.

/// A factor that a person can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Factor {
    /// A password.
    Password,
    /// A one-time password: of an authenticator app, or a recovery code.
    OneTimePassword,
}

impl Factor {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Password, Self::OneTimePassword];

    /// The `amr` value (RFC 8176 section 2).
    #[must_use]
    pub const fn amr(self) -> &'static str {
        match self {
            Self::Password => "pwd",
            Self::OneTimePassword => "otp",
        }
    }
}

/// The `amr` of these factors: with more than one also `mfa` (RFC 8176 section 2).
#[must_use]
pub fn amr(factors: &[Factor]) -> Vec<String> {
    let more = (factors.len() > 1).then_some("mfa");
    factors.iter().map(|factor| factor.amr()).chain(more).map(str::to_owned).collect()
}

/// One level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Level {
    /// The `acr` value.
    pub acr: String,
    /// What it takes.
    pub factors: Vec<Factor>,
}

/// All levels, from the weakest to the strongest. The first takes a password; each takes what the one before it takes, and perhaps more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Levels(Vec<Level>);

impl Levels {
    /// Reads `ACR=FACTOR+FACTOR`, from the weakest to the strongest.
    ///
    /// # Errors
    /// What is wrong, as a sentence without a full stop.
    pub fn parse(texts: &[String]) -> Result<Self, String> {
        let mut levels: Vec<Level> = Vec::new();
        for text in texts {
            let (acr, factors) =
                text.rsplit_once('=').ok_or_else(|| format!("{text:?} is not of the form ACR=pwd or ACR=pwd+otp"))?;
            if acr.is_empty() || acr.len() > 256 || acr.chars().any(char::is_control) {
                return Err(format!("{acr:?} cannot be an acr value"));
            }
            let mut read = Vec::new();
            for name in factors.split('+') {
                let factor = Factor::ALL.into_iter().find(|factor| factor.amr() == name);
                read.push(factor.ok_or_else(|| format!("{name:?} is no factor; there are pwd and otp"))?);
            }
            read.sort_unstable();
            read.dedup();
            let before = levels.last().map_or(&[Factor::Password][..], |level| &level.factors);
            if !before.iter().all(|factor| read.contains(factor)) {
                return Err(format!("{acr} takes less than the level before it"));
            }
            if levels.is_empty() && read != [Factor::Password] {
                return Err(format!("{acr}, the first level, takes more than pwd"));
            }
            if levels.iter().any(|level| level.acr == acr) {
                return Err(format!("{acr} stands there twice"));
            }
            levels.push(Level { acr: acr.to_owned(), factors: read });
        }
        if levels.is_empty() { Err("there is no level".to_owned()) } else { Ok(Self(levels)) }
    }

    /// All of them, the weakest first.
    pub fn iter(&self) -> impl Iterator<Item = &Level> {
        self.0.iter()
    }

    /// The highest level that these `amr` reach, with its place in the order.
    #[must_use]
    pub fn reached(&self, amr: &[String]) -> (usize, &Level) {
        let reached = |(_, level): &(usize, &Level)| level.factors.iter().all(|factor| amr.iter().any(|own| own == factor.amr()));
        // The first takes a password, and nobody is signed in without one.
        self.0.iter().enumerate().rev().find(reached).unwrap_or((0, &self.0[0]))
    }

    /// The level of that `acr`, with its place in the order.
    #[must_use]
    pub fn find(&self, acr: &str) -> Option<(usize, &Level)> {
        self.0.iter().enumerate().find(|(_, level)| level.acr == acr)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use super::*;

    fn parse(texts: &[&str]) -> Result<Levels, String> {
        Levels::parse(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn levels_are_ordered() {
        let levels = parse(&["urn:x:low=pwd", "1=pwd", "urn:a=b=pwd+otp"]).unwrap();
        assert_eq!(levels.reached(&["pwd".to_owned()]).1.acr, "1");
        assert_eq!(levels.reached(&amr(&Factor::ALL)).1.acr, "urn:a=b");
        assert_eq!(levels.find("urn:a=b").unwrap().0, 2);
        assert!(levels.find("other").is_none());
        assert_eq!(amr(&[Factor::Password]), ["pwd"]);
        assert_eq!(amr(&Factor::ALL), ["pwd", "otp", "mfa"]);
    }

    #[test]
    fn what_is_no_order_is_refused() {
        for bad in [
            &[][..],
            &["x"],
            &["=pwd"],
            &["a\nb=pwd"],
            &["a=pin"],
            &["a=pwd+otp"],
            &["a=otp"],
            &["a=pwd", "b=pwd+otp", "c=pwd"],
            &["a=pwd", "a=pwd+otp"],
        ] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
