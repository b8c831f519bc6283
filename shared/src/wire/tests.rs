//! The wire on the host: what is framed comes back, what is damaged costs itself.

extern crate std;
use super::*;
use proptest::prelude::*;
use std::vec::Vec;

proptest! {
    #[test]
    fn samples_round_trip(values in proptest::collection::vec(any::<i16>(), 1..300), channels in 1usize..10, room in 30usize..400) {
        let mut out = std::vec![0; room];
        let (steps, bytes) = encode_samples(&values, channels, &mut out);
        let mut decoder = SampleDecoder::new(&out[..bytes]);
        let mut step = std::vec![77i16; channels];
        let mut back = Vec::new();
        while decoder.next_into(&mut step).unwrap() { back.extend_from_slice(&step); }
        prop_assert_eq!(&back[..], &values[..steps * channels]);
        prop_assert!(steps == values.len() / channels || room - bytes < 3 * channels);
    }

    #[test]
    fn any_sample_bytes_end(data in proptest::collection::vec(any::<u8>(), 0..200), channels in 1usize..10) {
        let mut decoder = SampleDecoder::new(&data);
        let mut step = std::vec![0i16; channels];
        for _ in 0..=data.len() { if !matches!(decoder.next_into(&mut step), Ok(true)) { return Ok(()); } }
        prop_assert!(false, "more steps than bytes");
    }

    #[test]
    fn a_damaged_frame_costs_only_itself(data in proptest::collection::vec(any::<u8>(), 0..MAX_DATA), at in any::<prop::sample::Index>(), flip in 1u8..) {
        let request = Request { id: 7, ask: Ask::Samples { at: 3, last: None, data: &data } };
        let (mut a, mut b) = ([0; MAX_FRAME], [0; MAX_FRAME]);
        let mut bytes = encode(&request, &mut a).unwrap().to_vec();
        let i = at.index(bytes.len());
        bytes[i] ^= flip;
        bytes.push(0);
        bytes.extend_from_slice(encode(&Request { id: 8, ask: Ask::Hello }, &mut b).unwrap());
        let mut reader = FrameReader::<MAX_FRAME>::new();
        let mut got = Vec::new();
        for byte in bytes {
            if let Ok(Some(frame)) = reader.push(byte) && let Ok(Request { id, .. }) = decode(frame) { got.push(id); }
        }
        prop_assert_eq!(got, std::vec![8]);
    }

    #[test]
    fn encode_response_is_encode(id in any::<u16>(), words in any::<[u32; 5]>(), halves in any::<[u16; 2]>(), byte in any::<u8>(),
        data in proptest::collection::vec(any::<u8>(), 0..=MAX_DATA), text in "[a-zé]{0,20}", room in 0usize..MAX_FRAME) {
        let [a, b, c, d, e] = words;
        let faults = [Fault::BadFrame, Fault::BadModel(byte), Fault::ArenaTooSmall { needs: a }, Fault::SelfTest,
            Fault::Expected { at: a }, Fault::BadSamples, Fault::NothingThere, Fault::BadChunk, Fault::TooLarge { room: b },
            Fault::Unsigned, Fault::BadSignature, Fault::OldModel { least: c }, Fault::Flash, Fault::Full, Fault::NameTaken, Fault::BadName,
            Fault::BadClass { width: halves[0] }, Fault::NotLinear, Fault::NoSampler];
        let hello = |model| Reply::Hello { wire: byte, board: &text, firmware: "0.1.0", slot_bytes: a, arena_bytes: b,
            signed: a > b, model, other: (c > d).then_some(e), taught: halves[1] };
        let mut replies = std::vec![
            hello(Ok(c)), Reply::More { next: halves[0] }, Reply::Answer { class: halves[0], scores: &data },
            Reply::Stopped { op: byte, bytes: d }, Reply::Bytes { from: halves[1], data: &data },
            Reply::Stats { answers: a, lost: b, refused: c, stack_peak: d, stack_bytes: e },
            Reply::Received { next: a }, Reply::Serving { slot: byte, model: b }, Reply::Taught { count: halves[0], free: c },
            Reply::Class { name: &text, seen: a > b, taught: c > d },
            Reply::Drawn { done: halves[0], total: halves[1] },
        ];
        replies.extend(faults.map(Reply::Fault));
        replies.extend(faults.map(|fault| hello(Err(fault))));
        for reply in replies {
            let response = Response { id, reply };
            let (mut x, mut y) = ([0; MAX_FRAME], [0; MAX_FRAME]);
            prop_assert_eq!(encode_response(&response, &mut x).unwrap(), encode(&response, &mut y).unwrap());
            // In any smaller buffer: whole, or refused.
            match (encode_response(&response, &mut x[..room]), encode(&response, &mut y[..room])) {
                (Ok(a), Ok(b)) => prop_assert_eq!(a, b),
                (a, b) => prop_assert_eq!(a.is_err(), b.is_err()),
            }
        }
    }

    #[test]
    fn frames_round_trip(data in proptest::collection::vec(any::<u8>(), 0..=MAX_DATA)) {
        let response = Response { id: 9, reply: Reply::Answer { class: 3, scores: &data } };
        let mut buffer = [0; MAX_FRAME];
        let mut frame = encode(&response, &mut buffer).unwrap().to_vec();
        prop_assert_eq!(frame.pop(), Some(0));
        prop_assert!(!frame.contains(&0));
        prop_assert_eq!(decode::<Response>(&mut frame).unwrap(), response);
    }
}
