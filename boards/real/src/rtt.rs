//! The link over a debug probe: two channels named "smidgen" beside the log's "defmt".

use rtt_target::{ChannelMode, DownChannel, UpChannel, rtt_init, set_defmt_channel};

/// How often a full channel is looked at before the rest of a reply is dropped: the host asks again.
const TRIES: u32 = 1_000_000;

pub struct Rtt {
    up: UpChannel,
    down: DownChannel,
}

impl Rtt {
    /// Sets up RTT and the log. Once, at the start.
    pub fn start() -> Rtt {
        let channels = rtt_init! {
            up: {
                0: { size: 1024, name: "defmt" }
                1: { size: 512, mode: ChannelMode::NoBlockTrim, name: "smidgen" }
            }
            down: {
                0: { size: 512, name: "smidgen" }
            }
        };
        set_defmt_channel(channels.up.0);
        Rtt { up: channels.up.1, down: channels.down.0 }
    }

    /// What has come, at once.
    pub fn read(&mut self, bytes: &mut [u8]) -> usize {
        self.down.read(bytes)
    }

    pub fn write(&mut self, mut bytes: &[u8]) {
        for _ in 0..TRIES {
            let written = self.up.write(bytes);
            bytes = bytes.get(written..).unwrap_or_default();
            if bytes.is_empty() {
                return;
            }
        }
    }
}
