//! A board's faults in words.

use smidgen_shared::{artifact, wire::Fault};

/// A fault in words, with what to do.
pub fn in_words(fault: Fault) -> String {
    match fault {
        Fault::BadFrame => "the frame was no request".into(),
        Fault::BadModel(code) => match artifact::Error::from_code(code) {
            Some(error) => error.text().into(),
            None => format!("the model is bad in a way (number {code}) that only newer programs know"),
        },
        Fault::ArenaTooSmall { needs } => format!("the model needs an arena of {needs} bytes, more than the board has; make the model smaller or choose a larger board"),
        Fault::SelfTest => "the model's golden vectors do not come out: firmware and model do not belong together; export the model again".into(),
        Fault::Expected { at } => format!("step or byte {at} was expected; begin again"),
        Fault::BadSamples => "the samples do not decode, or are not as many values a step, or steps, as the model takes".into(),
        Fault::NothingThere => "there is no such operator, class or model, or nothing of it to look at".into(),
        Fault::BadChunk => "a piece of the model has a wrong length; send it again with a newer program".into(),
        Fault::TooLarge { room } => format!("the model does not fit the slot of {room} bytes; make it smaller or choose a larger board"),
        Fault::Unsigned => "it takes signed models alone; sign yours: `smidgen export RUN --sign KEY`".into(),
        Fault::BadSignature => "the signature is not that of the key built into it; sign with the key of this board".into(),
        Fault::OldModel { least } => format!("the model's counter is below {least}, that of a model it served before; sign it again with a larger `--counter`"),
        Fault::Flash => "its flash cannot be written there, or failed; the model served before is still served".into(),
        Fault::Full => "no more classes fit; forget one first".into(),
        Fault::NameTaken => "another class has this name; forget it first, or choose another name".into(),
        Fault::BadName => "a class's name has 1 to 20 bytes".into(),
        Fault::BadClass { width: 0 } => "the model does not end with a class table, so it cannot be taught; train one with attributes (`--task zero-shot`)".into(),
        Fault::BadClass { width } => format!("the class table takes {width} attributes, not all of them zero"),
        Fault::NotLinear => "the model is not a linear map, or a composite of such, from features to scores: its scores have no exact terms".into(),
        Fault::NoSampler => "the model draws no samples, or knows no such class; `smidgen inspect MODEL` says what it is".into(),
    }
}
