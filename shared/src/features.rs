// TEMPORARY stub by the lead so that the crate compiles: helper ml, overwrite this file
use serde::{Serialize,Deserialize};
pub const MAX_CHANNELS: usize = 16;
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub struct Spec { pub channels: u8, pub window: u16 }
impl Spec { pub const fn state_words(&self)->usize{self.channels as usize} pub fn count(&self)->usize{self.channels as usize} pub fn check(&self)->Result<(),()>{Ok(())} }
pub fn begin(_s:&Spec, st:&mut [u32]) { st.fill(0) }
pub fn push(_s:&Spec, st:&mut [u32], x:&[i16])->Result<(),()> { for (s,x) in st.iter_mut().zip(x) { *s = s.wrapping_add(*x as i32 as u32) } Ok(()) }
pub fn finish(s:&Spec, st:&mut [u32], mut f: impl FnMut(usize,i32))->Result<(),()> { for (i,v) in st.iter().enumerate() { f(i, *v as i32 / s.window.max(1) as i32) } Ok(()) }
