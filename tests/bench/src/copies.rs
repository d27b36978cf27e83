//! An archive of as many device sessions as are wanted: copies of one that was made by signing in, as `symbolon store restore` reads
//! them. Knows so much of the format of the archive as it takes to copy.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Read, Write as _};
use std::path::Path;

use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};

use crate::failure::Failure;
use crate::preparation::Device;
use crate::server::Site;

const FIRST_LINE: &[u8] = b"Symbolon archive 1\n";
/// The numbers of what is copied, as the store has them.
const SESSION: u8 = 1;
const SESSIONS_OF_SUBJECT: u8 = 1;
/// Length of a session id, in bytes.
const ID: usize = 16;

/// Writes the state of a server that was stopped to `grown`, with copies of the session of the first device until there are so many
/// records; gives their number.
pub(crate) async fn write(site: &Site, folder: &Path, devices: &[Device], sessions: u64, grown: &Path) -> Result<u64, Failure> {
    let seed = folder.join("seed");
    site.command(&["store", "backup", &seed.to_string_lossy()]).await?;
    let model = devices.first().and_then(Device::session_id).ok_or_else(|| Failure::said("a device has no sid"))?;
    let records = grow(&seed, grown, model, sessions)?;
    fs::remove_file(&seed)?;
    Ok(records)
}

/// Writes the archive `seed` again with so many copies of the session `model`, each with a person of its own; gives its records.
fn grow(seed: &Path, grown: &Path, model: [u8; ID], sessions: u64) -> Result<u64, Failure> {
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
    let copies = sessions.saturating_sub(records);
    let random = SystemRandom::new();
    let spread = |n: u64, into: &mut [u8]| -> Result<(), Failure> {
        random.fill(into).map_err(|_| Failure::said("there is no randomness"))?;
        // As far apart as random names, but in order, as a backup has them: they are inserted much faster.
        let first = u64::MAX / copies.max(1) * n;
        into.iter_mut().zip(first.to_be_bytes()).for_each(|(into, byte)| *into = byte);
        Ok(())
    };
    let mut record = record;
    for n in 0..copies {
        spread(n, &mut record[id_at..id_at + ID])?;
        write_frame(&mut writer, &record)?;
    }
    for n in 0..copies {
        let mut member = member.clone();
        spread(n, &mut member[subject.clone()])?;
        // Which session it names makes no difference to anything measured here.
        spread(n, &mut member[member_id_at..member_id_at + ID])?;
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
