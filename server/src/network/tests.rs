//! Looking up, merging, exchanging, comparing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::settings::meaning::{NetworkData, Prefixes};

#[path = "../../../tests/it/harness/maxmind.rs"]
mod maxmind;

use maxmind::{asn, city, database};

const PREFIXES: Prefixes = Prefixes { v4: 24, v6: 56 };

fn settings(databases: Vec<PathBuf>) -> NetworkData {
    NetworkData { databases, watch: None, prefixes: PREFIXES }
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let (fresh, path) = (folder.join("new"), folder.join(name));
    std::fs::write(&fresh, bytes).expect("a file");
    // Another file in its place, as those who care about readers do.
    std::fs::rename(fresh, &path).expect("in its place");
    path
}

fn cities() -> Vec<u8> {
    database(
        "Test-City",
        &[
            ("192.0.0.0/8", city("US", "United States", "Boston")),
            ("192.0.2.0/24", city("DE", "Germany", "Berlin")),
            ("2001:db8::/32", city("FR", "France", "Paris")),
        ],
    )
}

#[test]
fn several_files_are_one_answer() {
    let folder = tempfile::tempdir().expect("a folder");
    let asns = database("Test-ASN", &[("192.0.2.0/24", asn(64_500, "Example Net")), ("2001:db8:1::/48", asn(64_501, "Six"))]);
    let paths = vec![write(folder.path(), "city.mmdb", &cities()), write(folder.path(), "asn.mmdb", &asns)];
    let networks = Networks::open(&settings(paths)).expect("two databases");
    let place = networks.look_up(ip("192.0.2.7"));
    let expected = Place {
        asn: Some(64_500),
        as_organization: Some("Example Net".to_owned()),
        continent_code: Some("EU".to_owned()),
        country_code: Some("DE".to_owned()),
        country_name: Some("Germany".to_owned()),
        subdivision_code: Some("XX".to_owned()),
        subdivision_name: Some("Somewhere".to_owned()),
        city_name: Some("Berlin".to_owned()),
        latitude: Some(52.5),
        longitude: Some(-13.25),
        time_zone: Some("Europe/Berlin".to_owned()),
    };
    assert_eq!(place, expected);
    assert_eq!(networks.look_up(ip("::ffff:192.0.2.7")), expected, "an IPv4-mapped address is its IPv4 one");
    assert_eq!(networks.look_up(ip("192.0.3.1")).country_code.as_deref(), Some("US"), "the most specific network counts");
    let six = networks.look_up(ip("2001:db8:1::5"));
    assert_eq!((six.country_code.as_deref(), six.asn), (Some("FR"), Some(64_501)));
    assert_eq!(networks.look_up(ip("10.0.0.1")), Place::default());
    assert_eq!(networks.origin(Some(ip("192.0.2.9"))), Origin { address: Some(ip("192.0.2.9")), asn: Some(64_500) });
    assert_eq!(networks.origin(None), Origin { address: None, asn: None });
    assert_eq!(Networks::none(&settings(Vec::new())).look_up(ip("192.0.2.7")), Place::default());
}

#[test]
fn what_two_files_disagree_about_is_not_mixed() {
    let place = |country: Option<&str>, city: Option<&str>| Place {
        country_code: country.map(str::to_owned),
        city_name: city.map(str::to_owned),
        ..Place::default()
    };
    assert_eq!(place(Some("DE"), None).or(&place(Some("DE"), Some("Berlin"))), place(Some("DE"), Some("Berlin")));
    assert_eq!(place(Some("DE"), None).or(&place(Some("FR"), Some("Paris"))), place(Some("DE"), None));
    assert_eq!(place(None, None).or(&place(Some("FR"), Some("Paris"))), place(Some("FR"), Some("Paris")));
    assert_eq!(place(Some("DE"), Some("Bonn")).or(&place(Some("DE"), Some("Berlin"))), place(Some("DE"), Some("Bonn")));
    let net = |asn, name: Option<&str>| Place { asn, as_organization: name.map(str::to_owned), ..Place::default() };
    assert_eq!(net(Some(1), None).or(&net(Some(2), Some("Two"))), net(Some(1), None));
    assert_eq!(net(None, None).or(&net(Some(2), Some("Two"))), net(Some(2), Some("Two")));
}

#[test]
fn unusable_files_are_findings() {
    let folder = tempfile::tempdir().expect("a folder");
    let whole = cities();
    let country_as_text = database("Other-Maker", &[("192.0.2.0/24", json!({ "country": "DE", "asn": "AS64500" }))]);
    let mut broken = whole.clone();
    // The very first record now leads beyond the data.
    broken[..4].copy_from_slice(&[0x7f, 0xff, 0xff, 0xff]);
    let files = [
        write(folder.path(), "text.mmdb", b"no database"),
        write(folder.path(), "short.mmdb", &whole[..whole.len() / 2]),
        write(folder.path(), "broken.mmdb", &broken),
        write(folder.path(), "other.mmdb", &country_as_text),
        folder.path().join("missing.mmdb"),
        folder.path().to_owned(),
        write(folder.path(), "fine.mmdb", &whole),
    ];
    let findings = Networks::open(&settings(files.to_vec())).expect_err("six findings");
    let places: Vec<_> = findings.0.iter().map(|finding| finding.place.clone()).collect();
    assert_eq!(places, files[..6].iter().map(|path| path.display().to_string()).collect::<Vec<_>>());
    assert!(findings.0.iter().all(|finding| finding.id == "network.database" && finding.remedy.contains("network.databases")));
    let seen: Vec<_> = findings.0.iter().map(|finding| finding.seen.as_str()).collect();
    for (seen, part) in
        seen.iter().zip(["no whole", "no whole", "broken", "records of another sort", "No such file", "no plain file"])
    {
        assert!(seen.contains(part), "{seen}");
    }
}

#[test]
fn a_changed_file_is_taken_over_and_a_broken_one_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = write(folder.path(), "city.mmdb", &cities());
    let networks = Networks::open(&settings(vec![path.clone()])).expect("a database");
    let country = |networks: &Networks| networks.look_up(ip("192.0.2.7")).country_code;
    let other = networks.clone();
    write(folder.path(), "city.mmdb", &database("Test-City", &[("192.0.2.0/24", city("NL", "Netherlands", "Delft"))]));
    assert_eq!(country(&networks).as_deref(), Some("DE"), "not before somebody looks");
    networks.refresh();
    assert_eq!(country(&other).as_deref(), Some("NL"), "for all who share it");
    write(folder.path(), "city.mmdb", b"half a copy");
    networks.refresh();
    assert_eq!(country(&networks).as_deref(), Some("NL"));
    std::fs::remove_file(&path).expect("gone");
    networks.refresh();
    assert_eq!(country(&networks).as_deref(), Some("NL"));
    write(folder.path(), "city.mmdb", &cities());
    networks.refresh();
    assert_eq!(country(&networks).as_deref(), Some("DE"));
}

fn from(address: &str, asn: Option<u32>) -> Origin {
    Origin { address: Some(ip(address)), asn }
}

fn difference(binding: Binding, then: Origin, now: Origin) -> Option<Difference> {
    compare(binding, PREFIXES, then, now).err()
}

#[test]
fn addresses_are_compared_as_strictly_as_asked() {
    let (here, near, far) = (from("192.0.2.1", Some(1)), from("192.0.2.200", Some(1)), from("198.51.100.1", Some(2)));
    for binding in [Binding::None, Binding::Asn, Binding::Prefix, Binding::Ip] {
        assert_eq!(difference(binding, here, here), None);
        assert_eq!(difference(binding, here, from("::ffff:192.0.2.1", Some(1))), None, "mapped");
    }
    assert_eq!(difference(Binding::Prefix, here, near), None);
    assert_eq!(difference(Binding::Ip, here, near), Some(Difference::Address));
    assert_eq!(difference(Binding::None, here, far), None);
    assert_eq!(difference(Binding::Asn, here, far), Some(Difference::Asn));
    assert_eq!(difference(Binding::Prefix, here, far), Some(Difference::Prefix));
    let six = from("2001:db8:0:1ff::1", Some(1));
    assert_eq!(difference(Binding::Prefix, six, from("2001:db8:0:100::2", Some(2))), None);
    assert_eq!(difference(Binding::Prefix, six, from("2001:db8:0:200::2", Some(1))), Some(Difference::Prefix));
}

#[test]
fn two_families_are_compared_by_their_network() {
    let (four, six) = (from("192.0.2.1", Some(1)), from("2001:db8::1", Some(1)));
    for binding in [Binding::Prefix, Binding::Ip] {
        assert_eq!(compare(binding, PREFIXES, four, six), Ok(Binding::Asn), "no closer than that");
        assert_eq!(compare(binding, PREFIXES, four, four), Ok(binding));
        assert_eq!(difference(binding, six, from("192.0.2.1", Some(2))), Some(Difference::Asn));
        assert_eq!(difference(binding, four, from("2001:db8::1", None)), Some(Difference::AddressFamily));
        assert_eq!(difference(binding, from("192.0.2.1", None), from("2001:db8::1", None)), Some(Difference::AddressFamily));
    }
}

#[test]
fn what_is_not_known_is_different() {
    let nowhere = Origin { address: None, asn: None };
    assert_eq!(difference(Binding::Asn, from("192.0.2.1", None), from("192.0.2.1", None)), Some(Difference::AsnUnknown));
    assert_eq!(difference(Binding::Ip, nowhere, nowhere), Some(Difference::AddressUnknown));
    assert_eq!(difference(Binding::Prefix, from("192.0.2.1", Some(1)), nowhere), Some(Difference::AddressUnknown));
    assert_eq!(difference(Binding::None, nowhere, nowhere), None);
    for name in ["none", "asn", "prefix", "ip"] {
        assert_eq!(Binding::from_name(name).map(Binding::as_str), Some(name));
    }
    assert_eq!(Binding::from_name("IP"), None);
    assert_eq!(Binding::Asn.stricter(Binding::Ip), Binding::Ip);
    assert_eq!(Binding::Prefix.stricter(Binding::None), Binding::Prefix);
}

fn origins() -> impl Strategy<Value = Origin> {
    // Few enough values that some are equal, some near, some mapped.
    let four = (0_u32..4, 0_u32..4).prop_map(|(net, host)| IpAddr::V4(Ipv4Addr::from_bits(0xc000_0200 | net << 8 | host)));
    let mapped = (0_u32..4).prop_map(|host| IpAddr::V6(Ipv4Addr::from_bits(0xc000_0200 | host).to_ipv6_mapped()));
    let six =
        (0_u128..4, 0_u128..4).prop_map(|(net, host)| IpAddr::V6(Ipv6Addr::from_bits(0x2001_0db8_u128 << 96 | net << 72 | host)));
    let address = prop_oneof![four, mapped, six];
    (proptest::option::weighted(0.9, address), proptest::option::of(1_u32..3)).prop_map(|(address, asn)| Origin { address, asn })
}

proptest! {
    #[test]
    fn a_comparison_does_not_depend_on_the_order(then in origins(), now in origins()) {
        for binding in [Binding::None, Binding::Asn, Binding::Prefix, Binding::Ip] {
            prop_assert_eq!(difference(binding, then, now), difference(binding, now, then));
        }
    }

    #[test]
    fn what_the_stricter_accepts_the_milder_accepts(then in origins(), now in origins()) {
        if difference(Binding::Ip, then, now).is_none() {
            prop_assert_eq!(difference(Binding::Prefix, then, now), None);
        }
        // A database may have two networks in one prefix, so of those two neither follows from the other.
        prop_assert_eq!(difference(Binding::None, then, now), None);
    }

    #[test]
    fn the_form_of_an_address_does_not_matter(then in origins(), now in origins()) {
        let canonical = |origin: Origin| Origin { address: origin.address.map(|address| address.to_canonical()), ..origin };
        for binding in [Binding::Asn, Binding::Prefix, Binding::Ip] {
            prop_assert_eq!(difference(binding, then, now), difference(binding, canonical(then), canonical(now)));
        }
    }

    #[test]
    fn nothing_unknown_is_ever_the_same(then in origins(), now in origins()) {
        if then.asn.is_none() || now.asn.is_none() {
            prop_assert!(difference(Binding::Asn, then, now).is_some());
        }
        if then.address.is_none() || now.address.is_none() {
            prop_assert!(difference(Binding::Prefix, then, now).is_some() && difference(Binding::Ip, then, now).is_some());
        }
    }

    #[test]
    fn bytes_from_anywhere_never_end_the_server(at in 0_usize..2000, byte: u8) {
        let folder = tempfile::tempdir().expect("a folder");
        let mut bytes = cities();
        let at = at % bytes.len();
        bytes[at] = byte;
        let path = write(folder.path(), "city.mmdb", &bytes);
        if let Ok(networks) = Networks::open(&settings(vec![path])) {
            for address in ["192.0.2.7", "192.0.3.1", "2001:db8::1", "::"] {
                let _ = networks.look_up(ip(address));
            }
        }
    }
}
