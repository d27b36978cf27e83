//! What the databases say of one address, put together from several of them.

use serde::{Deserialize, Serialize};

/// Where an address is and in whose network, as far as it is known. Names are English.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Place {
    /// The number of the autonomous system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asn: Option<u32>,
    /// Whose it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_organization: Option<String>,
    /// Two letters, such as `EU`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub continent_code: Option<String>,
    /// ISO 3166-1, two letters, such as `DE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country_code: Option<String>,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country_name: Option<String>,
    /// ISO 3166-2 without the country, such as `BE`: of the largest subdivision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subdivision_code: Option<String>,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subdivision_name: Option<String>,
    /// The city.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub city_name: Option<String>,
    /// Degrees north.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latitude: Option<f64>,
    /// Degrees east.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub longitude: Option<f64>,
    /// As in the IANA database, such as `Europe/Berlin`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
}

impl Place {
    /// Adds what `other` knows besides. What belongs together is taken as a whole from who knows something of it: the network, the country, the
    /// spot in it. Two databases may disagree about the country; then the first is believed, and no spot is taken from the other.
    #[must_use]
    pub(super) fn or(&self, other: &Self) -> Self {
        let network = if self.asn.is_some() { self } else { other };
        let country = if self.country_code.is_some() { self } else { other };
        let elsewhere = self.country_code.is_some() && other.country_code.is_some() && self.country_code != other.country_code;
        let spot = if self.knows_spot() || elsewhere { self } else { other };
        Self {
            asn: network.asn,
            as_organization: network.as_organization.clone(),
            continent_code: country.continent_code.clone(),
            country_code: country.country_code.clone(),
            country_name: country.country_name.clone(),
            subdivision_code: spot.subdivision_code.clone(),
            subdivision_name: spot.subdivision_name.clone(),
            city_name: spot.city_name.clone(),
            latitude: spot.latitude,
            longitude: spot.longitude,
            time_zone: spot.time_zone.clone(),
        }
    }

    /// Whether it says more than the country.
    const fn knows_spot(&self) -> bool {
        self.subdivision_code.is_some() || self.city_name.is_some() || self.latitude.is_some() || self.time_zone.is_some()
    }
}
