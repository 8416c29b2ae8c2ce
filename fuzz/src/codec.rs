//! The codec: any bytes decode to a message or to an error, a message encodes to the very bytes that it was read from,
//! and nothing that is cut off is taken for whole.

use nine::wire::{DecodeError, Dialect, DirEntries, Later, Rmessage, Tag, Tmessage, frame_size, put_entry};

/// The input is a frame: as it stands, and with a size field that fits.
pub fn check(input: &[u8]) {
    frame(input);
    let mut fitting = input.to_vec();
    if fitting.len() >= 4 {
        let size = fitting.len() as u32;
        fitting[..4].copy_from_slice(&size.to_le_bytes());
        frame(&fitting);
    }
}

fn frame(bytes: &[u8]) {
    for msize in [7, 8192, u32::MAX] {
        match frame_size(bytes, msize) {
            Ok(None) => assert!(bytes.len() < 4),
            Ok(Some(size)) => assert!((7..=msize as usize).contains(&size)),
            Err(DecodeError::FrameTooShort { size }) => assert!(size < 7),
            Err(DecodeError::FrameTooLong { size, .. }) => assert!(size > msize),
            Err(other) => panic!("{other} is not a size's fault"),
        }
    }
    for dialect in Dialect::ALL {
        let mut kinds = 0;
        if let Ok((tag, message)) = Tmessage::decode(dialect, bytes) {
            kinds += 1;
            request(dialect, tag, message, bytes);
        }
        if let Ok((tag, message)) = Rmessage::decode(dialect, bytes) {
            kinds += 1;
            reply(dialect, tag, message, bytes);
        }
        assert!(kinds < 2, "a request and a reply at once");
    }
}

fn request(dialect: Dialect, tag: Tag, message: Tmessage<'_>, bytes: &[u8]) {
    let mut again = Vec::new();
    message.encode(dialect, tag, &mut again).expect("what was read can be written");
    assert_eq!(again, bytes, "{message:?}");
    assert!(message.with_tag(tag).to_string().starts_with(message.name()));
    if let Tmessage::Walk { names, .. } = message {
        assert_eq!(names.iter().count(), names.len());
    }
    cut(bytes, |part| match Tmessage::decode(dialect, part) {
        // The one field that clients may leave out.
        Ok((_, Tmessage::Fsync { datasync: Later(None), .. })) => part.len() + 4 == bytes.len(),
        other => other.is_err(),
    });
}

fn reply(dialect: Dialect, tag: Tag, message: Rmessage<'_>, bytes: &[u8]) {
    let mut again = Vec::new();
    message.encode(dialect, tag, &mut again).expect("what was read can be written");
    assert_eq!(again, bytes, "{message:?}");
    assert!(message.with_tag(tag).to_string().starts_with(message.name()));
    if let Rmessage::Readdir { data } = message {
        entries(data.0);
    }
    cut(bytes, |part| Rmessage::decode(dialect, part).is_err());
}

/// Entries give themselves back, and end at the first that is none.
fn entries(data: &[u8]) {
    let mut again = Vec::new();
    let mut whole = true;
    for entry in DirEntries::new(data) {
        assert!(whole, "an entry after a fault");
        match entry {
            Ok(entry) => {
                let before = again.len();
                put_entry(&entry, &mut again).expect("what was read can be written");
                assert_eq!(again.len() - before, entry.encoded_len());
            }
            Err(_) => whole = false,
        }
    }
    assert!(if whole { again == data } else { data.starts_with(&again) });
}

/// No beginning of a message is one, whatever its size field says.
fn cut(bytes: &[u8], refused: impl Fn(&[u8]) -> bool) {
    // A large frame is cut at its ends and here and there, or the time is spent on nothing else.
    let step = (bytes.len() / 64).max(1);
    for len in (0..bytes.len()).step_by(step) {
        assert!(refused(&bytes[..len]), "cut at {len}");
        if len >= 4 {
            let mut part = bytes[..len].to_vec();
            part[..4].copy_from_slice(&(len as u32).to_le_bytes());
            assert!(refused(&part), "cut at {len}, with a size that fits");
        }
    }
}
