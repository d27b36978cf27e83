//! What a store costs as it grows: the same exchanges against servers that differ in the number of device sessions in the store, in
//! turn. The sessions are copies of one that was made by signing in, put there by `symbolon store restore`.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Read, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use serde::Serialize;

use crate::arguments::Arguments;
use crate::failure::Failure;
use crate::load::{Span, drive};
use crate::preparation::{Device, Endpoints, Prepared};
use crate::run::say;
use crate::server::{Server, Site};
use crate::verdict::megabytes;
use crate::workloads::shared_out;

/// Signatures are to be the smaller part.
const ALG: &str = "ES256";
const SMALL: u64 = 10_000;
const ROUNDS: usize = 5;
const QUICK_ROUNDS: usize = 3;
const CONNECTIONS: usize = 64;

const FIRST_LINE: &[u8] = b"Symbolon archive 1\n";
/// The numbers of what is copied, as the store has them.
const SESSION: u8 = 1;
const SESSIONS_OF_SUBJECT: u8 = 1;
/// Length of a session id, in bytes.
const ID: usize = 16;

/// One size: the median of the rounds.
#[derive(Debug, Serialize)]
pub(crate) struct SizeCost {
    sessions: u64,
    file_bytes: u64,
    restored_per_second: f64,
    /// From starting the process to the first token in hand.
    first_token_ms: f64,
    per_second: f64,
    p99_us: u64,
    cpu_us: f64,
    /// By that of the small store in the same round.
    by_small: f64,
    rss_kib: u64,
}

/// One server and what it is asked with.
struct Place {
    sessions: u64,
    file_bytes: u64,
    restored_per_second: f64,
    server: Server,
    endpoints: Endpoints,
    devices: Vec<Device>,
}

/// Measures a small store and one with `arguments.sessions`.
pub(crate) async fn compare(arguments: &Arguments, folder: &Path, span: Span) -> Result<Vec<SizeCost>, Failure> {
    let mut places = Vec::new();
    for sessions in [SMALL, arguments.sessions] {
        places.push(place(arguments, &folder.join(sessions.to_string()), sessions).await?);
    }
    let rounds = if arguments.quick { QUICK_ROUNDS } else { ROUNDS };
    let mut seen: Vec<Vec<SizeCost>> = places.iter().map(|_| Vec::new()).collect();
    for n in 1..=rounds {
        say(&format!("growth: round {n} of {rounds}"));
        let mut small = None;
        for (place, seen) in places.iter_mut().zip(&mut seen) {
            let sequences = shared_out(&mut place.devices, CONNECTIONS, &place.endpoints);
            let (run, back) = drive(place.server.address, sequences, span, &place.server.meter).await?;
            place.devices.extend(back.into_iter().flat_map(|sequence| sequence.devices));
            if let Some(error) = &run.first_error {
                return Err(Failure::said(format!("growth, {} sessions: {error}", place.sessions)));
            }
            seen.push(SizeCost {
                sessions: place.sessions,
                file_bytes: place.file_bytes,
                restored_per_second: place.restored_per_second,
                first_token_ms: place.server.first_token.as_secs_f64() * 1e3,
                per_second: run.per_second,
                p99_us: run.p99_us,
                cpu_us: run.cost.cpu_us,
                by_small: run.cost.cpu_us / *small.get_or_insert(run.cost.cpu_us),
                rss_kib: run.cost.rss_kib,
            });
        }
    }
    for place in places {
        place.server.stop().await?;
    }
    let median = |mut own: Vec<SizeCost>| {
        own.sort_by(|one, other| one.by_small.total_cmp(&other.by_small));
        own.swap_remove(own.len() / 2)
    };
    Ok(seen.into_iter().map(median).collect())
}

async fn place(arguments: &Arguments, folder: &Path, sessions: u64) -> Result<Place, Failure> {
    say(&format!("growth: preparing {sessions} sessions"));
    fs::create_dir_all(folder)?;
    let site = Site::prepare(&arguments.server, folder, ALG, &arguments.settings)?;
    let Prepared { server, endpoints, devices } = Prepared::on(&site, CONNECTIONS).await?;
    server.stop().await?;
    let (seed, grown) = (folder.join("seed"), folder.join("grown"));
    site.command(&["store", "backup", &seed.to_string_lossy()]).await?;
    let model = devices.first().and_then(Device::session_id).ok_or_else(|| Failure::said("a device has no sid"))?;
    let records = grow(&seed, &grown, model, sessions)?;
    let store = folder.join("data/store.redb");
    fs::remove_file(&store)?;
    let began = Instant::now();
    site.command(&["store", "restore", &grown.to_string_lossy()]).await?;
    let restored_per_second = Duration::from_secs(records).as_secs_f64() / began.elapsed().as_secs_f64();
    fs::remove_file(&grown)?;
    let file_bytes = fs::metadata(&store)?.len();
    let server = site.start().await?;
    Ok(Place { sessions, file_bytes, restored_per_second, server, endpoints, devices })
}

/// Writes the archive `seed` again with so many copies of the session `model`, each with a person of its own; gives its records.
fn grow(seed: &Path, grown: &PathBuf, model: [u8; ID], sessions: u64) -> Result<u64, Failure> {
    let mut reader = BufReader::new(File::open(seed)?);
    let mut first = [0; FIRST_LINE.len()];
    reader.read_exact(&mut first)?;
    let mut writer = BufWriter::new(File::create(grown)?);
    writer.write_all(FIRST_LINE)?;
    // A name in MessagePack: its length as one byte, then the number of its kind.
    let record_name = [&[0xc4, 1 + 16, SESSION], &model[..]].concat();
    let (mut records, mut members, mut record, mut member) = (0_u64, 0_u64, None, None);
    loop {
        let body = frame(&mut reader)?;
        if body.starts_with(&[0x81, 0xa3, b'E', b'n', b'd']) {
            break;
        }
        if let Some(at) = position(&body, &record_name) {
            record = Some((body.clone(), at + 3));
        }
        let is_member = body.windows(6).any(|window| window == b"Member");
        if is_member && let (Some(id), Some(name)) = (position(&body, &model), position_of_index(&body)) {
            member = Some((body.clone(), id, name));
        }
        if is_member {
            members += 1;
        } else {
            records += 1;
        }
        write_frame(&mut writer, &body)?;
    }
    let (Some((record, id_at)), Some((member, member_id_at, subject))) = (record, member) else {
        return Err(Failure::said("the session to be copied is not in the backup"));
    };
    let random = SystemRandom::new();
    let copies = sessions.saturating_sub(records);
    for _ in 0..copies {
        let (mut record, mut member, mut id, mut person) = (record.clone(), member.clone(), [0; ID], vec![0; subject.len()]);
        random.fill(&mut id).and_then(|()| random.fill(&mut person)).map_err(|_| Failure::said("there is no randomness"))?;
        record[id_at..id_at + ID].copy_from_slice(&id);
        member[member_id_at..member_id_at + ID].copy_from_slice(&id);
        member[subject.clone()].copy_from_slice(&person);
        write_frame(&mut writer, &record)?;
        write_frame(&mut writer, &member)?;
    }
    (records, members) = (records + copies, members + copies);
    let end = [&[0x81, 0xa3, b'E', b'n', b'd', 0x92, 0xcf], &records.to_be_bytes()[..], &[0xcf], &members.to_be_bytes()].concat();
    write_frame(&mut writer, &end)?;
    writer.flush()?;
    Ok(records)
}

/// Where the owner of an index of sessions stands in the frame of a member.
fn position_of_index(body: &[u8]) -> Option<std::ops::Range<usize>> {
    let at = body.windows(3).position(|window| window[0] == 0xc4 && window[1] > 1 && window[2] == SESSIONS_OF_SUBJECT)?;
    let end = at + 2 + usize::from(body[at + 1]);
    (end <= body.len()).then_some(at + 3..end)
}

fn position(body: &[u8], part: &[u8]) -> Option<usize> {
    body.windows(part.len()).position(|window| window == part)
}

fn frame(reader: &mut impl Read) -> Result<Vec<u8>, Failure> {
    let mut head = [0; 8];
    reader.read_exact(&mut head)?;
    let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
    let mut body = vec![0; usize::try_from(length).map_err(|_| Failure::said("a frame is too long"))?];
    reader.read_exact(&mut body)?;
    Ok(body)
}

fn write_frame(writer: &mut impl std::io::Write, body: &[u8]) -> Result<(), Failure> {
    let length = u32::try_from(body.len()).map_err(|_| Failure::said("a frame is too long"))?;
    writer.write_all(&length.to_le_bytes())?;
    writer.write_all(&crc32fast::hash(body).to_le_bytes())?;
    Ok(writer.write_all(body)?)
}

/// The table for people.
pub(crate) fn write(costs: &[SizeCost], text: &mut String) {
    if costs.is_empty() {
        return;
    }
    let _ = writeln!(
        text,
        "## Growth of the store, {ALG}, {CONNECTIONS} connections\n\nThe same exchanges in turn against servers that differ in the number of \
         device sessions in the embedded store; the median of the rounds.\n\n\
         | sessions | file MB | restored per second | first token ms | exchanges per second | p99 ms | CPU µs | by the small store | MB |\n\
         |--:|--:|--:|--:|--:|--:|--:|--:|--:|"
    );
    for cost in costs {
        let _ = writeln!(
            text,
            "| {} | {:.0} | {:.0} | {:.0} | {:.0} | {:.2} | {:.1} | {:.2} | {:.1} |",
            cost.sessions,
            megabytes(cost.file_bytes / 1024),
            cost.restored_per_second,
            cost.first_token_ms,
            cost.per_second,
            Duration::from_micros(cost.p99_us).as_secs_f64() * 1e3,
            cost.cpu_us,
            cost.by_small,
            megabytes(cost.rss_kib)
        );
    }
    text.push('\n');
}
