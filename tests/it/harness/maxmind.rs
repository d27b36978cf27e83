//! Writes small databases of the MaxMind DB format (specification 2.0), for tests: IPv6 tree, records of 32 bits. Also read into the tests
//! of `server/src/network`, so it knows nothing of the harness.

use std::net::IpAddr;

use serde_json::{Value, json};

/// Where a record of the tree leads to.
#[derive(Clone, Copy)]
enum Next {
    Nothing,
    Node(usize),
    Data(usize),
}

/// The bytes of a database with these networks (`192.0.2.0/24`) and what it says of them. Numbers that are not whole are `double`.
pub(crate) fn database(sort: &str, networks: &[(&str, Value)]) -> Vec<u8> {
    let mut nodes = vec![[Next::Nothing; 2]];
    let mut data = Vec::new();
    for (network, value) in networks {
        let (bits, length) = bits(network);
        let target = Next::Data(data.len());
        encode(value, &mut data);
        let mut node = 0;
        for depth in 0..length {
            let side = usize::from(bits >> (127 - depth) & 1 == 1);
            if depth + 1 == length {
                nodes[node][side] = target;
            } else if let Next::Node(next) = nodes[node][side] {
                node = next;
            } else {
                nodes.push([nodes[node][side]; 2]);
                let next = nodes.len() - 1;
                // What was said of a larger network holds in both halves.
                nodes[node][side] = Next::Node(next);
                node = next;
            }
        }
    }
    let count = nodes.len();
    let mut out = Vec::new();
    for next in nodes.iter().flatten() {
        let record = match next {
            Next::Nothing => count,
            Next::Node(node) => *node,
            Next::Data(offset) => count + 16 + offset,
        };
        out.extend(u32::try_from(record).expect("a small database").to_be_bytes());
    }
    out.extend([0; 16]);
    out.extend(data);
    out.extend(b"\xab\xcd\xefMaxMind.com");
    let metadata = json!({
        "binary_format_major_version": 2,
        "binary_format_minor_version": 0,
        "build_epoch": 1_795_000_000_u64,
        "database_type": sort,
        "description": { "en": "made by the tests" },
        "ip_version": 6,
        "languages": ["en"],
        "node_count": count,
        "record_size": 32,
    });
    encode(&metadata, &mut out);
    out
}

/// What a database of cities says, by the code and name of a country and the name of a city.
pub(crate) fn city(country: &str, country_name: &str, city: &str) -> Value {
    json!({
        "continent": { "code": "EU", "names": { "en": "Europe" } },
        "country": { "iso_code": country, "names": { "en": country_name, "de": "anders" } },
        "subdivisions": [{ "iso_code": "XX", "names": { "en": "Somewhere" } }, { "iso_code": "YY" }],
        "city": { "names": { "en": city } },
        "location": { "latitude": 52.5, "longitude": -13.25, "time_zone": "Europe/Berlin", "accuracy_radius": 20 },
    })
}

/// What a database of AS numbers says.
pub(crate) fn asn(number: u32, organization: &str) -> Value {
    json!({ "autonomous_system_number": number, "autonomous_system_organization": organization })
}

/// The leading bits of a network, and how many: IPv4 ones lie in `::/96`.
fn bits(network: &str) -> (u128, usize) {
    let (address, length) = network.split_once('/').expect("a network in CIDR form");
    let length: usize = length.parse().expect("a prefix");
    match address.parse().expect("an address") {
        IpAddr::V4(address) => (u128::from(address.to_bits()), length + 96),
        IpAddr::V6(address) => (address.to_bits(), length),
    }
}

fn encode(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::String(text) => {
            control(2, text.len(), out);
            out.extend(text.bytes());
        }
        Value::Object(members) => {
            control(7, members.len(), out);
            for (name, value) in members {
                encode(&Value::from(name.as_str()), out);
                match value.as_u64() {
                    Some(number) => encode_number(name, number, out),
                    None => encode(value, out),
                }
            }
        }
        Value::Array(items) => {
            control(11, items.len(), out);
            for item in items {
                encode(item, out);
            }
        }
        Value::Number(number) => {
            control(3, 8, out);
            out.extend(number.as_f64().expect("a number").to_be_bytes());
        }
        other => panic!("{other} is not needed here"),
    }
}

/// A whole number in the type that the specification has for this member.
fn encode_number(name: &str, number: u64, out: &mut Vec<u8>) {
    let sort = match name {
        "build_epoch" => 9,
        "node_count" | "autonomous_system_number" => 6,
        _ => 5,
    };
    let bytes = number.to_be_bytes();
    let significant = &bytes[bytes.iter().take_while(|byte| **byte == 0).count()..];
    control(sort, significant.len(), out);
    out.extend(significant);
}

/// The control byte of a field, with the bytes that belong to it.
fn control(sort: u8, size: usize, out: &mut Vec<u8>) {
    let size = u8::try_from(size).expect("a short text or list");
    let (low, more) = if size < 29 { (size, None) } else { (29, Some(size - 29)) };
    if sort > 7 {
        out.extend([low, sort - 7]);
    } else {
        out.push(sort << 5 | low);
    }
    out.extend(more);
}
