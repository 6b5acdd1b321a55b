//! What sealing promises, and the bytes of today, which every later version must open.

use proptest::prelude::*;

use super::*;

fn key(byte: u8) -> SealingKey {
    SealingKey::from_bytes(Zeroizing::new([byte; KEY_BYTES]))
}

/// The cipher itself, against the vector of draft-irtf-cfrg-xchacha-03 appendix A.3.1.
#[test]
fn the_cipher_is_the_one_of_the_draft() {
    let plain = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, \
        sunscreen would be it.";
    let bytes: [u8; KEY_BYTES] = std::array::from_fn(|index| 0x80 + index as u8);
    let nonce: [u8; NONCE_BYTES] = std::array::from_fn(|index| 0x40 + index as u8);
    let associated = hex("50515253c0c1c2c3c4c5c6c7");
    let mut buffer = plain.to_vec();
    let tag = SealingKey::from_bytes(Zeroizing::new(bytes))
        .cipher()
        .encrypt_inout_detached(
            &XNonce::from(nonce),
            &associated,
            buffer.as_mut_slice().into(),
        )
        .unwrap();
    assert_eq!(buffer[..16], hex("bd6d179d3e83d43b9576579493c0e939"));
    assert_eq!(tag[..], hex("c0875924c1c7987947deafd8780acf49"));
}

#[test]
fn the_first_version_is_laid_out_as_documented_and_opens_for_ever() {
    let place: &[&[u8]] = &[b"file", b"grant-00.sealed"];
    let sealed = key(7).seal_with([9; 24], b"{\"n\":1}", place).unwrap();
    assert_eq!(sealed, hex(FIRST_VERSION));
    assert_eq!(sealed.len(), 7 + SealingKey::OVERHEAD);
    assert_eq!(&sealed[..7], b"dkseal\x01");
    assert_eq!(sealed[7..31], [9; 24]);
    assert_eq!(*key(7).open(&sealed, place).unwrap(), b"{\"n\":1}");
}

#[test]
fn the_same_bytes_are_never_sealed_alike() {
    let (one, other) = (
        key(1).seal(b"x", &[]).unwrap(),
        key(1).seal(b"x", &[]).unwrap(),
    );
    assert_ne!(one[7..31], other[7..31]);
    assert_ne!(one[31..], other[31..]);
    let (one, other) = (
        SealingKey::generate().unwrap(),
        SealingKey::generate().unwrap(),
    );
    assert_ne!(one.expose_bytes(), other.expose_bytes());
}

#[test]
fn what_was_sealed_with_another_key_or_for_another_place_does_not_open() {
    let sealed = key(1).seal(b"s3cret", &[b"grant", b"a", b"7"]).unwrap();
    assert!(key(1).open(&sealed, &[b"grant", b"a", b"7"]).is_ok());
    assert_eq!(
        key(2).open(&sealed, &[b"grant", b"a", b"7"]).unwrap_err(),
        Defect::SealBroken
    );
    let others: [&[&[u8]]; 7] = [
        &[],
        &[b"grant", b"a"],
        &[b"grant", b"a", b"8"],
        &[b"grant", b"a", b"7", b""],
        &[b"grant", b"", b"a7"],
        &[b"grant", b"a7", b""],
        &[b"granta7"],
    ];
    for place in others {
        assert_eq!(
            key(1).open(&sealed, place).unwrap_err(),
            Defect::SealBroken,
            "{place:?}"
        );
    }
}

#[test]
fn what_is_no_sealed_record_or_a_newer_one_is_told_apart() {
    let sealed = key(1).seal(b"s3cret", &[]).unwrap();
    for foreign in [&b""[..], b"dkseal", b"{\"version\":1}", &sealed[..46]] {
        assert_eq!(key(1).open(foreign, &[]).unwrap_err(), Defect::NotSealed);
    }
    let mut newer = sealed.clone();
    newer[6] = 2;
    assert_eq!(
        key(1).open(&newer, &[]).unwrap_err(),
        Defect::NewerVersion { found: 2, known: 1 }
    );
    newer[6] = 0;
    assert_eq!(
        key(1).open(&newer, &[]).unwrap_err(),
        Defect::UnknownVersion { found: 0 }
    );
    assert!(SealingKey::is_sealed(&newer) && !SealingKey::is_sealed(b"{}"));
}

#[test]
fn a_key_is_not_shown() {
    assert_eq!(format!("{:?}", key(0xab)), "SealingKey([redacted])");
}

proptest! {
    #[test]
    fn sealed_bytes_come_back_and_any_change_is_noticed(
        plain in any::<Vec<u8>>(), place in proptest::collection::vec(any::<Vec<u8>>(), 0..4),
        at in any::<proptest::sample::Index>(), flip in 1..=u8::MAX,
    ) {
        let place: Vec<&[u8]> = place.iter().map(Vec::as_slice).collect();
        let mut sealed = key(3).seal(&plain, &place).unwrap();
        prop_assert_eq!(&*key(3).open(&sealed, &place).unwrap(), &plain);
        prop_assert!(key(3).open(&sealed[..at.index(sealed.len())], &place).is_err());
        let at = at.index(sealed.len());
        sealed[at] ^= flip;
        prop_assert!(key(3).open(&sealed, &place).is_err());
    }
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

/// Computed from the documented layout by another implementation.
const FIRST_VERSION: &str = "646b7365616c010909090909090909090909090909090909090909\
    09090909c5508ca8469b04f3bfac680763a9269b477be792690b7d";
