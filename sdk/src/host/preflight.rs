//! Looks at a file's bytes before the system's loader does: a cut-off library would end the process with SIGBUS inside `dlopen`, and a foreign
//! one would run its code.

use object::read::elf::{FileHeader as _, ProgramHeader as _, SectionHeader as _, Sym as _};
use object::{Endian as _, Endianness, NativeEndian, elf};

use crate::abi::stamp::{self, Reading, Stamp};

/// Why the bytes are refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    NotALibrary(String),
    NotAHandler,
}

type Header = elf::FileHeader64<Endianness>;

/// Checks that the bytes are a whole library for this machine, and reads the handler stamp in it.
pub(super) fn check(bytes: &[u8]) -> Result<Reading, Unfit> {
    let broken = |what: &str| Unfit::NotALibrary(what.to_owned());
    if bytes.is_empty() {
        return Err(broken("the file is empty"));
    }
    let header = Header::parse(bytes).map_err(|_| broken("no 64-bit ELF file"))?;
    let endian = header.endian().map_err(|_| broken("no 64-bit ELF file"))?;
    if endian.is_little_endian() != NativeEndian.is_little_endian() {
        return Err(broken("built for another byte order"));
    }
    if header.e_machine(endian) != MACHINE {
        return Err(broken("built for another kind of processor"));
    }
    if header.e_type(endian) != elf::ET_DYN {
        return Err(broken("no dynamic library"));
    }

    let within = |offset: u64, size: u64| offset.checked_add(size).is_some_and(|end| end <= bytes.len() as u64);
    let segments = header.program_headers(endian, bytes).map_err(|_| broken("cut off"))?;
    if segments.is_empty() || !segments.iter().all(|segment| within(segment.p_offset(endian), segment.p_filesz(endian))) {
        return Err(broken("cut off"));
    }
    let sections = header.sections(endian, bytes).map_err(|_| broken("cut off"))?;
    if !sections
        .iter()
        .all(|section| section.sh_type(endian) == elf::SHT_NOBITS || within(section.sh_offset(endian), section.sh_size(endian)))
    {
        return Err(broken("cut off"));
    }

    let symbols = sections.symbols(endian, bytes, elf::SHT_DYNSYM).map_err(|_| broken("its symbols cannot be read"))?;
    let address_of = |name: &str| {
        let defined = symbols.iter().filter(|symbol| !symbol.is_undefined(endian));
        let mut named = defined.filter(|symbol| symbols.symbol_name(endian, symbol) == Ok(name.as_bytes()));
        named.next().map(|symbol| symbol.st_value(endian))
    };
    let (Some(address), Some(_)) = (address_of(stamp::SYMBOL), address_of(abi_stable::library::ROOT_MODULE_LOADER_NAME)) else {
        return Err(Unfit::NotAHandler);
    };
    let mut loaded = segments.iter().filter(|segment| segment.p_type(endian) == elf::PT_LOAD);
    let stamped = loaded.find_map(|segment| segment.data_range(endian, bytes, address, Stamp::SIZE as u64).ok().flatten());
    stamped.and_then(stamp::read).ok_or(Unfit::NotAHandler)
}

#[cfg(target_arch = "x86_64")]
const MACHINE: elf::Machine = elf::EM_X86_64;
#[cfg(target_arch = "aarch64")]
const MACHINE: elf::Machine = elf::EM_AARCH64;
#[cfg(target_arch = "riscv64")]
const MACHINE: elf::Machine = elf::EM_RISCV;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_library_is_refused_with_its_reason() {
        let refused = |bytes: &[u8]| match check(bytes) {
            Err(Unfit::NotALibrary(what)) => what,
            other => panic!("{other:?}"),
        };
        assert_eq!(refused(b""), "the file is empty");
        assert_eq!(refused(b"#!/bin/sh\necho hello, this is not a library but longer than a header is\n"), "no 64-bit ELF file");
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert_eq!(refused(&own[..40]), "no 64-bit ELF file");
        for cut in [64, 4096, own.len() / 2, own.len() - 1] {
            assert_eq!(refused(&own[..cut]), "cut off", "{cut} bytes");
        }
        let mut foreign = own.clone();
        foreign[18] ^= 0xff;
        assert_eq!(refused(&foreign), "built for another kind of processor");
        let mut narrow = own;
        narrow[4] = 1;
        assert_eq!(refused(&narrow), "no 64-bit ELF file");
    }

    #[test]
    fn a_library_without_the_stamp_is_no_handler() {
        // A position-independent test binary is of type ET_DYN, like a library.
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert_eq!(check(&own), Err(Unfit::NotAHandler));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_are_a_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..512)) {
            proptest::prop_assert!(check(&bytes).is_err());
        }

        #[test]
        fn no_damage_to_the_headers_is_a_panic(at in 0_usize..1024, byte: u8) {
            let mut own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
            own.truncate(200_000);
            own[at] = byte;
            let _ = check(&own);
        }
    }
}
