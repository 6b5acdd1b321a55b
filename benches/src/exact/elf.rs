//! The parts of a program, by the table of sections in its file (System V ABI, chapter 4: ELF, 64 bits, little end first).

/// A section that takes room in the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) name: String,
    pub(super) bytes: u64,
}

/// The parts of a program, the largest first; none of a file that is no such program.
pub(super) fn parts(program: &[u8]) -> Vec<Part> {
    let mut parts = read(program).unwrap_or_default();
    parts.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.name.cmp(&b.name)));
    parts
}

fn read(program: &[u8]) -> Option<Vec<Part>> {
    if program.get(..MAGIC.len())? != MAGIC {
        return None;
    }
    let start = number(program, 0, 0x28, 8)?;
    let each = number(program, 0, 0x3a, 2)?;
    let count = number(program, 0, 0x3c, 2)?;
    let names = number(program, 0, 0x3e, 2)?;
    let header = |index: u64| start.checked_add(index.checked_mul(each)?);
    let names = number(program, header(names)?, 0x18, 8)?;
    let mut parts = Vec::new();
    for index in 0..count {
        let header = header(index)?;
        let kind = number(program, header, 0x04, 4)?;
        let bytes = number(program, header, 0x20, 8)?;
        if kind != NULL && kind != NO_BITS && bytes > 0 {
            let name = names.checked_add(number(program, header, 0, 4)?)?;
            parts.push(Part {
                name: text(program, name)?,
                bytes,
            });
        }
    }
    Some(parts)
}

/// So many bytes as a number, `at` behind `start`.
fn number(program: &[u8], start: u64, at: u64, length: usize) -> Option<u64> {
    let at = usize::try_from(start.checked_add(at)?).ok()?;
    let bytes = program.get(at..at.checked_add(length)?)?;
    Some(
        bytes
            .iter()
            .rev()
            .fold(0, |number, byte| number << 8 | u64::from(*byte)),
    )
}

/// The text up to the next zero.
fn text(program: &[u8], at: u64) -> Option<String> {
    let rest = program.get(usize::try_from(at).ok()?..)?;
    let end = rest.iter().position(|byte| *byte == 0)?;
    Some(String::from_utf8_lossy(&rest[..end]).into_owned())
}

/// 64 bits, little end first.
const MAGIC: &[u8] = b"\x7fELF\x02\x01";
/// An entry that is none.
const NULL: u64 = 0;
/// A section that takes no room in the file.
const NO_BITS: u64 = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(all(
        target_os = "linux",
        target_pointer_width = "64",
        target_endian = "little"
    ))]
    #[test]
    fn the_parts_of_this_program_are_found_and_take_less_than_all_of_it() {
        let program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let parts = parts(&program);
        let names: Vec<_> = parts.iter().map(|part| part.name.as_str()).collect();
        assert!(
            names.contains(&".text") && names.contains(&".rodata"),
            "{names:?}"
        );
        assert!(!names.contains(&".bss"), "{names:?}");
        assert!(parts.is_sorted_by(|a, b| a.bytes >= b.bytes));
        assert!(parts.iter().map(|part| part.bytes).sum::<u64>() <= program.len() as u64);
    }

    #[test]
    fn another_file_has_no_parts() {
        for file in [
            &b""[..],
            b"#!/bin/sh\n",
            MAGIC,
            &[MAGIC, &[0xff; 64]].concat(),
        ] {
            assert_eq!(parts(file), []);
        }
    }
}
