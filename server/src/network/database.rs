//! One file of the MaxMind DB format (specification 2.0): opened whole into memory, checked, asked.

use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use maxminddb::{MaxMindDbError, Reader, WithinOptions};
use serde::Deserialize;

use super::place::Place;

/// The largest file that is read: the largest known database has a quarter of it.
const LARGEST: u64 = 2 * 1024 * 1024 * 1024;

/// What tells two states of a file apart: length, time of the last change, file number.
pub(super) type Picture = (u64, Option<SystemTime>, u64);

/// An open database.
#[derive(Debug)]
pub(super) struct Database {
    pub(super) path: PathBuf,
    /// Of the file when it was opened.
    pub(super) picture: Picture,
    reader: Reader<Vec<u8>>,
}

/// The members that are read of a record; those of cities, countries and AS numbers have them in common.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Entry<'a> {
    autonomous_system_number: Option<u32>,
    #[serde(borrow)]
    autonomous_system_organization: Option<&'a str>,
    #[serde(borrow)]
    continent: Named<'a>,
    #[serde(borrow)]
    country: Named<'a>,
    #[serde(borrow)]
    subdivisions: Vec<Named<'a>>,
    #[serde(borrow)]
    city: Named<'a>,
    #[serde(borrow)]
    location: Location<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Named<'a> {
    /// Of continents.
    code: Option<&'a str>,
    /// Of countries and subdivisions.
    iso_code: Option<&'a str>,
    #[serde(borrow)]
    names: Names<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Names<'a> {
    en: Option<&'a str>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Location<'a> {
    latitude: Option<f64>,
    longitude: Option<f64>,
    time_zone: Option<&'a str>,
}

impl Database {
    /// Opens and checks the whole file: it may have been cut short, and a look-up should find nothing that is broken.
    ///
    /// # Errors
    /// What is wrong with it, as half a sentence.
    pub(super) fn open(path: &Path) -> Result<Self, String> {
        // Looked at before it is read: what changes in between is a change.
        let picture = picture(path)?;
        if picture.0 > LARGEST {
            return Err(format!("a file of {} bytes", picture.0));
        }
        let bytes = fs::read(path).map_err(|error| error.to_string())?;
        let reader = Reader::from_source(bytes).map_err(|error| format!("no whole MaxMind database: {error}"))?;
        reader.verify().map_err(|error| format!("a broken MaxMind database: {error}"))?;
        check_layout(&reader).map_err(|error| format!("a MaxMind database with records of another sort: {error}"))?;
        Ok(Self { path: path.to_owned(), picture, reader })
    }

    /// What it says of an address. Nothing where it does not know it, has only the other protocol, or cannot be read there.
    pub(super) fn look_up(&self, address: IpAddr) -> Place {
        match self.reader.lookup(address).and_then(|found| found.decode::<Entry<'_>>()) {
            Ok(found) => found.map(Entry::place).unwrap_or_default(),
            // An IPv6 address in a database of IPv4 ones.
            Err(MaxMindDbError::InvalidInput { .. }) => Place::default(),
            Err(error) => {
                tracing::debug!(file = %self.path.display(), %error, "an entry cannot be read");
                Place::default()
            }
        }
    }

    /// Sort and time of the database, for the log.
    pub(super) fn describe(&self) -> String {
        let about = self.reader.metadata();
        format!("{} ({}, built at {})", self.path.display(), about.database_type, about.build_epoch)
    }
}

/// The first records must be such as are read: other makers have countries as plain text, or lists of names.
fn check_layout(reader: &Reader<Vec<u8>>) -> Result<(), MaxMindDbError> {
    const FIRST: usize = 16;
    for found in reader.networks(WithinOptions::default())?.take(FIRST) {
        found?.decode::<Entry<'_>>()?;
    }
    Ok(())
}

/// How the file looks now.
///
/// # Errors
/// Why it cannot be seen.
pub(super) fn picture(path: &Path) -> Result<Picture, String> {
    let about = fs::metadata(path).map_err(|error| error.to_string())?;
    if !about.is_file() {
        return Err("no plain file".to_owned());
    }
    Ok((about.len(), about.modified().ok(), about.ino()))
}

impl Entry<'_> {
    fn place(self) -> Place {
        let text = |text: Option<&str>| text.map(str::to_owned);
        let subdivision = self.subdivisions.into_iter().next().unwrap_or_default();
        Place {
            asn: self.autonomous_system_number,
            as_organization: text(self.autonomous_system_organization),
            continent_code: text(self.continent.code),
            country_code: text(self.country.iso_code),
            country_name: text(self.country.names.en),
            subdivision_code: text(subdivision.iso_code),
            subdivision_name: text(subdivision.names.en),
            city_name: text(self.city.names.en),
            latitude: self.location.latitude,
            longitude: self.location.longitude,
            time_zone: text(self.location.time_zone),
        }
    }
}
